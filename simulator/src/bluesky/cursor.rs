//! Bluesky's cursor: `<milliseconds>__<cid>`, where rows strictly before that pair follow.
//!
//! The cid of a follow is made from its key so that cids of one millisecond sort as their keys do: the list's order by
//! (time, cid) is the order of keys.

use crate::{
    edges::{Edges, first_key, key_ms, key_sequence},
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
    format!("{}__{}", key_ms(key), cid(seed, key))
}

/// The position a cursor means in this list: rows with a key below it follow. `None` if it is malformed.
///
/// As on the platform the time is read up to its first non-digit, and any cid, whole or not, is compared as text.
pub(super) fn decode(seed: u64, edges: &Edges, text: &str) -> Option<u64> {
    let (primary, secondary) = text.split_once("__")?;
    let digits = primary.bytes().take_while(u8::is_ascii_digit).count();
    let ms: u64 = primary.get(..digits)?.parse().ok()?;
    if !is_cid(secondary) {
        return None;
    }
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

fn is_cid(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    fn shared() -> Edges {
        let mut edges = Edges::default();
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
        assert_eq!(after(&edges, "99999999999999999__b").unwrap(), [5, 4, 3, 2, 1]);
        assert!(after(&edges, "0__b").unwrap().is_empty());
    }

    #[test]
    fn a_malformed_cursor_is_no_position() {
        let edges = shared();
        for text in ["", "20", "20__", "__b", "x__b", "20__b__c", "20__ B"] {
            assert_eq!(decode(1, &edges, text), None, "{text}");
        }
    }
}
