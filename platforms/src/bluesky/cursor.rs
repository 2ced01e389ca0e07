//! Cursors of `getFollowers`, in their two forms, and how one is made up for a time.
//!
//! * The open-source `AppView` writes `<milliseconds>__<cid of the follow record>`, compares the cid as text and
//!   takes any well-formed beginning of one: what all cids of records begin with sorts before all of them, and
//!   so the page begins with the newest row *older* than those milliseconds.
//! * The hosted service (`*.bsky.app`) writes a TID: 13 characters, base 32 in sortable order, 53 bits of
//!   microseconds and 10 bits of clock. That it takes one made up is inferred from its form, not documented;
//!   a server that ignores it is noticed, for then the next cursor leads backwards.

use followlytics_core::mutants::{self, Mutant};

/// Which kind of cursor a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The open-source `AppView`; the default.
    TimeAndCid,
    /// The hosted service.
    Tid,
}

/// What every `CIDv1` of a record (dag-cbor, SHA-256) begins with, in base 32.
const LOWEST_CID: &str = "bafyrei";
const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
const TID_LENGTH: usize = 13;
const CLOCK_BITS: u32 = 10;

impl Form {
    /// The form a server takes, by its base URL.
    pub fn of(base_url: &str) -> Self {
        let uri = base_url.parse::<http::Uri>().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        if host == "bsky.app" || host.ends_with(".bsky.app") {
            Self::Tid
        } else {
            Self::TimeAndCid
        }
    }

    /// A cursor whose page begins with the newest row below `position` (microseconds since 1970).
    pub fn cursor_below(self, position: i64) -> String {
        match self {
            // Rounded up: a row of a millisecond that has only begun is still below.
            Self::TimeAndCid => format!(
                "{}__{LOWEST_CID}",
                position.div_euclid(1000) + i64::from(position.rem_euclid(1000) > 0)
            ),
            // A TID has no sign.
            Self::Tid => tid(position.max(0)),
        }
    }
}

/// Returns the instant of a cursor in microseconds since 1970, negative before; `None` for another form, and for an
/// instant that no position stands for.
pub fn instant(cursor: &str) -> Option<i64> {
    match cursor.split_once("__") {
        Some((ms, cid)) => {
            let minus = ms
                .strip_prefix('-')
                .filter(|_| !mutants::on(Mutant::NegativeYearsUnread));
            let digits = minus.unwrap_or(ms);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || cid.is_empty() {
                return None;
            }
            ms.parse::<i64>().ok()?.checked_mul(1000)
        }
        None => instant_of_tid(cursor),
    }
}

fn tid(micros: i64) -> String {
    let bits = u64::try_from(micros).unwrap_or(0) << CLOCK_BITS & (u64::MAX >> 1);
    (0..TID_LENGTH)
        .rev()
        .filter_map(|place| DIGITS.get(usize::try_from(bits >> (5 * place) & 31).ok()?))
        .map(|digit| char::from(*digit))
        .collect()
}

fn instant_of_tid(tid: &str) -> Option<i64> {
    if tid.len() != TID_LENGTH {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in tid.bytes() {
        let digit = DIGITS.iter().position(|known| *known == byte)?;
        bits = bits << 5 | u128::try_from(digit).ok()?;
    }
    // The highest bit of the 64 is always 0, and 13 digits hold one bit more than 64.
    i64::try_from(bits >> CLOCK_BITS)
        .ok()
        .filter(|micros| *micros < 1 << 53)
}

#[cfg(test)]
mod tests {
    use followlytics_core::scan::range::{NEWEST, OLDEST};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_tid_is_its_instant() {
        // An example from the hosted service: May 2025.
        let micros = instant("3lopgqkukdh2c").unwrap();
        assert_eq!(
            jiff::Timestamp::from_microsecond(micros)
                .unwrap()
                .strftime("%Y-%m")
                .to_string(),
            "2025-05"
        );
    }

    #[test]
    fn the_form_follows_the_server() {
        assert_eq!(Form::of("https://public.api.bsky.app/"), Form::Tid);
        assert_eq!(Form::of("http://127.0.0.1:8080"), Form::TimeAndCid);
        assert_eq!(Form::of("https://notbsky.app"), Form::TimeAndCid);
    }

    #[test]
    fn an_instant_before_1970_has_a_negative_position() {
        // 1 June 1969, as an AppView wrote it.
        assert_eq!(instant("-18489600000__bafyreiabc"), Some(-18_489_600_000_000));
        assert_eq!(
            Form::TimeAndCid.cursor_below(-18_489_600_000_000),
            "-18489600000__bafyrei"
        );
        assert_eq!(Form::TimeAndCid.cursor_below(-1), "0__bafyrei");
        assert_eq!(Form::TimeAndCid.cursor_below(-1_001), "-1__bafyrei");
    }

    #[test]
    fn malformed_cursors_stand_for_nothing() {
        for cursor in [
            "",
            "1700000000000",
            "1700000000000__",
            "__cid",
            "+5__cid",
            "-__cid",
            "--5__cid",
            " 5__cid",
            "5 __cid",
            "NaN__cid",
            "99999999999999999999__a",
            "3lopgqkukdh21",
        ] {
            assert_eq!(instant(cursor), None, "{cursor}");
        }
    }

    proptest! {
        #[test]
        fn a_tid_stands_at_its_position(micros in 0i64..1 << 53) {
            prop_assert_eq!(instant(&Form::Tid.cursor_below(micros)), Some(micros));
        }

        /// Years -7400 to 11300, so 1970 and 2262 on both sides.
        #[test]
        fn a_computed_cursor_stands_at_its_position(micros in -1i64 << 58..1 << 58) {
            let up = instant(&Form::TimeAndCid.cursor_below(micros)).unwrap();
            prop_assert!(up >= micros && up - micros < 1000 && up % 1000 == 0);
        }

        #[test]
        fn tids_sort_as_their_instants(a in 0i64..1 << 53, b in 0i64..1 << 53) {
            prop_assert_eq!(tid(a).cmp(&tid(b)), a.cmp(&b));
        }

        #[test]
        fn any_text_is_a_cursor_or_none(text in ".{0,40}") {
            if let Some(micros) = instant(&text) {
                prop_assert!((OLDEST + 1..NEWEST).contains(&micros));
            }
        }
    }
}
