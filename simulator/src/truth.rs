//! What a perfect listing would have contained, computed from the event log and the edges that are left.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    error::WorldError,
    ids::public_id,
    log::{Event, EventKind},
    world::{Platform, State, World, milliseconds},
};

/// A half-open stretch of the event log: events of `(from, to]` fall inside.
struct Stretch<F: Fn(&Event) -> std::cmp::Ordering> {
    /// Less: at or before `from`. Equal: inside. Greater: after `to`.
    place: F,
}

impl World {
    /// Ids that were in the list throughout `[from, to]`, oldest follow first: STABLE's own definition.
    ///
    /// An event at exactly `from` counts as before the stretch, one at exactly `to` as inside. Where the clock
    /// stands still between requests, use [`World::truth_between`].
    pub fn truth(
        &self,
        platform: Platform,
        who: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, WorldError> {
        self.stable(platform, who, &by_time(from, to))
    }

    /// Like [`World::truth`], between two order numbers (of requests or events): `(from, to]`.
    pub fn truth_between(
        &self,
        platform: Platform,
        who: &str,
        from: u64,
        to: u64,
    ) -> Result<Vec<String>, WorldError> {
        self.stable(platform, who, &by_order(from, to))
    }

    /// Ids that were in the list at any moment of `[from, to]`: whoever lists anybody else has made them up.
    pub fn ever_present(
        &self,
        platform: Platform,
        who: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeSet<String>, WorldError> {
        self.ever(platform, who, &by_time(from, to))
    }

    /// Like [`World::ever_present`], between two order numbers: `(from, to]`.
    pub fn ever_present_between(
        &self,
        platform: Platform,
        who: &str,
        from: u64,
        to: u64,
    ) -> Result<BTreeSet<String>, WorldError> {
        self.ever(platform, who, &by_order(from, to))
    }

    fn stable<F: Fn(&Event) -> std::cmp::Ordering>(
        &self,
        platform: Platform,
        who: &str,
        stretch: &Stretch<F>,
    ) -> Result<Vec<String>, WorldError> {
        let mut state = self.lock();
        let account = state.find_account(platform, who)?;
        state.tick_all(self.now_ms());
        let seen = Seen::collect(&state, platform, account, stretch);
        let mut rows = seen.at_the_end(&state, platform, account);
        rows.retain(|(_, user)| {
            !seen.inside.contains(user) && !seen.hidden_at_any_time(&state, platform, *user)
        });
        rows.sort_unstable();
        Ok(rows
            .into_iter()
            .map(|(_, user)| public_id(platform, user))
            .collect())
    }

    fn ever<F: Fn(&Event) -> std::cmp::Ordering>(
        &self,
        platform: Platform,
        who: &str,
        stretch: &Stretch<F>,
    ) -> Result<BTreeSet<String>, WorldError> {
        let mut state = self.lock();
        let account = state.find_account(platform, who)?;
        state.tick_all(self.now_ms());
        let seen = Seen::collect(&state, platform, account, stretch);
        let rows = seen.at_the_end(&state, platform, account);
        let users: BTreeSet<u64> = rows
            .into_iter()
            .map(|(_, user)| user)
            .chain(seen.inside.clone())
            .collect();
        let visible = users
            .into_iter()
            .filter(|user| !seen.hidden_all_the_time(&state, platform, *user));
        Ok(visible.map(|user| public_id(platform, user)).collect())
    }
}

fn by_time(from: Timestamp, to: Timestamp) -> Stretch<impl Fn(&Event) -> std::cmp::Ordering> {
    by_number(milliseconds(from), milliseconds(to), |event| event.ms)
}

fn by_order(from: u64, to: u64) -> Stretch<impl Fn(&Event) -> std::cmp::Ordering> {
    by_number(from, to, |event| event.order)
}

fn by_number(
    from: u64,
    to: u64,
    number: impl Fn(&Event) -> u64,
) -> Stretch<impl Fn(&Event) -> std::cmp::Ordering> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    Stretch {
        place: move |event| match number(event) {
            at if at > to => Greater,
            at if at > from => Equal,
            _ => Less,
        },
    }
}

/// What the log says about one account and one stretch.
#[derive(Default)]
struct Seen {
    /// Users that followed or unfollowed inside the stretch.
    inside: BTreeSet<u64>,
    /// The first thing each user did after the stretch; it tells how they stood at its end.
    first_after: BTreeMap<u64, (EventKind, u64)>,
    /// Users hidden or shown inside the stretch.
    visibility_inside: BTreeSet<u64>,
    /// The first change of visibility after the stretch.
    visibility_after: BTreeMap<u64, EventKind>,
}

impl Seen {
    fn collect<F: Fn(&Event) -> std::cmp::Ordering>(
        state: &State,
        platform: Platform,
        account: u64,
        stretch: &Stretch<F>,
    ) -> Self {
        let mut seen = Self::default();
        for event in state.events.iter().filter(|event| event.platform == platform) {
            let place = (stretch.place)(event);
            let user = event.user;
            match (event.kind, place) {
                (EventKind::Rename, _) | (_, std::cmp::Ordering::Less) => {}
                (EventKind::Hide | EventKind::Show, std::cmp::Ordering::Equal) => {
                    seen.visibility_inside.insert(user);
                }
                (EventKind::Hide | EventKind::Show, std::cmp::Ordering::Greater) => {
                    seen.visibility_after.entry(user).or_insert(event.kind);
                }
                (EventKind::Follow | EventKind::Unfollow, _) if event.account != account => {}
                (EventKind::Follow | EventKind::Unfollow, std::cmp::Ordering::Equal) => {
                    seen.inside.insert(user);
                }
                (EventKind::Follow | EventKind::Unfollow, std::cmp::Ordering::Greater) => {
                    seen.first_after.entry(user).or_insert((event.kind, event.key));
                }
            }
        }
        seen
    }

    /// (key, user) of everybody in the list at the stretch's end.
    fn at_the_end(&self, state: &State, platform: Platform, account: u64) -> Vec<(u64, u64)> {
        let account = state.population(platform).accounts.get(&account);
        let live = account.into_iter().flat_map(|account| account.edges.iter());
        let untouched = live.filter(|edge| !self.first_after.contains_key(&edge.user));
        let left_later = self
            .first_after
            .iter()
            .filter(|(_, (kind, _))| *kind == EventKind::Unfollow);
        untouched
            .map(|edge| (edge.key, edge.user))
            .chain(left_later.map(|(user, (_, key))| (*key, *user)))
            .collect()
    }

    fn hidden_at_the_end(&self, state: &State, platform: Platform, user: u64) -> bool {
        let population = state.population(platform);
        population.is_born_hidden(user)
            || match self.visibility_after.get(&user) {
                Some(EventKind::Hide) => false,
                Some(_) => true,
                None => population.is_hidden(user),
            }
    }

    fn hidden_at_any_time(&self, state: &State, platform: Platform, user: u64) -> bool {
        self.visibility_inside.contains(&user) || self.hidden_at_the_end(state, platform, user)
    }

    fn hidden_all_the_time(&self, state: &State, platform: Platform, user: u64) -> bool {
        !self.visibility_inside.contains(&user) && self.hidden_at_the_end(state, platform, user)
    }
}
