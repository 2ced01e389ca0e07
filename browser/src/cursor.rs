//! X's cursors in follower lists: `<key of the follow>|<snowflake of the request>`.
//!
//! The key is the position: milliseconds since 1970 of the follow, then 20 bits that tell follows of one
//! millisecond apart. `0|…` is the end of a list.

use followlytics_core::scan::range::{NEWEST, Place};
use jiff::Timestamp;

/// X's snowflakes count from here, in milliseconds since 1970.
const SNOWFLAKE_EPOCH: i64 = 1_288_834_974_657;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the newest end: without a cursor.
    Newest,
    /// Below a position, with the cursor the platform gave.
    Given {
        /// The position.
        position: i64,
        /// The cursor.
        cursor: String,
    },
    /// Below a position for which the platform never gave a cursor.
    MadeUp {
        /// The position.
        position: i64,
        /// A cursor of the same form.
        cursor: String,
    },
}

impl Start {
    /// Where a place is.
    pub(crate) fn of(place: &Place, now: Timestamp) -> Self {
        match &place.cursor {
            Some(cursor) => Self::Given {
                position: place.position,
                cursor: cursor.clone(),
            },
            None if place.position <= 0 || place.position == NEWEST => Self::Newest,
            None => Self::MadeUp {
                position: place.position,
                cursor: format!("{}|{}", place.position, snowflake(now)),
            },
        }
    }

    /// The cursor to ask with.
    pub(crate) fn cursor(&self) -> Option<&str> {
        match self {
            Self::Newest => None,
            Self::Given { cursor, .. } | Self::MadeUp { cursor, .. } => Some(cursor),
        }
    }

    /// The position everything on the page lies below; `None` at the newest end.
    pub(crate) const fn below(&self) -> Option<i64> {
        match self {
            Self::Newest => None,
            Self::Given { position, .. } | Self::MadeUp { position, .. } => Some(*position),
        }
    }

    /// Whether a request with this cursor asks for the same rows.
    pub(crate) fn is_asked_by(&self, cursor: Option<&str>) -> bool {
        match (self, cursor) {
            (Self::Newest, None) => true,
            (Self::Given { cursor: mine, .. }, Some(cursor)) => mine == cursor,
            (Self::MadeUp { position: mine, .. }, Some(cursor)) => position(cursor) == Some(*mine),
            _ => false,
        }
    }
}

/// The position of a cursor; `None` where it has another form.
pub(crate) fn position(cursor: &str) -> Option<i64> {
    let (key, request) = cursor.split_once('|')?;
    let known = request.bytes().all(|byte| byte.is_ascii_digit()) && !request.is_empty();
    key.parse().ok().filter(|key| known && *key >= 0)
}

/// The snowflake X would give to a request of this instant.
fn snowflake(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(SNOWFLAKE_EPOCH).max(0) << 22
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(SNOWFLAKE_EPOCH + 5).unwrap()
    }

    #[test]
    fn a_place_without_a_cursor_gets_one_of_the_same_form() {
        let start = Start::of(&Place::at(7 << 20), now());
        assert_eq!(start.cursor(), Some("7340032|20971520"));
        assert_eq!(position("7340032|20971520"), Some(7 << 20));
        for newest in [0, NEWEST] {
            assert_eq!(Start::of(&Place::at(newest), now()), Start::Newest);
        }
    }

    #[test]
    fn the_same_rows_are_known_by_the_position_where_a_cursor_was_made_up() {
        let made_up = Start::of(&Place::at(9), now());
        assert!(made_up.is_asked_by(Some("9|1")) && !made_up.is_asked_by(Some("8|1")));
        let given = Start::of(
            &Place {
                position: 9,
                cursor: Some("9|4".into()),
            },
            now(),
        );
        assert!(given.is_asked_by(Some("9|4")) && !given.is_asked_by(None));
        assert!(Start::Newest.is_asked_by(None) && !Start::Newest.is_asked_by(Some("9|4")));
    }

    #[test]
    fn other_forms_have_no_position() {
        for other in ["", "9", "9|", "-1|5", "a|5", "9|x", "DAABCgABF"] {
            assert_eq!(position(other), None, "{other}");
        }
        assert_eq!(position("0|7"), Some(0));
    }
}
