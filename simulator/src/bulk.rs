//! Large changes at one moment: a share of the followers goes, a share gets new handles, new ones come.
//!
//! Who is taken is a hash of the user and the seed: nothing is listed, however many there are, and who it was can be
//! asked for ever after ([`World::roll`]).

use serde::{Deserialize, Serialize};

use crate::{
    error::WorldError,
    ids::mix,
    log::{Event, EventKind},
    moment::Draw,
    world::{Platform, Realm, State, World},
};

/// What to do to a list. Everything defaults to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BulkSpec {
    /// Seeds who is taken.
    pub seed: u64,
    /// Share (0..=1) of the followers that go.
    pub unfollow_share: f64,
    /// Share (0..=1) of the made-up followers, those who left included, that get new handles.
    pub rename_share: f64,
    /// New users that follow.
    pub follow: u64,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkDone {
    /// Followers that went.
    pub unfollowed: u64,
    /// Users with a new handle.
    pub renamed: u64,
    /// Followers that came.
    pub followed: u64,
    /// The world's order before it.
    pub from_order: u64,
    /// The world's order after it.
    pub to_order: u64,
}

impl World {
    /// Changes a list as told, unfollows first. `rolls` between the two order numbers say who it was.
    pub fn bulk(&self, platform: Platform, who: &str, spec: BulkSpec) -> Result<BulkDone, WorldError> {
        for (field, share) in [
            ("unfollowShare", spec.unfollow_share),
            ("renameShare", spec.rename_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                let reason = format!("{share} is not between 0 and 1");
                return Err(WorldError::invalid(field, reason));
            }
        }
        let now_ms = self.now_ms();
        let mut state = self.settled();
        let (realm, account) = state.find_account(platform, who)?;
        let from_order = state.order;
        Ok(BulkDone {
            unfollowed: state.purge(
                realm,
                account,
                Draw::new(mix(spec.seed, 1), spec.unfollow_share),
                now_ms,
            ),
            renamed: state.rename_many(
                realm,
                account,
                Draw::new(mix(spec.seed, 2), spec.rename_share),
                now_ms,
            ),
            followed: state.follow_many(realm, account, spec.follow, now_ms),
            from_order,
            to_order: state.order,
        })
    }
}

impl State {
    fn purge(&mut self, realm: Realm, account: u64, draw: Draw, now_ms: u64) -> u64 {
        if draw.is_nobody() {
            return 0;
        }
        let at = self.next_moment(now_ms);
        let found = self.population_mut(realm).accounts.get_mut(&account);
        let count = found.map_or(0, |found| found.edges.purge(draw, at));
        self.record_events(Event {
            at,
            realm,
            kind: EventKind::Unfollow,
            account,
            user: 0,
            count,
        });
        count
    }

    fn rename_many(&mut self, realm: Realm, account: u64, draw: Draw, now_ms: u64) -> u64 {
        if draw.is_nobody() {
            return 0;
        }
        let at = self.next_moment(now_ms);
        let people = self.population_mut(realm);
        let runs: Vec<_> = people
            .accounts
            .get(&account)
            .map_or_else(Vec::new, |found| found.edges.runs().collect());
        let count = runs
            .into_iter()
            .map(|users| people.rename_many(users, draw, at))
            .sum();
        self.record_events(Event {
            at,
            realm,
            kind: EventKind::Rename,
            account: 0,
            user: 0,
            count,
        });
        count
    }

    /// New users follow, all at once.
    pub(crate) fn follow_many(&mut self, realm: Realm, account: u64, count: u64, now_ms: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        let at = self.next_moment(now_ms);
        let people = self.population_mut(realm);
        let users = people.register_many(count);
        if let Some(found) = people.accounts.get_mut(&account) {
            found.edges.push_many(users.start, count, at);
        }
        self.record_events(Event {
            at,
            realm,
            kind: EventKind::Follow,
            account,
            user: users.start,
            count,
        });
        count
    }
}
