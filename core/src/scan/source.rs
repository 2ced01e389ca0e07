//! Which source a scan reads: the platform's API or a browser (M-23, M-24, M-34, M-40; traps B-12, B-13).
//!
//! The measure is money in a UTC month, never requests and never a short window: a window only makes a scan
//! wait. An API that charges is used freely up to 80 % of the credential's monthly budget; beyond it a free
//! source goes first where there is one, and the rest of the budget is for scans that have no other.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use crate::{account::Platform, money::Usd, platform::Family};

/// What the user asked for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr,
)]
pub enum Wish {
    /// The cheapest allowed source.
    #[default]
    Auto,
    /// The API only.
    Api,
    /// A browser only.
    Browser,
}

/// Where rows come from.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
)]
pub enum Source {
    /// The platform's API.
    #[default]
    Api,
    /// A browser that shows the list.
    Browser,
}

impl Source {
    /// Whether rows come from the platform's API.
    pub const fn is_api(&self) -> bool {
        matches!(self, Self::Api)
    }

    /// The price of one request of this family that returns `rows` rows. Pages for people cost nothing.
    pub const fn price(self, platform: Platform, family: Family, rows: i64) -> Usd {
        match self {
            Self::Api => platform.price(family, rows),
            Self::Browser => Usd::ZERO,
        }
    }
}

/// Which sources a scan begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One source reads the whole list.
    Only(Source),
    /// The API reads from the newest end as far as the money goes, a browser from the oldest until they meet.
    Both,
}

/// A credential's money in the running UTC month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// The most it may spend.
    pub budget: Usd,
    /// Settled, reserved and perhaps charged, over all scans.
    pub used: Usd,
}

/// Whether a browser may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browser {
    /// The operator has not enabled it for this platform: the default everywhere.
    Off,
    /// Enabled, but nobody gave a session.
    NoSession,
    /// Enabled, with a session.
    Ready,
}

/// Why there is no source now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The credential's month is spent.
    MonthlyBudget,
    /// Browser scanning is off.
    BrowserOff,
    /// There is no web session.
    BrowserSession,
}

/// Chooses for a scan that would cost `price` through the API.
pub fn choose(wish: Wish, price: Usd, month: Option<Month>, browser: Browser) -> Result<Source, Obstacle> {
    let within = |percent| month.is_none_or(|month| month.allows(price, percent));
    let free = price <= Usd::ZERO;
    match (wish, browser) {
        (Wish::Browser, Browser::Ready) => Ok(Source::Browser),
        (Wish::Browser, Browser::Off) => Err(Obstacle::BrowserOff),
        (Wish::Browser, Browser::NoSession) => Err(Obstacle::BrowserSession),
        (Wish::Auto | Wish::Api, _) if free => Ok(Source::Api),
        (Wish::Auto, Browser::Ready) if !within(SOFT) => Ok(Source::Browser),
        (Wish::Auto | Wish::Api, _) if within(100) => Ok(Source::Api),
        (Wish::Auto | Wish::Api, _) => Err(Obstacle::MonthlyBudget),
    }
}

/// Chooses the sources of a planned scan, of whose own money `left` may still be spent.
///
/// Where the money does not pay for the whole list but for a page of it, both go towards each other.
pub fn share_out(
    wish: Wish,
    (price, left, page_price): (Usd, Usd, Usd),
    month: Option<Month>,
    browser: Browser,
) -> Result<Choice, Obstacle> {
    let source = choose(wish, price, month, browser)?;
    let short = price > left && browser == Browser::Ready && wish == Wish::Auto;
    Ok(match source {
        Source::Api if short && left >= page_price => Choice::Both,
        Source::Api if short => Choice::Only(Source::Browser),
        source => Choice::Only(source),
    })
}

/// Percent of a monthly budget up to which a paid source goes first.
const SOFT: i64 = 80;

impl Month {
    /// What is left.
    pub const fn left(&self) -> Usd {
        self.budget.minus(self.used)
    }

    /// Whether four fifths of it are spent: people are told.
    pub fn is_short(&self) -> bool {
        !self.allows(Usd::from_nanos(1), SOFT)
    }

    fn allows(&self, price: Usd, percent: i64) -> bool {
        let limit = i128::from(self.budget.nanos()) * i128::from(percent) / 100;
        i128::from(self.used.nanos()) + i128::from(price.nanos()) <= limit
    }
}

/// The first instant of the UTC month that `at` lies in, and of the next.
pub fn month_of(at: Timestamp) -> (Timestamp, Timestamp) {
    let day = at.to_zoned(TimeZone::UTC).date().first_of_month();
    let start = |date: Date| date.to_zoned(TimeZone::UTC).map_or(at, |zoned| zoned.timestamp());
    (start(day), start(day.last_of_month().tomorrow().unwrap_or(day)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn month(budget: i64, used: i64) -> Month {
        Month {
            budget: usd(budget),
            used: usd(used),
        }
    }

    fn usd(nanos: i64) -> Usd {
        Usd::from_nanos(nanos)
    }

    #[test]
    fn a_paid_api_goes_first_up_to_four_fifths_of_the_month() {
        assert_eq!(
            choose(Wish::Auto, usd(30), Some(month(100, 50)), Browser::Ready),
            Ok(Source::Api)
        );
        assert_eq!(
            choose(Wish::Auto, usd(31), Some(month(100, 50)), Browser::Ready),
            Ok(Source::Browser)
        );
    }

    #[test]
    fn without_a_free_source_the_last_fifth_is_used_too() {
        assert_eq!(
            choose(Wish::Auto, usd(31), Some(month(100, 50)), Browser::Off),
            Ok(Source::Api)
        );
        assert_eq!(
            choose(Wish::Api, usd(50), Some(month(100, 50)), Browser::Ready),
            Ok(Source::Api)
        );
        assert_eq!(
            choose(Wish::Api, usd(51), Some(month(100, 50)), Browser::Off),
            Err(Obstacle::MonthlyBudget)
        );
    }

    #[test]
    fn a_browser_is_never_chosen_where_it_is_off() {
        for wish in [Wish::Auto, Wish::Api, Wish::Browser] {
            for used in [0, 50, 100] {
                let choice = choose(wish, usd(40), Some(month(100, used)), Browser::Off);
                assert_ne!(choice, Ok(Source::Browser));
            }
        }
        assert_eq!(
            choose(Wish::Browser, usd(0), None, Browser::Off),
            Err(Obstacle::BrowserOff)
        );
        assert_eq!(
            choose(Wish::Browser, usd(0), None, Browser::NoSession),
            Err(Obstacle::BrowserSession)
        );
    }

    #[test]
    fn what_the_money_does_not_pay_for_a_browser_reads() {
        let out = |wish, left, browser| share_out(wish, (usd(100), usd(left), usd(10)), None, browser);
        assert_eq!(
            out(Wish::Auto, 100, Browser::Ready),
            Ok(Choice::Only(Source::Api))
        );
        assert_eq!(out(Wish::Auto, 70, Browser::Ready), Ok(Choice::Both));
        assert_eq!(
            out(Wish::Auto, 9, Browser::Ready),
            Ok(Choice::Only(Source::Browser))
        );
        // Without a browser the scan waits for money, as it always did.
        assert_eq!(out(Wish::Auto, 70, Browser::Off), Ok(Choice::Only(Source::Api)));
        assert_eq!(out(Wish::Api, 70, Browser::Ready), Ok(Choice::Only(Source::Api)));
        assert_eq!(
            out(Wish::Browser, 0, Browser::Ready),
            Ok(Choice::Only(Source::Browser))
        );
        let month = Some(month(100, 50));
        assert_eq!(
            share_out(Wish::Auto, (usd(31), usd(90), usd(1)), month, Browser::Ready),
            Ok(Choice::Only(Source::Browser)),
            "over four fifths of the month"
        );
    }

    #[test]
    fn pages_for_people_cost_nothing() {
        assert_eq!(
            Source::Browser.price(Platform::X, Family::Followers, 1000),
            Usd::ZERO
        );
        assert!(Source::Api.price(Platform::X, Family::Followers, 1) > Usd::ZERO);
    }

    #[test]
    fn months_begin_and_end_in_utc() {
        let at: Timestamp = "2026-12-31T23:59:59Z".parse().unwrap();
        let (from, to) = month_of(at);
        assert_eq!(from.to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(to.to_string(), "2027-01-01T00:00:00Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200_000))]
        #[test]
        fn no_choice_spends_more_than_the_month_has(budget in 0i64..1000, used in 0i64..1000, price in 0i64..1000, auto: bool) {
            let wish = if auto { Wish::Auto } else { Wish::Api };
            if choose(wish, usd(price), Some(month(budget, used)), Browser::Off) == Ok(Source::Api) {
                prop_assert!(price == 0 || used + price <= budget);
            }
        }
    }
}
