//! Bluesky's cursor: `<milliseconds>__<cid>`, where rows strictly before that pair follow. The milliseconds are negative
//! before 1970: a follow carries the date its author wrote.
//!
//! Rows of one millisecond share the cursor, as records of one date do on the platform: a page that ends among them is
//! followed by none of them.

use crate::{
    edges::{BACKDATED_MS, first_key, key_ms},
    ids::{base32, mix},
};

const CID_PREFIX: &str = "bafyrei";

/// The cid of the follow records of this millisecond. A record holds its subject and its date, not its author: who
/// followed the same account with the same date has the same cid, and so the same key.
fn cid(seed: u64, ms: u64) -> String {
    let mut text = String::with_capacity(59);
    text.push_str(CID_PREFIX);
    for part in 0..4 {
        base32(mix(seed ^ part, ms), 13, &mut text);
    }
    text
}

/// The cursor of "strictly before the rows of this key's millisecond".
pub(super) fn encode(seed: u64, key: u64) -> String {
    let ms = key_ms(key);
    format!("{}__{}", shown(ms), cid(seed, ms))
}

/// What follows a page of hidden rows, above the rows of this key: a cursor of "this key's millisecond and before it", but
/// never higher than `used`, nor `used` itself.
pub(super) fn encode_above(seed: u64, key: u64, used: Option<&str>) -> String {
    let own = encode(seed, key);
    if used.is_some_and(|used| used.starts_with(&own)) {
        return own;
    }
    let above = format!("{}__{GREATEST}", shown(key_ms(key)));
    if used.is_some_and(|used| used.starts_with(&above)) {
        format!("{}{GREATEST}", used.unwrap_or_default())
    } else {
        above
    }
}

/// Greater than every cid.
const GREATEST: &str = "z";

fn shown(ms: u64) -> i128 {
    i128::from(ms) - i128::from(BACKDATED_MS)
}

/// What the cursors of [`encode_odd`] begin with.
const ODD: &str = "odd ";

/// The same, in a form that shows no time.
pub(super) fn encode_odd(seed: u64, key: u64) -> String {
    format!("{ODD}{}", encode(seed, key))
}

/// The position a cursor means in this list: rows with a key below it follow. `None` if it is malformed.
///
/// As in the `AppView`'s `pagination.ts`: two parts, a time that JavaScript's `parseInt` reads and its `Date` can hold,
/// and any text, whole cid or not, which is compared as text.
pub(super) fn decode(seed: u64, text: &str) -> Option<u64> {
    const LONGEST_DATE_MS: i64 = 8_640_000_000_000_000;
    let (primary, secondary) = text.strip_prefix(ODD).unwrap_or(text).split_once("__")?;
    if secondary.is_empty() || secondary.contains("__") {
        return None;
    }
    let ms = parse_int(primary)?;
    if !(-LONGEST_DATE_MS..=LONGEST_DATE_MS).contains(&ms) {
        return None;
    }
    // Before the keys' own beginning there is nothing.
    let ms = u64::try_from(i128::from(ms) + i128::from(BACKDATED_MS)).unwrap_or(0);
    let includes_ms = cid(seed, ms).as_str() < secondary;
    Some(first_key(ms.saturating_add(u64::from(includes_ms))))
}

/// What `parseInt(text, 10)` reads: white space, a sign, digits up to the first other character.
fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let magnitude: i64 = unsigned.get(..digits)?.parse().ok()?;
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        edges::Edges,
        growth::{FollowTimes, Growth},
        moment::Moment,
    };

    fn shared() -> Edges {
        let times = FollowTimes::new(Growth::Steady, BACKDATED_MS, BACKDATED_MS, 0);
        let mut edges = Edges::dated(1, 1, (0, 0), times);
        for (ms, user) in [(10, 1), (20, 2), (20, 3), (20, 4), (30, 5)] {
            edges.push(user, Moment { order: user, ms });
        }
        edges
    }

    fn after(edges: &Edges, cursor: &str) -> Option<Vec<u64>> {
        let position = decode(1, cursor)?;
        Some(edges.older_than(position).map(|edge| edge.user).collect())
    }

    #[test]
    fn rows_of_one_date_share_a_cursor_and_come_again_only_above_it() {
        let edges = shared();
        let cursor = |user| encode(1, edges.key(edges.find(user).unwrap()));
        assert_eq!(cursor(2), cursor(4));
        assert_eq!(after(&edges, &cursor(4)).unwrap(), [1]);
        assert_eq!(after(&edges, &format!("{}~", cursor(4))).unwrap(), [4, 3, 2, 1]);
        assert_eq!(after(&edges, &cursor(5)).unwrap(), [4, 3, 2, 1]);
    }

    #[test]
    fn what_follows_hidden_rows_has_a_cursor_of_its_own() {
        let edges = shared();
        let key = edges.key(edges.find(4).unwrap());
        let first = encode_above(1, key, None);
        let second = encode_above(1, key, Some(&first));
        assert_ne!(first, second);
        for cursor in [first, second] {
            assert_eq!(after(&edges, &cursor).unwrap(), [4, 3, 2, 1]);
        }
    }

    #[test]
    fn a_fabricated_cursor_seeks_to_its_time() {
        let edges = shared();
        assert_eq!(after(&edges, "20__a").unwrap(), [1]);
        assert_eq!(after(&edges, "20__z").unwrap(), [4, 3, 2, 1]);
        assert_eq!(after(&edges, "25__bafyrei").unwrap(), [4, 3, 2, 1]);
        assert_eq!(after(&edges, "8640000000000000__b").unwrap(), [5, 4, 3, 2, 1]);
        assert!(after(&edges, "0__b").unwrap().is_empty());
    }

    #[test]
    fn follows_of_before_1970_have_negative_cursors() {
        let times = FollowTimes::new(Growth::Steady, BACKDATED_MS, BACKDATED_MS + 900_000_000, 3);
        let edges = Edges::dated(1, 1, (2, 3), times);
        let cursor = |user| encode(1, edges.key(edges.find(user).unwrap()));
        assert!(cursor(1).starts_with('-') && cursor(2).starts_with('-'));
        assert!(!cursor(3).starts_with('-'));
        assert_eq!(after(&edges, &cursor(3)).unwrap(), [2, 1]);
        assert_eq!(after(&edges, &cursor(2)).unwrap(), [1]);
        assert_eq!(after(&edges, "-8640000000000000__b").unwrap(), [0; 0]);
        assert_eq!(after(&edges, " +0x__b").unwrap(), [2, 1], "as parseInt reads it");
    }

    #[test]
    fn a_malformed_cursor_is_no_position() {
        for text in [
            "",
            "20",
            "20__",
            "__b",
            "x__b",
            "-__b",
            "20__b__c",
            "8640000000000001__b",
            "99999999999999999999__b",
        ] {
            assert_eq!(decode(1, text), None, "{text}");
        }
    }
}
