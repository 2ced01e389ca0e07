//! The merge: one row per follower, whatever the order in which the sightings come.
//!
//! A follower may be seen several times: at a seam that is read again, in a page that overlaps its neighbour's,
//! in a chain that began anew. Of its sightings the greatest wins, so any order and any partition of the input
//! give the same output. Knows nothing of what a row holds.
//!
//! [`Merge`] holds all it has taken in; what is too large for that is merged piece by piece, and the pieces, each
//! in order of ids, are merged once more by the same rules.

mod cut;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::range::RangeId;
use crate::{
    mutants::{self, Mutant},
    platform::{Ids, Seek},
};

pub use cut::Cut;

/// A follower's id. Numbers come first, as numbers; then texts, byte by byte.
///
/// What an id is depends on its platform and on itself alone, never on the ids beside it, or rows that were put in
/// order before the others came would have to be put in order again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A number written the usual way: no sign, no leading zero, at most 2^63 - 1.
    Number(i64),
    /// Every id of a platform of texts, and what a platform of numbers sends that is none.
    Text(Box<str>),
}

impl Id {
    /// Reads an id. Two texts are never the same id: `007` and `7` are told apart.
    pub fn new(text: &str, ids: Ids) -> Self {
        let usual = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        match text.parse() {
            Ok(number) if usual && ids == Ids::Integer => Self::Number(number),
            _ => Self::Text(text.into()),
        }
    }

    /// The number, where it is one.
    pub const fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// When and where a follower was seen. Of several the greatest wins, compared field by field in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The broker's clock at the page's permit.
    pub seen_at: Timestamp,
    /// The page's range.
    pub range: RangeId,
    /// Epoch of the lease the page was fetched under.
    pub epoch: u64,
    /// The page's number within its range.
    pub seq: u32,
    /// The row's number within its page, from 0.
    pub row: u32,
}

/// Where a row stands in the platform's own order; a row cap keeps the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Where its page stands.
    pub position: i64,
    /// The page's range.
    pub range: RangeId,
    /// The page's number within its range.
    pub seq: u32,
    /// The row's number within its page.
    pub row: u32,
}

impl Rank {
    /// The rank of a row of a page that leads from `input` to `output` (positions).
    ///
    /// The platform's order is that of positions in an index, whichever way it was walked, and newest first in
    /// times and ids. A chain's positions count its pages.
    pub fn new(seek: Seek, input: i64, output: i64, sighting: &Sighting) -> Self {
        let position = match seek {
            Seek::Index => input.min(output),
            Seek::Time | Seek::Id => input.max(output).saturating_neg(),
            Seek::Chain => input,
        };
        Self {
            position,
            range: sighting.range,
            seq: sighting.seq,
            row: sighting.row,
        }
    }
}

/// A follower of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged<T> {
    /// Its id.
    pub id: Id,
    /// The sighting that won.
    pub sighting: Sighting,
    /// Where it was first listed, whichever sighting won.
    pub rank: Rank,
    /// The row of that sighting.
    pub row: T,
}

/// Whether two rows whose ids are equal, or not, are of one follower.
#[inline]
pub fn is_one(equal: bool) -> bool {
    equal && !mutants::on(Mutant::DuplicatesKept)
}

struct Kept<T> {
    sighting: Sighting,
    rank: Rank,
    row: T,
}

/// A merge under way.
pub struct Merge<T> {
    rows: BTreeMap<Id, Kept<T>>,
    duplicates: i64,
}

impl<T> Default for Merge<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            duplicates: 0,
        }
    }
}

impl<T> Merge<T> {
    /// Takes in one sighting; `row` is asked for only if it wins.
    pub fn add(&mut self, id: Id, sighting: Sighting, rank: Rank, row: impl FnOnce() -> T) {
        use std::collections::btree_map::Entry;
        if mutants::on(Mutant::RowForgotten) && self.rows.len() == 1 {
            return;
        }
        let doubled = mutants::on(Mutant::DuplicatesKept) && self.rows.contains_key(&id);
        let id = if doubled {
            Id::Text(id.to_string().into())
        } else {
            id
        };
        match self.rows.entry(id) {
            Entry::Vacant(place) => {
                place.insert(Kept {
                    sighting,
                    rank,
                    row: row(),
                });
            }
            Entry::Occupied(mut place) => {
                self.duplicates += 1;
                let kept = place.get_mut();
                // A follower counts for a row cap where it was first listed, whichever sighting wins.
                let rank = kept.rank.min(rank);
                if mutants::on(Mutant::SeenAtIgnored) {
                    kept.sighting.seen_at = sighting.seen_at;
                }
                if sighting > kept.sighting {
                    *kept = Kept {
                        sighting,
                        rank,
                        row: row(),
                    };
                } else {
                    kept.rank = rank;
                }
            }
        }
    }

    /// Takes in what another merge has taken in.
    pub fn absorb(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        for (id, kept) in other.rows {
            self.add(id, kept.sighting, kept.rank, || kept.row);
        }
    }

    /// Followers so far.
    pub fn unique(&self) -> usize {
        self.rows.len()
    }

    /// Rows merged away so far.
    pub const fn duplicates(&self) -> i64 {
        self.duplicates
    }

    /// Keeps the first `cap` followers in the platform's order, 0 = all; returns how many went.
    pub fn trim(&mut self, cap: i64) -> usize {
        let Some(cap) = usize::try_from(cap)
            .ok()
            .filter(|cap| (1..self.rows.len()).contains(cap))
        else {
            return 0;
        };
        let mut ranks: Vec<Rank> = self.rows.values().map(|kept| kept.rank).collect();
        let (_, first_out, _) = ranks.select_nth_unstable(cap);
        let first_out = *first_out;
        let before = self.rows.len();
        self.rows.retain(|_, kept| kept.rank < first_out);
        before - self.rows.len()
    }

    /// The followers in order of their ids.
    pub fn finish(self) -> impl Iterator<Item = Merged<T>> {
        self.rows.into_iter().map(|(id, kept)| Merged {
            id,
            sighting: kept.sighting,
            rank: kept.rank,
            row: kept.row,
        })
    }
}

#[cfg(test)]
mod tests;
