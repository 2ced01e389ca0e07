//! The users of one platform: numbers, names that differ from the made-up ones, and the accounts with followers.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    churn::Churn,
    edges::Edges,
    ids::{mix, number_of},
    synth,
    world::Platform,
};

/// Whether a user can be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserState {
    /// Seen by everyone.
    #[default]
    Active,
    /// X: suspended. Bluesky: taken down.
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
    pub(crate) protected: Option<bool>,
    pub(crate) state: UserState,
}

/// A pagination token given out by X.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IssuedToken {
    pub(crate) position: u64,
    pub(crate) backwards: bool,
    pub(crate) issued_ms: u64,
}

/// A user with a follower list.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) edges: Edges,
    pub(crate) churn: Churn,
    pub(crate) tokens: BTreeMap<u64, IssuedToken>,
}

/// Everybody on one platform.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) platform: Platform,
    pub(crate) seed: u64,
    /// Share of users that never appear, as a threshold on a hash; u64 so that the comparison is exact.
    pub(crate) hidden_below: u64,
    next_user: u64,
    pub(crate) overlays: BTreeMap<u64, Overlay>,
    handles: BTreeMap<String, u64>,
    /// Handles that somebody gave up: Gitea redirects them, elsewhere they are not found.
    retired: BTreeMap<String, u64>,
    pub(crate) accounts: BTreeMap<u64, Account>,
}

impl Population {
    pub(crate) fn new(platform: Platform, seed: u64, hidden_share: f64) -> Self {
        Self {
            platform,
            seed: mix(seed, 0x5EED + platform as u64),
            hidden_below: share_of_u32(hidden_share),
            next_user: 1,
            overlays: BTreeMap::new(),
            handles: BTreeMap::new(),
            retired: BTreeMap::new(),
            accounts: BTreeMap::new(),
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
        let user = synth::number_of_handle(self.platform, &lower)?;
        let renamed = self
            .overlays
            .get(&user)
            .is_some_and(|overlay| overlay.handle.is_some());
        (self.exists(user) && !renamed).then_some(user)
    }

    /// Who had this handle before a rename.
    pub(crate) fn by_retired_handle(&self, handle: &str) -> Option<u64> {
        self.retired.get(&handle.to_ascii_lowercase()).copied()
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<u64> {
        number_of(self.platform, id).filter(|user| self.exists(*user))
    }

    pub(crate) fn handle(&self, user: u64) -> Cow<'_, str> {
        match self
            .overlays
            .get(&user)
            .and_then(|overlay| overlay.handle.as_deref())
        {
            Some(handle) => Cow::Borrowed(handle),
            None => Cow::Owned(synth::handle(self.platform, user)),
        }
    }

    /// Gives `user` the handle; the old one is retired. The caller has checked that it is free.
    pub(crate) fn set_handle(&mut self, user: u64, handle: &str, retire_old: bool) {
        if retire_old {
            let old = self.handle(user).to_ascii_lowercase();
            self.handles.remove(&old);
            self.retired.insert(old, user);
        }
        let lower = handle.to_ascii_lowercase();
        self.retired.remove(&lower);
        self.handles.insert(lower, user);
        self.overlays.entry(user).or_default().handle = Some(handle.to_owned());
    }

    pub(crate) fn state(&self, user: u64) -> UserState {
        self.overlays
            .get(&user)
            .map(|overlay| overlay.state)
            .unwrap_or_default()
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
        let mut population = Population::new(Platform::X, 1, 0.0);
        let user = population.register();
        let old = population.handle(user).into_owned();
        assert_eq!(population.by_handle(&old), Some(user));
        population.set_handle(user, "Fresh_Name", true);
        assert_eq!(population.by_handle("fresh_name"), Some(user));
        assert_eq!(population.by_handle(&old), None);
        assert_eq!(population.by_retired_handle(&old), Some(user));
    }

    #[test]
    fn the_hidden_share_is_about_what_was_asked_for() {
        let mut population = Population::new(Platform::Bluesky, 7, 0.25);
        let users = population.register_many(10_000);
        let hidden = users.filter(|user| population.is_hidden(*user)).count();
        assert!((2_300..2_700).contains(&hidden), "{hidden}");
    }
}
