//! The followers of one account, in follow order: a hundred million cost what changed since, not what they are.
//!
//! An edge has a number (its place among all that ever were), a user and a key. Numbers and keys never change, so that a
//! keyset cursor is a key and removals never shift one; the *index* of an edge counts only those that are left, and an
//! unfollow shifts it. Nothing is forgotten: when an edge began and ended is known for ever.

mod gone;
mod key;
mod segment;

use std::collections::BTreeMap;

pub(crate) use self::key::{BACKDATED_MS, SEQUENCE_STEP, first_key, key_ms};
use self::{
    gone::Gone,
    segment::{Keys, Kind, Run, Segment, Single},
};
use crate::{
    growth::{FollowTimes, Growth},
    ids::mix,
    moment::{Draw, Moment},
};

/// Follow ids of one server are shared by all its accounts: one list sees every so-manieth.
const SERIAL_STEP: u64 = 16;

/// One follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) number: u64,
    pub(crate) user: u64,
}

/// Unfollows of a share of everybody, at one moment.
#[derive(Debug, Clone, Copy)]
struct Purge {
    at: Moment,
    draw: Draw,
    /// Edges with a lower number were there.
    until: u64,
}

/// All edges of one account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    seed: u64,
    /// Added to the time of every follow: see [`BACKDATED_MS`].
    shift_ms: u64,
    segments: Vec<Segment>,
    /// Edges that ever were.
    total: u64,
    last_key: u64,
    gone: Gone,
    /// When single edges ended; those that a purge took are not in here.
    ended: BTreeMap<u64, Moment>,
    purges: Vec<Purge>,
    /// The newest single edge of each user that has one.
    newest: BTreeMap<u64, u64>,
}

impl Edges {
    /// An account's initial followers: `count` users numbered from `first_user`.
    pub(crate) fn grown(seed: u64, first_user: u64, count: u64, times: FollowTimes) -> Self {
        let mut edges = Self {
            seed,
            ..Self::default()
        };
        edges.append_run(first_user, count, Moment::default(), Keys::Grown { times, seed });
        edges
    }

    /// An account's initial followers on a platform of dated follows: `backdated` of them from before 1970, evenly over
    /// seventy years, the others by `times`, which count from [`BACKDATED_MS`] before it.
    pub(crate) fn dated(
        seed: u64,
        first_user: u64,
        (backdated, count): (u64, u64),
        times: FollowTimes,
    ) -> Self {
        const SEVENTY_YEARS_MS: u64 = 2_208_988_800_000;
        let mut edges = Self {
            seed,
            shift_ms: BACKDATED_MS,
            ..Self::default()
        };
        let from = BACKDATED_MS - SEVENTY_YEARS_MS;
        let old = FollowTimes::new(Growth::Steady, from, BACKDATED_MS, backdated);
        let keys = Keys::Grown { times: old, seed };
        edges.append_run(first_user, backdated, Moment::default(), keys);
        let keys = Keys::Grown { times, seed };
        edges.append_run(first_user + backdated, count, Moment::default(), keys);
        edges
    }

    /// Edges that are left.
    pub(crate) fn len(&self) -> u64 {
        self.total - self.gone.count()
    }

    /// Edges that ever were.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Appends a follow, or just after the last one if the clock has not moved on.
    pub(crate) fn push(&mut self, user: u64, born: Moment) {
        let key = first_key(born.ms + self.shift_ms).max(self.last_key + SEQUENCE_STEP);
        let before = self.number_of(user);
        let single = Single {
            key,
            user,
            born,
            before,
        };
        match self.segments.last_mut().map(|segment| &mut segment.kind) {
            Some(Kind::Singles(singles)) => singles.push(single),
            _ => self.segments.push(Segment {
                first: self.total,
                kind: Kind::Singles(vec![single]),
            }),
        }
        self.newest.insert(user, self.total);
        self.total += 1;
        self.last_key = key;
    }

    /// Appends follows of `count` users numbered from `first_user`, at one moment.
    pub(crate) fn push_many(&mut self, first_user: u64, count: u64, born: Moment) {
        let after = first_key(born.ms + self.shift_ms).max(self.last_key);
        self.append_run(first_user, count, born, Keys::Burst { after });
    }

    fn append_run(&mut self, first_user: u64, count: u64, born: Moment, keys: Keys) {
        if count == 0 {
            return;
        }
        let segment = Segment {
            first: self.total,
            kind: Kind::Run(Run {
                first_user,
                count,
                born,
                keys,
            }),
        };
        self.total += count;
        self.last_key = segment.key(self.total - 1);
        self.segments.push(segment);
    }

    /// Ends an edge; the caller has it from here.
    pub(crate) fn end(&mut self, edge: Edge, at: Moment) {
        if self.gone.insert(edge.number) {
            self.ended.insert(edge.number, at);
        }
    }

    /// Ends the edges of a share of everybody; returns how many.
    pub(crate) fn purge(&mut self, draw: Draw, at: Moment) -> u64 {
        let before = self.gone.count();
        let purge = Purge {
            at,
            draw,
            until: self.total,
        };
        for segment in &self.segments {
            let end = segment.first + segment.len();
            for number in segment.first..end {
                if draw.takes(segment.user(number)) {
                    self.gone.insert(number);
                }
            }
        }
        self.purges.push(purge);
        self.gone.count() - before
    }

    fn segment(&self, number: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.first <= number);
        self.segments.get(after.checked_sub(1)?)
    }

    /// When the follow began, and its tie-break: see [`key`](self::key).
    pub(crate) fn key(&self, edge: Edge) -> u64 {
        self.segment(edge.number)
            .map_or(u64::MAX, |segment| segment.key(edge.number))
    }

    /// The id of the follow, on platforms that number them.
    pub(crate) fn serial(&self, edge: Edge) -> u64 {
        self.serial_of(edge.number)
    }

    fn serial_of(&self, number: u64) -> u64 {
        let first = 1_000_000 + mix(self.seed, 0x5E) % 1_000_000;
        first + number * SERIAL_STEP + mix(self.seed, number) % SERIAL_STEP
    }

    /// The edge of a user that is there now.
    pub(crate) fn find(&self, user: u64) -> Option<Edge> {
        let number = self
            .number_of(user)
            .filter(|number| !self.gone.contains(*number))?;
        Some(Edge { number, user })
    }

    /// The newest edge a user ever had.
    fn number_of(&self, user: u64) -> Option<u64> {
        let single = self.newest.get(&user).copied();
        single.or_else(|| self.segments.iter().find_map(|segment| segment.edge_of(user)))
    }

    /// Every edge a user ever had, newest first.
    pub(crate) fn history(&self, user: u64) -> impl Iterator<Item = Edge> + '_ {
        let before = |number: &u64| self.segment(*number)?.single(*number)?.before;
        std::iter::successors(self.number_of(user), before).map(move |number| Edge { number, user })
    }

    /// Users whose edges ended one by one and that have none now, in their old order: at most `most`, from the one that
    /// `chance` picks.
    pub(crate) fn away(&self, chance: u64, most: u32) -> Vec<u64> {
        let count = u64::try_from(self.ended.len()).unwrap_or(u64::MAX);
        let first = chance.checked_rem(count).unwrap_or(0);
        let ended = self.ended.keys().skip(usize::try_from(first).unwrap_or(0));
        let mut away = Vec::new();
        for number in ended {
            let Some(user) = self.segment(*number).map(|segment| segment.user(*number)) else {
                continue;
            };
            if away.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
                break;
            }
            if self.find(user).is_none() && !away.contains(&user) {
                away.push(user);
            }
        }
        away
    }

    /// When an edge began.
    pub(crate) fn began(&self, edge: Edge) -> Moment {
        self.segment(edge.number)
            .map_or_else(Moment::default, |segment| segment.born(edge.number))
    }

    /// When an edge ended, if it did.
    pub(crate) fn ended(&self, edge: Edge) -> Option<Moment> {
        if !self.gone.contains(edge.number) {
            return None;
        }
        let alone = self.ended.get(&edge.number).copied();
        let taken = |purge: &&Purge| edge.number < purge.until && purge.draw.takes(edge.user);
        // Whoever a purge would have taken twice was gone after the first.
        alone.or_else(|| self.purges.iter().find(taken).map(|purge| purge.at))
    }

    /// The edge at `index` among those that are left (0 = oldest).
    pub(crate) fn at(&self, index: u64) -> Option<Edge> {
        if index >= self.len() {
            return None;
        }
        let number = self.gone.nth_left(index);
        let user = self.segment(number)?.user(number);
        Some(Edge { number, user })
    }

    /// Edges that are left from `index` on, oldest first.
    pub(crate) fn starting_at(&self, index: u64) -> impl Iterator<Item = Edge> + '_ {
        let first = self.at(index).map_or(self.total, |edge| edge.number);
        self.upwards(first)
    }

    /// Edges that are left with a key below `key`, newest first.
    pub(crate) fn older_than(&self, key: u64) -> impl Iterator<Item = Edge> + '_ {
        self.downwards(self.numbers_below(key))
    }

    /// The last edge of a first page of so many.
    pub(crate) fn behind_newest(&self, rows: usize) -> Option<Edge> {
        self.older_than(u64::MAX).nth(rows.checked_sub(1)?)
    }

    /// Edges that are left with a key of `key` or above, oldest first.
    pub(crate) fn not_older_than(&self, key: u64) -> impl Iterator<Item = Edge> + '_ {
        self.upwards(self.numbers_below(key))
    }

    /// Edges that are left with a serial below this, newest first.
    pub(crate) fn below_serial(&self, serial: u64) -> impl Iterator<Item = Edge> + '_ {
        self.downwards(self.serials_below(serial))
    }

    /// Edges that are left with this serial or above, oldest first.
    pub(crate) fn at_serial(&self, serial: u64) -> impl Iterator<Item = Edge> + '_ {
        self.upwards(self.serials_below(serial))
    }

    /// Whether there ever was an edge with exactly this key.
    pub(crate) fn had_key(&self, key: u64) -> bool {
        self.had_key_in(key..=key)
    }

    /// Whether there ever was an edge with a key of this range.
    pub(crate) fn had_key_in(&self, keys: std::ops::RangeInclusive<u64>) -> bool {
        let number = self.numbers_below(*keys.start());
        number < self.total
            && self
                .segment(number)
                .is_some_and(|segment| keys.contains(&segment.key(number)))
    }

    /// Every edge that ever was in a stretch of numbers, gone or not.
    pub(crate) fn ever(&self, numbers: std::ops::Range<u64>) -> impl Iterator<Item = Edge> + '_ {
        let end = numbers.end.min(self.total);
        let first = self
            .segments
            .partition_point(|segment| segment.first <= numbers.start);
        self.segments
            .iter()
            .skip(first.saturating_sub(1))
            .take_while(move |segment| segment.first < end)
            .flat_map(move |segment| {
                let from = segment.first.max(numbers.start);
                let to = (segment.first + segment.len()).min(end);
                (from..to).map(|number| Edge {
                    number,
                    user: segment.user(number),
                })
            })
    }

    /// The users of each made-up stretch.
    pub(crate) fn runs(&self) -> impl Iterator<Item = std::ops::Range<u64>> + '_ {
        self.segments.iter().filter_map(|segment| match &segment.kind {
            Kind::Run(run) => Some(run.first_user..run.first_user + run.count),
            Kind::Singles(_) => None,
        })
    }

    /// How many edges ever had a key below this.
    fn numbers_below(&self, key: u64) -> u64 {
        let after = self
            .segments
            .partition_point(|segment| segment.key(segment.first) < key);
        let Some(segment) = after.checked_sub(1).and_then(|at| self.segments.get(at)) else {
            return 0;
        };
        let (mut low, mut high) = (segment.first, segment.first + segment.len());
        while low < high {
            let middle = low.midpoint(high);
            if segment.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn serials_below(&self, serial: u64) -> u64 {
        // Past the last edge nothing is sought, and a serial of no edge would not fit.
        let guess = (serial.saturating_sub(self.serial_of(0)) / SERIAL_STEP).min(self.total);
        // The jitter is less than a step: the guess is off by one at most.
        let below = (guess.saturating_sub(1)..=guess + 1).find(|number| self.serial_of(*number) >= serial);
        below.unwrap_or(guess + 2).min(self.total)
    }

    fn upwards(&self, from: u64) -> impl Iterator<Item = Edge> + '_ {
        let mut next = from;
        let mut at = self
            .segments
            .partition_point(|segment| segment.first <= from)
            .saturating_sub(1);
        std::iter::from_fn(move || {
            let number = self.gone.left_from(next);
            if number >= self.total {
                return None;
            }
            while self
                .segments
                .get(at + 1)
                .is_some_and(|later| later.first <= number)
            {
                at += 1;
            }
            next = number + 1;
            let user = self.segments.get(at)?.user(number);
            Some(Edge { number, user })
        })
    }

    fn downwards(&self, before: u64) -> impl Iterator<Item = Edge> + '_ {
        let mut next = before.min(self.total);
        let mut at = self
            .segments
            .partition_point(|segment| segment.first < next)
            .saturating_sub(1);
        std::iter::from_fn(move || {
            let number = self.gone.left_before(next)?;
            while self
                .segments
                .get(at)
                .is_some_and(|segment| segment.first > number)
            {
                at -= 1;
            }
            next = number;
            let user = self.segments.get(at)?.user(number);
            Some(Edge { number, user })
        })
    }
}

impl Segment {
    fn len(&self) -> u64 {
        match &self.kind {
            Kind::Run(run) => run.count,
            Kind::Singles(singles) => u64::try_from(singles.len()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
