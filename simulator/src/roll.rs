//! The truth for lists too long to hold: ids in their own order, batch by batch, and sums that fit in a line.
//!
//! Ids are a bijection of user numbers: a band of them is found by looking at every number and keeping those that fall
//! into it. Bands are as wide as memory allows, and the world is locked only for a stretch of numbers at a time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    edges::Edge,
    error::WorldError,
    truth::{Chronicle, Stretch},
    world::{Platform, Realm, State, World},
};

/// Ids of a band, 8 bytes each.
const BAND: u64 = 4_000_000;
/// Edges looked at under one lock: about a millisecond.
const UNDER_LOCK: u64 = 1 << 18;
/// Changes that are held at once.
const FEW: usize = 2_000_000;
const BATCH: usize = 10_000;

/// What is asked of a stretch of history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RollOf {
    /// Who was listed from the first to the last moment.
    #[default]
    Throughout,
    /// Who was listed at any moment.
    Ever,
    /// Who is listed at the end and was not at the beginning.
    Gained,
    /// Who was listed at the beginning and is not at the end.
    Lost,
    /// Who is listed at both, under another handle.
    Renamed,
}

/// One user of a roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollRow {
    /// The platform's id.
    pub id: String,
    /// Of [`RollOf::Renamed`]: the handles at the beginning and at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handles: Option<[String; 2]>,
}

/// A roll in one line: whoever has the same set of ids computes the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollDigest {
    /// Ids.
    pub count: u64,
    /// Sum, modulo 2^64, of the first eight bytes (big-endian) of each id's SHA-256.
    pub sum: u64,
    /// The same eight bytes, by exclusive or.
    pub xor: u64,
}

/// How many ids of somebody's list belong where; each id counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Listed from the first to the last moment.
    pub throughout: u64,
    /// Listed at some moment, not at all.
    pub sometimes: u64,
    /// Never listed in that stretch.
    pub invented: u64,
    /// The first of those.
    pub example: Option<String>,
}

/// What is asked of whose list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    realm: Realm,
    account: u64,
    of: RollOf,
    stretch: Stretch,
}

impl Question {
    /// Whether this edge answers the question for its user: at most one edge of a user does.
    fn is_met_by(&self, chronicle: &Chronicle<'_>, edge: Edge) -> bool {
        let (from, to) = (self.stretch.from, self.stretch.to);
        let listed = |at| chronicle.holds(edge, at) && !chronicle.people.was_hidden(edge.user, at);
        match self.of {
            RollOf::Throughout => chronicle.is_stable(edge, self.stretch),
            RollOf::Ever => {
                let newest = || {
                    let mut history = chronicle.edges.history(edge.user);
                    history.find(|other| chronicle.is_ever(*other, self.stretch))
                };
                chronicle.is_ever(edge, self.stretch) && newest() == Some(edge)
            }
            RollOf::Gained => listed(to) && !chronicle.lists(edge.user, from),
            RollOf::Lost => listed(from) && !chronicle.lists(edge.user, to),
            RollOf::Renamed => {
                listed(to)
                    && chronicle.people.handle_at(edge.user, from)
                        != chronicle.people.handle_at(edge.user, to)
                    && chronicle.lists(edge.user, from)
            }
        }
    }

    /// Looks at every edge there ever was, a few under each lock.
    fn each(&self, world: &World, mut met: impl FnMut(&Chronicle<'_>, Edge), wanted: impl Fn(Edge) -> bool) {
        let mut next = 0;
        loop {
            let state = world.lock();
            let Some(chronicle) = state.chronicle(self.realm, self.account) else {
                return;
            };
            if next >= chronicle.edges.total() {
                return;
            }
            // Inner iteration: a pass looks at a hundred million.
            chronicle.edges.ever(next..next + UNDER_LOCK).for_each(|edge| {
                if wanted(edge) && self.is_met_by(&chronicle, edge) {
                    met(&chronicle, edge);
                }
            });
            next += UNDER_LOCK;
        }
    }
}

/// A roll being read, in the order of ids: as numbers where the platform's are, else as text.
#[derive(Debug)]
pub struct Roll {
    world: Arc<World>,
    question: Question,
    /// Ranks of the band that were not given out yet, greatest first.
    band: Vec<u64>,
    next_band: u64,
    bands: u64,
    /// Ids to make room for in a band.
    room: usize,
}

impl Roll {
    /// Fills the band with the next ranks there are; says whether there were any.
    fn refill(&mut self) -> bool {
        if self.next_band == 0 && self.bands > 1 && self.room == 0 && self.fill_at_once() {
            self.next_band = self.bands;
        }
        while self.band.is_empty() {
            if self.next_band >= self.bands {
                return false;
            }
            let ids = self.world.lock().population(self.question.realm).ids;
            let bound = |nth: u64| {
                let wide = (u128::from(nth) << ids.bits()).div_ceil(u128::from(self.bands));
                u64::try_from(wide).unwrap_or(u64::MAX)
            };
            let (low, high) = (bound(self.next_band), bound(self.next_band + 1));
            // Room for a little more than the average at once: growing would double it.
            let mut found = Vec::with_capacity(self.room);
            self.question.each(
                &self.world,
                |_, edge| found.push(ids.rank(edge.user)),
                |edge| (low..high).contains(&ids.rank(edge.user)),
            );
            found.sort_unstable_by(|a, b| b.cmp(a));
            self.band = found;
            self.next_band += 1;
        }
        true
    }

    /// Changes are few as a rule: one look finds them all. Says whether it did.
    fn fill_at_once(&mut self) -> bool {
        let ids = self.world.lock().population(self.question.realm).ids;
        let (mut found, mut all) = (Vec::new(), true);
        self.question.each(
            &self.world,
            |_, edge| {
                if found.len() < FEW {
                    found.push(ids.rank(edge.user));
                } else {
                    all = false;
                }
            },
            |_| true,
        );
        if all {
            found.sort_unstable_by(|a, b| b.cmp(a));
            self.band = found;
        }
        all
    }

    fn row(&self, state: &State, rank: u64) -> RollRow {
        let people = state.population(self.question.realm);
        let user = people.ids.of_rank(rank);
        let stretch = self.question.stretch;
        let handle = |at| people.handle_at(user, at).into_owned();
        RollRow {
            id: people.public_id(user),
            handles: (self.question.of == RollOf::Renamed)
                .then(|| [handle(stretch.from), handle(stretch.to)]),
        }
    }
}

impl Iterator for Roll {
    type Item = Vec<RollRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.refill() {
            return None;
        }
        let state = self.world.lock();
        let at = self.band.len().saturating_sub(BATCH);
        let batch = self.band.get(at..).unwrap_or_default();
        let rows = batch.iter().rev().map(|rank| self.row(&state, *rank)).collect();
        drop(state);
        self.band.truncate(at);
        Some(rows)
    }
}

impl World {
    fn question(
        &self,
        platform: Platform,
        who: &str,
        of: RollOf,
        stretch: Stretch,
    ) -> Result<(Question, u64), WorldError> {
        let state = self.settled();
        let (realm, account) = state.find_account(platform, who)?;
        let total = state
            .chronicle(realm, account)
            .map_or(0, |chronicle| chronicle.edges.total());
        let question = Question {
            realm,
            account,
            of,
            stretch,
        };
        Ok((question, total))
    }

    /// Who was listed, came, went or was renamed between two order numbers, `(from, to]`, in the order of ids.
    ///
    /// Memory is at most 40 MB. Every four million edges there ever were cost one look at all of them: about half a
    /// minute of one core for a hundred million; up to two million changes are found in one look.
    pub fn roll(
        self: &Arc<Self>,
        platform: Platform,
        who: &str,
        of: RollOf,
        (from, to): (u64, u64),
    ) -> Result<Roll, WorldError> {
        self.roll_in(platform, who, of, Stretch::orders(from, to))
    }

    pub(crate) fn roll_in(
        self: &Arc<Self>,
        platform: Platform,
        who: &str,
        of: RollOf,
        stretch: Stretch,
    ) -> Result<Roll, WorldError> {
        let (question, total) = self.question(platform, who, of, stretch)?;
        Ok(Roll {
            world: Arc::clone(self),
            question,
            band: Vec::new(),
            next_band: 0,
            bands: total.div_ceil(BAND),
            room: match of {
                RollOf::Throughout | RollOf::Ever => {
                    usize::try_from(total.min(BAND + BAND / 64)).unwrap_or(0)
                }
                // Changes are few.
                RollOf::Gained | RollOf::Lost | RollOf::Renamed => 0,
            },
        })
    }

    /// A roll in one line; one look at every edge.
    pub fn roll_digest(
        &self,
        platform: Platform,
        who: &str,
        of: RollOf,
        (from, to): (u64, u64),
    ) -> Result<RollDigest, WorldError> {
        self.roll_digest_in(platform, who, of, Stretch::orders(from, to))
    }

    pub(crate) fn roll_digest_in(
        &self,
        platform: Platform,
        who: &str,
        of: RollOf,
        stretch: Stretch,
    ) -> Result<RollDigest, WorldError> {
        let (question, _) = self.question(platform, who, of, stretch)?;
        let mut digest = RollDigest::default();
        question.each(
            self,
            |chronicle, edge| digest.add(&chronicle.people.public_id(edge.user)),
            |_| true,
        );
        Ok(digest)
    }

    /// Says of each id whether it belongs into a listing of `(from, to]`. For long lists call it batch by batch; with
    /// no id given twice, nobody is missing if `throughout` adds up to the digest's count.
    pub fn judge<'a>(
        &self,
        platform: Platform,
        who: &str,
        ids: impl IntoIterator<Item = &'a str>,
        (from, to): (u64, u64),
    ) -> Result<Judged, WorldError> {
        let state = self.settled();
        let (realm, account) = state.find_account(platform, who)?;
        let mut judged = Judged::default();
        let Some(chronicle) = state.chronicle(realm, account) else {
            return Ok(judged);
        };
        let stretch = Stretch::orders(from, to);
        for id in ids {
            let user = chronicle.people.by_id(id);
            let mut history = user.into_iter().flat_map(|user| chronicle.edges.history(user));
            if history.any(|edge| chronicle.is_stable(edge, stretch)) {
                judged.throughout += 1;
                continue;
            }
            let mut history = user.into_iter().flat_map(|user| chronicle.edges.history(user));
            if history.any(|edge| chronicle.is_ever(edge, stretch)) {
                judged.sometimes += 1;
            } else {
                judged.invented += 1;
                judged.example.get_or_insert_with(|| id.to_owned());
            }
        }
        Ok(judged)
    }
}

impl RollDigest {
    /// Adds one id.
    pub fn add(&mut self, id: &str) {
        let hash = Sha256::digest(id.as_bytes());
        let first = hash
            .iter()
            .take(8)
            .fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        self.count += 1;
        self.sum = self.sum.wrapping_add(first);
        self.xor ^= first;
    }
}
