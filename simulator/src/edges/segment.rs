//! Stretches of edges: made-up ones that cost nothing however long, and those that came one by one.

use super::key::{SEQUENCE_STEP, first_key};
use crate::{growth::FollowTimes, moment::Moment};

/// When the edges of a run began.
#[derive(Debug)]
pub(super) enum Keys {
    /// Over the account's life.
    Grown { times: FollowTimes, seed: u64 },
    /// All at once, right behind this key.
    Burst { after: u64 },
}

/// Edges of users numbered in a row, each a pure function of its place.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) first_user: u64,
    pub(super) count: u64,
    pub(super) born: Moment,
    pub(super) keys: Keys,
}

impl Run {
    fn key(&self, nth: u64) -> u64 {
        match &self.keys {
            // The step keeps keys apart where times are equal.
            Keys::Grown { times, seed } => first_key(times.nth(*seed, nth)) + nth * SEQUENCE_STEP,
            Keys::Burst { after } => after + (nth + 1) * SEQUENCE_STEP,
        }
    }
}

/// An edge that came by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Single {
    pub(super) key: u64,
    pub(super) user: u64,
    pub(super) born: Moment,
    /// The same user's edge before this one.
    pub(super) before: Option<u64>,
}

/// Edges numbered in a row.
#[derive(Debug)]
pub(super) struct Segment {
    /// Number of the first edge.
    pub(super) first: u64,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Run(Run),
    Singles(Vec<Single>),
}

impl Segment {
    fn nth(&self, edge: u64) -> u64 {
        edge.saturating_sub(self.first)
    }

    pub(super) fn single(&self, edge: u64) -> Option<&Single> {
        match &self.kind {
            Kind::Run(_) => None,
            Kind::Singles(singles) => singles.get(usize::try_from(self.nth(edge)).ok()?),
        }
    }

    pub(super) fn user(&self, edge: u64) -> u64 {
        match &self.kind {
            Kind::Run(run) => run.first_user + self.nth(edge),
            Kind::Singles(_) => self.single(edge).map_or(0, |single| single.user),
        }
    }

    pub(super) fn key(&self, edge: u64) -> u64 {
        match &self.kind {
            Kind::Run(run) => run.key(self.nth(edge)),
            Kind::Singles(_) => self.single(edge).map_or(u64::MAX, |single| single.key),
        }
    }

    pub(super) fn born(&self, edge: u64) -> Moment {
        match &self.kind {
            Kind::Run(run) => run.born,
            Kind::Singles(_) => self
                .single(edge)
                .map_or_else(Moment::default, |single| single.born),
        }
    }

    /// The edge of a user of a run.
    pub(super) fn edge_of(&self, user: u64) -> Option<u64> {
        let Kind::Run(run) = &self.kind else { return None };
        let nth = user.checked_sub(run.first_user)?;
        (nth < run.count).then_some(self.first + nth)
    }
}
