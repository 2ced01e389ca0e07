//! Bluesky's cursor: `<milliseconds>__<cid>`, where rows strictly before that pair follow. The milliseconds are negative
//! before 1970: a follow carries the date its author wrote.
//!
//! The cid of a follow is made from its key so that cids of one millisecond sort as their keys do: the list's order by
//! (time, cid) is the order of keys.

use crate::{
    edges::{BACKDATED_MS, Edges, first_key, key_ms, key_sequence},
    ids::{base32, from_base32, mix},
};

const CID_PREFIX: &str = "bafyrei";

/// The cid of the follow record at this key.
fn cid(seed: u64, key: u64) -> String {
    let mut text = String::with_capacity(59);
    text.push_str(CID_PREFIX);
    base32(key_sequence(key), 4, &mut text);
    for part in 0..4 {
        base32(mix(seed ^ part, key), 12, &mut text);
    }
    text
}

/// The cursor of "strictly before this key".
pub(super) fn encode(seed: u64, key: u64) -> String {
    let ms = i128::from(key_ms(key)) - i128::from(BACKDATED_MS);
    format!("{ms}__{}", cid(seed, key))
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
pub(super) fn decode(seed: u64, edges: &Edges, text: &str) -> Option<u64> {
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
    if let Some(key) = own(seed, ms, secondary) {
        return Some(key);
    }
    let end = first_key(ms.saturating_add(1));
    let same_ms = edges
        .not_older_than(first_key(ms))
        .map(|edge| edges.key(edge))
        .take_while(|key| *key < end);
    let at_or_after = same_ms
        .into_iter()
        .find(|key| cid(seed, *key).as_str() >= secondary);
    Some(at_or_after.unwrap_or(end))
}

/// The key of a cid this server made, exactly: an empty page's cursor lies between two rows.
fn own(seed: u64, ms: u64, secondary: &str) -> Option<u64> {
    let sequence = from_base32(secondary.strip_prefix(CID_PREFIX)?.get(..4)?)?;
    let key = first_key(ms).checked_add(sequence)?;
    (cid(seed, key) == secondary).then_some(key)
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
        let position = decode(1, edges, cursor)?;
        Some(edges.older_than(position).map(|edge| edge.user).collect())
    }

    #[test]
    fn a_cursor_inside_one_millisecond_splits_it_exactly() {
        let edges = shared();
        for edge in edges.starting_at(0) {
            let rest = after(&edges, &encode(1, edges.key(edge))).unwrap();
            assert_eq!(rest, (1..edge.user).rev().collect::<Vec<_>>());
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
        let edges = shared();
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
            assert_eq!(decode(1, &edges, text), None, "{text}");
        }
    }
}
