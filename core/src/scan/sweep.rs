//! Sweeps: a second pass over an index list, in the other direction.
//!
//! A list that closes up hides rows from a forward reader, a list that opens hides rows from a backward one. Two passes
//! in opposite directions miss only what both hide. They do not mend an order that changes with the offset, so a second
//! pass never makes a result `Exact`.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    certificate::Certificate,
    plan::{Plan, index_ranges},
    range::{Kind, Range, RangeId, State, Walk},
};

/// Pages past the expected end that the second pass may read: the list can grow while it is read. The first page that
/// ends the list is the last one requested.
const MARGIN: i64 = 10;

/// The ranges of the second pass, with ids from `next_id`: due once, after everything else was read. `total` is the
/// list's own total on its last page.
pub fn due(plan: &Plan, ranges: &[Range], total: Option<i64>, next_id: RangeId) -> Vec<Range> {
    let is_over = ranges.iter().all(|range| range.state == State::Done);
    let has_begun = ranges.iter().any(|range| range.kind == Kind::Sweep);
    if plan.sweeps < 2 || !is_over || has_begun {
        return Vec::new();
    }
    let page = i64::from(plan.page_rows).max(1);
    let rows = plan.rows.max(total.unwrap_or(0));
    let count = i64::try_from(plan.ranges.len()).unwrap_or(1);
    let walk = match plan.walk {
        Walk::Up => Walk::Down,
        Walk::Down => Walk::Up,
    };
    let mut planned = index_ranges(rows, page, count);
    if let Some(span) = planned.last_mut().and_then(|last| last.span.as_mut())
        && walk == Walk::Up
    {
        span.hi += MARGIN * page;
    }
    planned
        .into_iter()
        .zip(next_id..)
        .map(|(planned, id)| Range::new(id, Kind::Sweep, planned.span, walk, planned.rows))
        .collect()
}

/// Eight bytes that stand for an id: the number itself, or a hash of a text.
pub fn key(id: &str) -> u64 {
    id.parse().unwrap_or_else(|_| {
        let hash = Sha256::digest(id.as_bytes());
        hash.iter()
            .take(8)
            .fold(0, |key, byte| key << 8 | u64::from(*byte))
    })
}

/// The certificate of a list that was read twice. The comparison supports the result and never makes it `Exact`.
#[must_use]
pub fn with_sweeps(mut certificate: Certificate, sweeps: Option<&Sweeps>, ranges: &[Range]) -> Certificate {
    let Some(sweeps) = sweeps else { return certificate };
    if ranges.iter().any(|range| range.state != State::Done) {
        let unfinished = "the second pass was not read to its end";
        certificate.support.push(unfinished.to_owned());
    }
    certificate.support.push(sweeps.sentence());
    certificate
}

/// What both passes saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweeps {
    /// Rows that each pass read, its seams among them.
    pub rows_read: [i64; 2],
    /// Accounts that each pass saw.
    pub unique: [i64; 2],
    /// Accounts that only one of the passes saw.
    pub only_one_pass_saw: i64,
    /// The list's own total on its last page, where the platform sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

impl Sweeps {
    /// Compares the passes by hashed ids; each list is sorted in place.
    pub fn compare(passes: &mut [Vec<u64>; 2], total: Option<i64>) -> Self {
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        let rows_read = [0, 1].map(|pass: usize| passes.get(pass).map_or(0, |ids| count(ids.len())));
        for ids in passes.iter_mut() {
            ids.sort_unstable();
            ids.dedup();
        }
        let [first, second] = passes;
        let both = first.iter().filter(|id| second.binary_search(id).is_ok()).count();
        Self {
            rows_read,
            unique: [count(first.len()), count(second.len())],
            only_one_pass_saw: count(first.len() + second.len() - 2 * both),
            total,
        }
    }

    /// The comparison in one sentence. It never stands without rows read, unique rows and the total: two passes over
    /// an order that changes with the offset agree on what both miss.
    pub fn sentence(&self) -> String {
        let [first, second] = self.rows_read;
        let [one, two] = self.unique;
        let total = self
            .total
            .map_or_else(|| "no total".to_owned(), |total| format!("a total of {total}"));
        format!(
            "two passes read {first} and {second} rows, {one} and {two} unique; {} accounts were seen by one pass only; \
             the list shows {total}",
            self.only_one_pass_saw
        )
    }
}

#[cfg(test)]
mod tests;
