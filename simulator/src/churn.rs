//! Followers that come and go by themselves: some number before each page, or per second of the clock.
//!
//! Rates are kept in millionths, so that a fractional rate loses nothing over a long run.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    error::WorldError,
    log::EventKind,
    population::UserState,
    world::{Platform, Realm, State},
};

const MICRO: u64 = 1_000_000;
const FASTEST: f64 = 1_000_000.0;

/// How an account's list changes by itself. All rates may be fractional; all default to 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ChurnSpec {
    /// Followers lost before each page served.
    pub unfollows_per_request: f64,
    /// Followers gained before each page served.
    pub follows_per_request: f64,
    /// Followers lost per second of the world's clock.
    pub unfollows_per_second: f64,
    /// Followers gained per second of the world's clock.
    pub follows_per_second: f64,
    /// Followers that take another handle before each page served.
    pub renames_per_request: f64,
    /// Followers suspended before each page served: counted, not listed. Not on Gitea, which lists everybody.
    pub suspensions_per_request: f64,
    /// Times before each page served that accounts which unfollowed follow again.
    pub returns_per_request: f64,
    /// Accounts that follow again each time, one right after another in their old order. 0 = 1.
    pub returns_together: u32,
}

/// An account's churn with what is still owed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Churn {
    pub(crate) spec: ChurnSpec,
    last_ms: u64,
    owed_follows: u64,
    owed_unfollows: u64,
}

impl Churn {
    pub(crate) fn new(spec: ChurnSpec, now_ms: u64) -> Result<Self, WorldError> {
        for (field, rate) in [
            ("churn.unfollowsPerRequest", spec.unfollows_per_request),
            ("churn.followsPerRequest", spec.follows_per_request),
            ("churn.unfollowsPerSecond", spec.unfollows_per_second),
            ("churn.followsPerSecond", spec.follows_per_second),
            ("churn.renamesPerRequest", spec.renames_per_request),
            ("churn.suspensionsPerRequest", spec.suspensions_per_request),
            ("churn.returnsPerRequest", spec.returns_per_request),
        ] {
            if !(0.0..=FASTEST).contains(&rate) {
                return Err(WorldError::invalid(
                    field,
                    format!("{rate} is not between 0 and {FASTEST}"),
                ));
            }
        }
        Ok(Self {
            spec,
            last_ms: now_ms,
            owed_follows: 0,
            owed_unfollows: 0,
        })
    }

    /// What the clock brought since the last look, in time order.
    fn due(&mut self, now_ms: u64) -> Vec<(u64, EventKind)> {
        let from = self.last_ms;
        let elapsed = now_ms.saturating_sub(from);
        self.last_ms = now_ms.max(from);
        let mut due = Vec::new();
        accrue(
            micro(self.spec.follows_per_second),
            &mut self.owed_follows,
            from,
            elapsed,
            |ms| {
                due.push((ms, EventKind::Follow));
            },
        );
        accrue(
            micro(self.spec.unfollows_per_second),
            &mut self.owed_unfollows,
            from,
            elapsed,
            |ms| {
                due.push((ms, EventKind::Unfollow));
            },
        );
        due.sort_by_key(|(ms, _)| *ms);
        due
    }
}

/// Adds `rate × elapsed` (in millionths × milliseconds) to `owed` and reports each whole event with its time.
fn accrue(rate: u64, owed: &mut u64, from: u64, elapsed: u64, mut event: impl FnMut(u64)) {
    const WHOLE: u64 = MICRO * 1_000;
    if rate == 0 || elapsed == 0 {
        return;
    }
    let total = u128::from(*owed) + u128::from(rate) * u128::from(elapsed);
    let events = u64::try_from(total / u128::from(WHOLE)).unwrap_or(u64::MAX);
    for nth in 1..=events {
        let needed = (u128::from(nth) * u128::from(WHOLE)).saturating_sub(u128::from(*owed));
        event(
            from + u64::try_from(needed.div_ceil(u128::from(rate)))
                .unwrap_or(elapsed)
                .min(elapsed),
        );
    }
    *owed = u64::try_from(total % u128::from(WHOLE)).unwrap_or(0);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates were checked to be in 0..=1e6"
)]
fn micro(rate: f64) -> u64 {
    (rate * 1e6).round() as u64
}

impl State {
    /// Applies what the clock brought to one account up to now.
    pub(crate) fn tick(&mut self, realm: Realm, user: u64, now_ms: u64) {
        let Some(account) = self.population_mut(realm).accounts.get_mut(&user) else {
            return;
        };
        for (ms, kind) in account.churn.due(now_ms) {
            self.churn_once(realm, user, kind, ms);
        }
    }

    /// Applies the per-request churn of one account; called once per page, before its rows are read.
    pub(crate) fn churn_before_page(&mut self, realm: impl Into<Realm>, user: u64, now_ms: u64) {
        let realm = realm.into();
        let Some(account) = self.population(realm).accounts.get(&user) else {
            return;
        };
        let spec = account.churn.spec;
        for (rate, kind) in [
            (spec.unfollows_per_request, EventKind::Unfollow),
            (spec.follows_per_request, EventKind::Follow),
            (spec.renames_per_request, EventKind::Rename),
            (spec.suspensions_per_request, EventKind::Hide),
        ] {
            for _ in 0..self.times(rate) {
                self.churn_once(realm, user, kind, now_ms);
            }
        }
        for _ in 0..self.times(spec.returns_per_request) {
            self.return_once(realm, user, spec.returns_together, now_ms);
        }
    }

    /// How often something of this rate happens before one page.
    fn times(&mut self, rate: f64) -> u64 {
        let rate = micro(rate);
        if rate == 0 {
            return 0;
        }
        let one_more = self.rng.next_u64() % MICRO < rate % MICRO;
        rate / MICRO + u64::from(one_more)
    }

    /// Accounts that unfollowed follow again, in their old order.
    fn return_once(&mut self, realm: Realm, user: u64, together: u32, ms: u64) {
        let chance = self.rng.next_u64();
        let account = self.population(realm).accounts.get(&user);
        let away = account.map_or_else(Vec::new, |account| account.edges.away(chance, together.max(1)));
        for follower in away {
            self.add_edge(realm, user, follower, ms);
        }
    }

    fn churn_once(&mut self, realm: Realm, user: u64, kind: EventKind, ms: u64) {
        if kind == EventKind::Follow {
            let follower = self.population_mut(realm).register();
            self.add_edge(realm, user, follower, ms);
            return;
        }
        let chance = self.rng.next_u64();
        let account = self.population(realm).accounts.get(&user);
        let edge = account.and_then(|account| {
            let index = chance.checked_rem(account.edges.len())?;
            account.edges.at(index)
        });
        let Some(edge) = edge else { return };
        match kind {
            EventKind::Rename => self.take_another_handle(realm, edge.user, ms),
            EventKind::Hide => self.change_state(realm, edge.user, UserState::Suspended, ms),
            _ => self.remove_edge(realm, user, edge, ms),
        }
    }
}

impl State {
    fn take_another_handle(&mut self, realm: Realm, user: u64, ms: u64) {
        let handle = self.population(realm).another_handle(user);
        let at = self.next_moment(ms);
        self.population_mut(realm).set_handle(user, &handle, Some(at));
        self.record_event(realm, EventKind::Rename, 0, user, at);
    }

    /// Suspends, deactivates or revives a user; hidden users stay counted and are not listed.
    pub(crate) fn change_state(&mut self, realm: Realm, user: u64, to: UserState, ms: u64) {
        if realm.platform == Platform::Gitea {
            return;
        }
        let people = self.population_mut(realm);
        let was_hidden = people.is_hidden(user);
        people.overlays.entry(user).or_default().state = to;
        let hidden = people.is_hidden(user);
        if was_hidden != hidden {
            let at = self.next_moment(ms);
            self.population_mut(realm).remember_sight(user, at, hidden);
            let kind = if hidden { EventKind::Hide } else { EventKind::Show };
            self.record_event(realm, kind, 0, user, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fractional_rate_loses_nothing_however_often_it_is_looked_at() {
        let spec = ChurnSpec {
            follows_per_second: 0.7,
            unfollows_per_second: 3.0,
            ..ChurnSpec::default()
        };
        let mut churn = Churn::new(spec, 1_000).unwrap();
        let mut events = Vec::new();
        for now in (1_000..=101_000).step_by(37) {
            events.extend(churn.due(now));
        }
        events.extend(churn.due(101_000));
        let follows = events
            .iter()
            .filter(|(_, kind)| *kind == EventKind::Follow)
            .count();
        assert_eq!((follows, events.len() - follows), (70, 300));
        assert!(events.is_sorted_by_key(|(ms, _)| *ms));
    }

    #[test]
    fn accounts_that_left_return_in_their_old_order() {
        use crate::{edges::Edges, moment::Moment};
        let mut edges = Edges::default();
        (0..10).for_each(|user| edges.push(user, Moment::default()));
        for user in [2, 5, 7] {
            let edge = edges.find(user).unwrap();
            edges.end(edge, Moment::default());
        }
        assert_eq!(edges.away(0, 2), [2, 5]);
        assert_eq!(edges.away(2, 5), [7]);
        edges.push(5, Moment::default());
        assert_eq!(edges.away(0, 5), [2, 7], "one of them is back");
        assert!(Edges::default().away(3, 5).is_empty());
    }

    #[test]
    fn a_negative_rate_is_refused_by_name() {
        let spec = ChurnSpec {
            follows_per_request: -1.0,
            ..ChurnSpec::default()
        };
        let error = Churn::new(spec, 0).unwrap_err();
        assert!(error.to_string().contains("churn.followsPerRequest"), "{error}");
    }
}
