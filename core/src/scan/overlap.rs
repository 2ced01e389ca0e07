//! Overlaps: which known rows prove that the rest of a list was read before.
//!
//! A seam, a scan since a result and a meeting of two sources stop at rows that were read before. An account that
//! unfollowed and followed again is such a row in a new place: at the newest end, with every later follow. One row
//! that did not move since it was read proves that everything older was read too. Rows without keys do not show
//! whether they moved, so a run of them is required: `run` rows in their known order. A wrong stop then needs at least
//! `run` accounts that returned in their old order, one after another (decision 0026).

use std::collections::BTreeMap;

use crate::mutants::{self, Mutant};

/// Known rows that one unknown row outweighs. Accounts that the platform hid for a while appear among old rows.
const UNKNOWN: usize = 20;

/// Rows that were read before, in the order of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    places: BTreeMap<String, usize>,
    run: usize,
}

impl Known {
    /// Known rows by id, in reading order. Fewer than `run` never overlap.
    pub fn new(in_reading_order: impl IntoIterator<Item = String>, run: usize) -> Self {
        Self {
            places: in_reading_order.into_iter().zip(0..).collect(),
            run: run.max(1),
        }
    }

    /// Whether this row is one of them.
    pub fn has(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// Whether these consecutive rows, in reading order, overlap the known rows.
    ///
    /// The run must also be as long as the part of the known rows that it skips: a block from deep inside the list is
    /// not where the known rows begin. Rows seen twice in a row count once: a list that closes up shows them on two
    /// pages. Pass the rows of earlier pages too, because a run may span pages.
    pub fn overlap<'a>(&self, rows: impl IntoIterator<Item = &'a str>) -> bool {
        let mut run = Run::default();
        for id in rows {
            match self.places.get(id) {
                Some(place) => run.add(*place),
                None => run.interrupt(),
            }
            if run.length >= run.required(self.run) {
                return true;
            }
        }
        false
    }
}

/// Known rows read one after another in their order.
#[derive(Default)]
struct Run {
    length: usize,
    first: usize,
    last: Option<usize>,
}

impl Run {
    fn add(&mut self, place: usize) {
        match self.last {
            Some(last) if last == place => {}
            Some(last) if last < place => self.length += 1,
            _ => (self.length, self.first) = (1, place),
        }
        self.last = Some(place);
    }

    fn interrupt(&mut self) {
        self.length = self.length.saturating_sub(UNKNOWN);
        if self.length == 0 {
            self.last = None;
        }
    }

    fn required(&self, run: usize) -> usize {
        if mutants::on(Mutant::MetByOneRow) {
            1
        } else {
            let skipped = if mutants::on(Mutant::ReturnedBlockMet) {
                0
            } else {
                self.first
            };
            run.max(skipped).max(1)
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
