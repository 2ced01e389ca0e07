//! Money: US dollars in whole nano-dollars, so that sums are exact and a float never rounds a bill.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

const NANOS: i64 = 1_000_000_000;

/// An amount in nano-dollars; negative amounts are refunds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usd(i64);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From nano-dollars.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Whole nano-dollars.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// This price for `count` rows; saturates instead of wrapping, so a bill can never turn negative.
    #[must_use]
    pub const fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, saturating.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// How many times `unit` fits; `i64::MAX` when `unit` is free.
    pub const fn fits(self, unit: Self) -> i64 {
        if unit.0 <= 0 {
            i64::MAX
        } else if self.0 <= 0 {
            0
        } else {
            self.0 / unit.0
        }
    }
}

impl fmt::Display for Usd {
    /// Decimal dollars with at least two and at most nine places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs() / NANOS.unsigned_abs();
        let places = format!("{:09}", self.0.unsigned_abs() % NANOS.unsigned_abs());
        let kept = places.trim_end_matches('0');
        write!(f, "{sign}{whole}.{kept:0<2}")
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read {text:?} as dollars: write a decimal number with at most nine places, such as 150.00"
)]
pub struct ParseUsdError {
    text: String,
}

impl FromStr for Usd {
    type Err = ParseUsdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseUsdError {
            text: text.to_owned(),
        };
        let digits = text.strip_prefix('$').unwrap_or(text);
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 9
            || places.len() > 9
            || !all_digits(whole)
            || !all_digits(places)
        {
            return Err(refused());
        }
        let whole: i64 = whole.parse().map_err(|_| refused())?;
        let places: i64 = format!("{places:0<9}").parse().map_err(|_| refused())?;
        Ok(Self(whole * NANOS + places))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_print_with_two_to_nine_places() {
        for (nanos, text) in [
            (0, "0.00"),
            (10_000_000, "0.01"),
            (1_500_000_000, "1.50"),
            (1, "0.000000001"),
            (-NANOS, "-1.00"),
        ] {
            assert_eq!(Usd::from_nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".5", "1e3", "-1", "1,5", "1.0000000001", "1234567890", "$"] {
            assert!(text.parse::<Usd>().is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]
        #[test]
        fn printing_and_reading_are_inverse(nanos in 0..i64::from(u32::MAX) * NANOS / 8) {
            let amount = Usd::from_nanos(nanos);
            prop_assert_eq!(amount.to_string().parse::<Usd>(), Ok(amount));
        }
    }
}
