//! What a perfect listing would have contained, asked of the edges themselves: they know when they began and ended.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    edges::{Edge, Edges},
    error::WorldError,
    moment::Point,
    population::Population,
    world::{Platform, Realm, State, World, milliseconds},
};

/// A stretch of history: what happened at `from` was before it, what happened at `to` is inside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: Point,
    pub(crate) to: Point,
}

impl Stretch {
    pub(crate) const fn orders(from: u64, to: u64) -> Self {
        Self {
            from: Point::Order(from),
            to: Point::Order(to),
        }
    }

    pub(crate) fn times(from: Timestamp, to: Timestamp) -> Self {
        Self {
            from: Point::Ms(milliseconds(from)),
            to: Point::Ms(milliseconds(to)),
        }
    }
}

/// One account's list through history.
#[derive(Clone, Copy)]
pub(crate) struct Chronicle<'a> {
    pub(crate) people: &'a Population,
    pub(crate) edges: &'a Edges,
}

impl Chronicle<'_> {
    /// Whether the edge was there at that point.
    pub(crate) fn holds(&self, edge: Edge, at: Point) -> bool {
        self.edges.began(edge).is_by(at) && !self.edges.ended(edge).is_some_and(|end| end.is_by(at))
    }

    /// Whether the edge was there, to be seen, from the first to the last moment.
    pub(crate) fn is_stable(&self, edge: Edge, stretch: Stretch) -> bool {
        self.edges.began(edge).is_by(stretch.from)
            && self.holds(edge, stretch.to)
            && !self.people.was_seen_to_change(edge.user, stretch)
            && !self.people.was_hidden(edge.user, stretch.to)
    }

    /// Whether the edge was there, to be seen, at any moment.
    pub(crate) fn is_ever(&self, edge: Edge, stretch: Stretch) -> bool {
        self.edges.began(edge).is_by(stretch.to)
            && !self.edges.ended(edge).is_some_and(|end| end.is_by(stretch.from))
            && (self.people.was_seen_to_change(edge.user, stretch)
                || !self.people.was_hidden(edge.user, stretch.to))
    }

    /// Whether the list showed the user at that point.
    pub(crate) fn lists(&self, user: u64, at: Point) -> bool {
        !self.people.was_hidden(user, at) && self.edges.history(user).any(|edge| self.holds(edge, at))
    }
}

impl State {
    pub(crate) fn chronicle(&self, realm: Realm, account: u64) -> Option<Chronicle<'_>> {
        let people = self.population(realm);
        let edges = &people.accounts.get(&account)?.edges;
        Some(Chronicle { people, edges })
    }
}

impl World {
    /// Ids that were in the list throughout `[from, to]`, oldest follow first: STABLE's own definition.
    ///
    /// An event at exactly `from` counts as before the stretch, one at exactly `to` as inside. Where the clock
    /// stands still between requests, use [`World::truth_between`]. All in memory: [`World::roll`] is for long lists.
    pub fn truth(
        &self,
        platform: Platform,
        who: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, WorldError> {
        self.stable(platform, who, Stretch::times(from, to))
    }

    /// Like [`World::truth`], between two order numbers (of requests or events): `(from, to]`.
    pub fn truth_between(
        &self,
        platform: Platform,
        who: &str,
        from: u64,
        to: u64,
    ) -> Result<Vec<String>, WorldError> {
        self.stable(platform, who, Stretch::orders(from, to))
    }

    /// Ids that were in the list at any moment of `[from, to]`: whoever lists anybody else has made them up.
    pub fn ever_present(
        &self,
        platform: Platform,
        who: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeSet<String>, WorldError> {
        self.ever(platform, who, Stretch::times(from, to))
    }

    /// Like [`World::ever_present`], between two order numbers: `(from, to]`.
    pub fn ever_present_between(
        &self,
        platform: Platform,
        who: &str,
        from: u64,
        to: u64,
    ) -> Result<BTreeSet<String>, WorldError> {
        self.ever(platform, who, Stretch::orders(from, to))
    }

    fn stable(&self, platform: Platform, who: &str, stretch: Stretch) -> Result<Vec<String>, WorldError> {
        let state = self.settled();
        let (realm, account) = state.find_account(platform, who)?;
        let Some(chronicle) = state.chronicle(realm, account) else {
            return Ok(Vec::new());
        };
        let everybody = chronicle.edges.ever(0..chronicle.edges.total());
        Ok(everybody
            .filter(|edge| chronicle.is_stable(*edge, stretch))
            .map(|edge| chronicle.people.public_id(edge.user))
            .collect())
    }

    fn ever(&self, platform: Platform, who: &str, stretch: Stretch) -> Result<BTreeSet<String>, WorldError> {
        let state = self.settled();
        let (realm, account) = state.find_account(platform, who)?;
        let Some(chronicle) = state.chronicle(realm, account) else {
            return Ok(BTreeSet::new());
        };
        let everybody = chronicle.edges.ever(0..chronicle.edges.total());
        Ok(everybody
            .filter(|edge| chronicle.is_ever(*edge, stretch))
            .map(|edge| chronicle.people.public_id(edge.user))
            .collect())
    }

    /// The state, with the churn of every account brought up to now.
    pub(crate) fn settled(&self) -> std::sync::MutexGuard<'_, State> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        state.tick_all(now_ms);
        state
    }
}
