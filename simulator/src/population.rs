//! The users of one platform: numbers, names that differ from the made-up ones, and the accounts with followers.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    churn::Churn,
    edges::Edges,
    ids::{IdStyle, mix, number_of, public_id},
    moment::{Draw, Moment, Point},
    synth,
    truth::Stretch,
    world::{Platform, Realm},
    x::page_token::Issued,
};

/// Whether a user can be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserState {
    /// Seen by everyone.
    #[default]
    Active,
    /// X, Mastodon: suspended. Bluesky: taken down. GitHub: flagged, as if it had never been.
    Suspended,
    /// Closed by the user.
    Deactivated,
}

/// What an operator changed about a user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    pub(crate) handle: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) created_ms: Option<u64>,
    pub(crate) hide_created: bool,
    pub(crate) protected: Option<bool>,
    pub(crate) hide_collections: bool,
    pub(crate) shown_followers: Option<u64>,
    pub(crate) organization: bool,
    pub(crate) state: UserState,
}

/// A user with a follower list.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) edges: Edges,
    pub(crate) churn: Churn,
    /// X: pagination tokens that still live, where they die at all.
    pub(crate) tokens: Issued,
}

impl Account {
    pub(crate) fn new(edges: Edges, churn: Churn) -> Self {
        Self {
            edges,
            churn,
            tokens: Issued::default(),
        }
    }
}

/// Users of a server who got new handles at one moment.
#[derive(Debug, Clone, Copy)]
struct Renaming {
    at: Moment,
    draw: Draw,
    /// The first and the last user it may have taken.
    from: u64,
    to: u64,
}

/// Everybody on one platform.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) platform: Platform,
    pub(crate) ids: IdStyle,
    pub(crate) seed: u64,
    /// Share of users that never appear, as a threshold on a hash; u64 so that the comparison is exact.
    pub(crate) hidden_below: u64,
    next_user: u64,
    pub(crate) overlays: BTreeMap<u64, Overlay>,
    handles: BTreeMap<String, u64>,
    /// Handles that somebody gave up: Gitea redirects them, elsewhere they are not found.
    retired: BTreeMap<String, u64>,
    pub(crate) accounts: BTreeMap<u64, Account>,
    /// Users whose handles were given, not made up: every one, and since when.
    names: BTreeMap<u64, Vec<(Moment, String)>>,
    renamings: Vec<Renaming>,
    /// Users who left every list or came back: when, and whether they are hidden since.
    sights: BTreeMap<u64, Vec<(Moment, bool)>>,
}

impl Renaming {
    fn takes(&self, user: u64) -> bool {
        (self.from..self.to).contains(&user) && self.draw.takes(user)
    }
}

impl Population {
    pub(crate) fn new(realm: Realm, ids: IdStyle, seed: u64, hidden_share: f64) -> Self {
        let Realm { platform, server } = realm;
        let own = 0x5EED + platform as u64 + (u64::try_from(server).unwrap_or(0) << 16);
        Self {
            platform,
            ids,
            seed: mix(seed, own),
            hidden_below: share_of_u32(hidden_share),
            next_user: 1,
            overlays: BTreeMap::new(),
            handles: BTreeMap::new(),
            retired: BTreeMap::new(),
            accounts: BTreeMap::new(),
            names: BTreeMap::new(),
            renamings: Vec::new(),
            sights: BTreeMap::new(),
        }
    }

    /// A user nobody has heard of yet.
    pub(crate) fn register(&mut self) -> u64 {
        let user = self.next_user;
        self.next_user += 1;
        user
    }

    /// `count` new users, numbered in a row.
    pub(crate) fn register_many(&mut self, count: u64) -> std::ops::Range<u64> {
        let first = self.next_user;
        self.next_user += count;
        first..self.next_user
    }

    pub(crate) fn exists(&self, user: u64) -> bool {
        user >= 1 && user < self.next_user
    }

    /// Who has this handle now, in any letter case.
    pub(crate) fn by_handle(&self, handle: &str) -> Option<u64> {
        let lower = handle.to_ascii_lowercase();
        if let Some(user) = self.handles.get(&lower) {
            return Some(*user);
        }
        if self.retired.contains_key(&lower) {
            return None;
        }
        let (user, generation) = synth::number_of_handle(self.platform, &lower)?;
        let current =
            self.exists(user) && !self.names.contains_key(&user) && generation == self.generation(user);
        current.then_some(user)
    }

    /// Who had this handle before a rename.
    pub(crate) fn by_retired_handle(&self, handle: &str) -> Option<u64> {
        let lower = handle.to_ascii_lowercase();
        if let Some(user) = self.retired.get(&lower) {
            return Some(*user);
        }
        let (user, generation) = synth::number_of_handle(self.platform, &lower)?;
        (self.exists(user) && generation < self.generation(user)).then_some(user)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<u64> {
        number_of(self.ids, id).filter(|user| self.exists(*user))
    }

    /// The id this server shows for a user.
    pub(crate) fn public_id(&self, user: u64) -> String {
        public_id(self.ids, user)
    }

    pub(crate) fn handle(&self, user: u64) -> Cow<'_, str> {
        match self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.handle.as_deref())
        {
            Some(handle) => Cow::Borrowed(handle),
            None => Cow::Owned(synth::handle(self.platform, user, self.generation(user))),
        }
    }

    /// A handle this user has not now.
    pub(crate) fn another_handle(&self, user: u64) -> String {
        let given = self.names.get(&user).map_or(0, Vec::len);
        let next = self.generation(user) + u64::try_from(given).unwrap_or(0) + 1;
        synth::handle(self.platform, user, next)
    }

    /// How many bulk renames took this user.
    fn generation(&self, user: u64) -> u64 {
        if self.renamings.is_empty() {
            return 0;
        }
        let takes = |renaming: &&Renaming| renaming.takes(user);
        u64::try_from(self.renamings.iter().filter(takes).count()).unwrap_or(0)
    }

    /// The user's handle at that point.
    pub(crate) fn handle_at(&self, user: u64, at: Point) -> Cow<'_, str> {
        let given = self.names.get(&user).into_iter().flatten();
        if let Some((_, name)) = given.rev().find(|(since, _)| since.is_by(at)) {
            return Cow::Borrowed(name);
        }
        let by_then = |renaming: &&Renaming| renaming.at.is_by(at) && renaming.takes(user);
        let generation = self.renamings.iter().filter(by_then).count();
        Cow::Owned(synth::handle(
            self.platform,
            user,
            u64::try_from(generation).unwrap_or(0),
        ))
    }

    /// Gives a share of the users numbered `from..to` new handles; whoever has a given one keeps it.
    pub(crate) fn rename_many(&mut self, users: std::ops::Range<u64>, draw: Draw, at: Moment) -> u64 {
        let renaming = Renaming {
            at,
            draw,
            from: users.start,
            to: users.end,
        };
        self.renamings.push(renaming);
        let takes = |user: &u64| renaming.takes(*user) && !self.names.contains_key(user);
        u64::try_from(users.filter(takes).count()).unwrap_or(u64::MAX)
    }

    /// Gives `user` the handle, since a moment; without one it was always so. The old one is retired. The caller has
    /// checked that it is free.
    pub(crate) fn set_handle(&mut self, user: u64, handle: &str, since: Option<Moment>) {
        if since.is_some() {
            let old = self.handle(user).to_ascii_lowercase();
            self.handles.remove(&old);
            self.retired.insert(old, user);
        }
        let lower = handle.to_ascii_lowercase();
        self.retired.remove(&lower);
        self.handles.insert(lower, user);
        self.overlays.entry(user).or_default().handle = Some(handle.to_owned());
        let since = since.unwrap_or_default();
        self.names
            .entry(user)
            .or_default()
            .push((since, handle.to_owned()));
    }

    pub(crate) fn state(&self, user: u64) -> UserState {
        self.overlays
            .get(&user)
            .map(|overlay| overlay.state)
            .unwrap_or_default()
    }

    /// Writes down that a user left every list, or came back.
    pub(crate) fn remember_sight(&mut self, user: u64, at: Moment, hidden: bool) {
        self.sights.entry(user).or_default().push((at, hidden));
    }

    /// Whether lists left this user out at that point.
    pub(crate) fn was_hidden(&self, user: u64, at: Point) -> bool {
        if self.is_born_hidden(user) {
            return true;
        }
        let Some(sights) = self.sights.get(&user) else {
            return self.is_hidden(user);
        };
        let last = sights.iter().rev().find(|(moment, _)| moment.is_by(at));
        match (last, sights.first()) {
            (Some((_, hidden)), _) => *hidden,
            // Before its first change it was the other way.
            (None, first) => first.is_some_and(|(_, hidden)| !hidden),
        }
    }

    /// Whether this user left the lists or came back inside a stretch.
    pub(crate) fn was_seen_to_change(&self, user: u64, stretch: Stretch) -> bool {
        let inside = |(at, _): &(Moment, bool)| at.is_by(stretch.to) && !at.is_by(stretch.from);
        self.sights
            .get(&user)
            .is_some_and(|sights| sights.iter().any(inside))
    }

    /// Whether lists leave this user out: by an operator's word, or by the configured share.
    pub(crate) fn is_hidden(&self, user: u64) -> bool {
        self.is_born_hidden(user) || self.state(user) != UserState::Active
    }

    /// Whether this user belongs to the share that never appears. Accounts are exempt: they must resolve.
    pub(crate) fn is_born_hidden(&self, user: u64) -> bool {
        self.hidden_below > 0
            && mix(self.seed ^ 0x41DE, user) >> 32 < self.hidden_below
            && !self.accounts.contains_key(&user)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1 first; NaN becomes 0"
)]
fn share_of_u32(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_user_is_found_by_the_new_handle_only() {
        let mut population = Population::new(Platform::X.into(), Platform::X.into(), 1, 0.0);
        let user = population.register();
        let old = population.handle(user).into_owned();
        assert_eq!(population.by_handle(&old), Some(user));
        population.set_handle(user, "Fresh_Name", Some(Moment { order: 1, ms: 1 }));
        assert_eq!(population.by_handle("fresh_name"), Some(user));
        assert_eq!(population.by_handle(&old), None);
        assert_eq!(population.by_retired_handle(&old), Some(user));
    }

    #[test]
    fn the_hidden_share_is_about_what_was_asked_for() {
        let mut population = Population::new(Platform::Bluesky.into(), Platform::Bluesky.into(), 7, 0.25);
        let users = population.register_many(10_000);
        let hidden = users.filter(|user| population.is_hidden(*user)).count();
        assert!((2_300..2_700).contains(&hidden), "{hidden}");
    }
}
