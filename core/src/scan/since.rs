//! Since: a list that was read before is read from its newest end, until what is read is known.
//!
//! One known row proves little: somebody may have left and come back. So many known rows in a row, in their known
//! order, prove that the rest of the list was there before; whoever left it meanwhile is not noticed.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::platform::Seek;

/// The earlier result that a scan goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Since {
    /// The newest there is; without one the whole list is read.
    Latest,
    /// This version.
    Version(i64),
}

/// A text that names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write `latest`, or the number of a version")]
pub struct NoVersion;

impl FromStr for Since {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let version = text.parse().ok().filter(|version| *version > 0);
        version.map(Self::Version).ok_or(NoVersion)
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// The result that a plan goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// Its version.
    pub version: i64,
    /// Followers in it.
    pub rows: i64,
    /// Key of its newest rows' ids.
    pub head: String,
    /// Whether nobody who followed throughout is missing in it.
    #[serde(default)]
    pub complete: bool,
}

/// Newest rows of a result that are kept to recognise it by.
pub const HEAD: usize = 2_000;
/// Known rows in a row that prove the overlap.
pub const OVERLAP: usize = 50;

/// Whether a list that is entered so is read newest first, and can stop where it is known. An index is read whole:
/// it begins with its oldest rows, or nobody promises its order.
pub const fn can_stop(seek: Seek) -> bool {
    matches!(seek, Seek::Chain | Seek::Time | Seek::Id)
}

/// Rows that a list is recognised by: the newest of an earlier result, or of what was read from the oldest end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    places: BTreeMap<String, usize>,
    overlap: usize,
}

impl Known {
    /// From their ids, newest first; so many in a row prove the overlap.
    pub fn new(newest_first: impl IntoIterator<Item = String>, overlap: usize) -> Self {
        Self {
            places: newest_first.into_iter().zip(0..).collect(),
            overlap,
        }
    }

    /// Whether this row is one of them.
    pub fn has(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// Known rows in a row that are needed: a short list has fewer.
    fn needed(&self) -> usize {
        self.places.len().clamp(1, self.overlap.max(1))
    }

    /// Whether these rows, read one after another and newest first, hold the overlap.
    ///
    /// Give the last rows of the pages before as well: an overlap does not stop at a page.
    pub fn meets<'a>(&self, rows: impl IntoIterator<Item = &'a str>) -> bool {
        let (mut run, mut last) = (0, None);
        for id in rows {
            let Some(place) = self.places.get(id) else {
                (run, last) = (0, None);
                continue;
            };
            run = if last.is_some_and(|last| last < place) {
                run + 1
            } else {
                1
            };
            last = Some(place);
            if run >= self.needed() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        numbers.into_iter().map(|number| number.to_string()).collect()
    }

    fn meets(known: &Known, rows: &[String]) -> bool {
        known.meets(rows.iter().map(String::as_str))
    }

    #[test]
    fn versions_read_back_as_they_are_shown() {
        for text in ["latest", "1", "12"] {
            assert_eq!(
                text.parse::<Since>().map(|since| since.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "0", "-1", "newest", "1.5"] {
            assert_eq!(text.parse::<Since>(), Err(NoVersion), "{text:?}");
        }
    }

    #[test]
    fn fifty_known_rows_in_their_order_are_the_overlap() {
        let known = Known::new(ids(0..2000), OVERLAP);
        let mut rows = ids(10_000..10_300);
        rows.extend(ids(0..49));
        assert!(!meets(&known, &rows));
        rows.extend(ids(49..50));
        assert!(meets(&known, &rows));
    }

    #[test]
    fn who_left_meanwhile_does_not_hide_the_overlap() {
        let known = Known::new(ids(0..2000), OVERLAP);
        assert!(meets(&known, &ids((0..200).filter(|n| n % 3 != 0))));
    }

    #[test]
    fn who_came_back_is_no_overlap() {
        let known = Known::new(ids(0..2000), OVERLAP);
        // Sixty old followers left and came back: the newest of them first, so in no known order.
        assert!(!meets(&known, &ids((500..560).rev())));
        // Each between two new ones.
        let mixed: Vec<u32> = (0..100).flat_map(|n| [10_000 + n, n]).collect();
        assert!(!meets(&known, &ids(mixed)));
    }

    #[test]
    fn a_short_list_is_known_when_all_of_it_was_seen() {
        let known = Known::new(ids(0..3), OVERLAP);
        assert!(!meets(&known, &ids(0..2)));
        assert!(meets(&known, &ids(0..3)));
        assert!(!meets(&Known::default(), &ids(0..100)));
    }

    proptest! {
        /// Whatever was gained and lost, a list that stops at the overlap has everybody who was gained.
        #[test]
        fn nobody_who_came_lies_behind_the_overlap(
            gained in 0u32..300,
            lost in prop::collection::btree_set(0u32..1000, 0..400),
        ) {
            let known = Known::new(ids(0..1000), OVERLAP);
            let mut list = ids(10_000..10_000 + gained);
            list.extend(ids((0..1000).filter(|n| !lost.contains(n))));
            let stop = (0..=list.len()).find(|read| meets(&known, &list[..*read]));
            let read = stop.unwrap_or(list.len());
            prop_assert!(read >= gained as usize);
        }
    }
}
