//! Creating accounts and changing them from outside: what an operator or a test does to the world.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    churn::{Churn, ChurnSpec},
    edges::Edges,
    error::WorldError,
    growth::{FollowTimes, Growth},
    ids::public_id,
    log::EventKind,
    population::{Account, UserState},
    world::{Platform, State, World, milliseconds, timestamp},
};

const FOUR_YEARS_MS: u64 = 126_230_400_000;

/// An account to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountSpec {
    /// Where.
    pub platform: Platform,
    /// X: 1–15 of `A-Za-z0-9_`. Bluesky: a domain name. Gitea: 1–40 of `A-Za-z0-9._-`.
    pub handle: String,
    /// Followers it has already. Default 0.
    #[serde(default)]
    pub followers: u64,
    /// How their follow times are spread between `createdAt` and now.
    #[serde(default)]
    pub growth: Growth,
    /// Default: four years before now.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Display name. Default: made up.
    #[serde(default)]
    pub name: Option<String>,
    /// Bio. Default: made up.
    #[serde(default)]
    pub description: Option<String>,
    /// X: the list is closed to everyone but the account itself.
    #[serde(default)]
    pub protected: bool,
    /// Whether the account can be seen.
    #[serde(default)]
    pub state: UserState,
    /// How the list changes by itself.
    #[serde(default)]
    pub churn: ChurnSpec,
}

impl AccountSpec {
    /// An ordinary account with so many followers.
    pub fn new(platform: Platform, handle: impl Into<String>, followers: u64) -> Self {
        Self {
            platform,
            handle: handle.into(),
            followers,
            growth: Growth::default(),
            created_at: None,
            name: None,
            description: None,
            protected: false,
            state: UserState::default(),
            churn: ChurnSpec::default(),
        }
    }
}

/// An account as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Where.
    pub platform: Platform,
    /// The platform's own id.
    pub id: String,
    /// The current handle.
    pub handle: String,
    /// Live follower edges, hidden followers included: what the platform shows as the count.
    pub followers: u64,
    /// Whether it can be seen.
    pub state: UserState,
    /// Whether its list is closed.
    pub protected: bool,
    /// How its list changes by itself.
    pub churn: ChurnSpec,
}

impl State {
    /// The user with this handle or id.
    pub(crate) fn find(&self, platform: Platform, who: &str) -> Result<u64, WorldError> {
        let population = self.population(platform);
        let found = population.by_handle(who).or_else(|| population.by_id(who));
        found.ok_or_else(|| WorldError::Unknown {
            platform,
            who: who.to_owned(),
        })
    }

    /// The account with this handle or id.
    pub(crate) fn find_account(&self, platform: Platform, who: &str) -> Result<u64, WorldError> {
        let user = self.find(platform, who)?;
        let known = self.population(platform).accounts.contains_key(&user);
        known.then_some(user).ok_or_else(|| WorldError::NotAnAccount {
            platform,
            who: who.to_owned(),
        })
    }

    fn view(&self, platform: Platform, user: u64) -> AccountView {
        let population = self.population(platform);
        let account = population.accounts.get(&user);
        let overlay = population.overlays.get(&user);
        AccountView {
            platform,
            id: public_id(platform, user),
            handle: population.handle(user).into_owned(),
            followers: account.map_or(0, |account| {
                u64::try_from(account.edges.len()).unwrap_or(u64::MAX)
            }),
            state: population.state(user),
            protected: overlay.and_then(|overlay| overlay.protected).unwrap_or(false),
            churn: account.map(|account| account.churn.spec).unwrap_or_default(),
        }
    }

    fn check_free(&self, platform: Platform, handle: &str) -> Result<(), WorldError> {
        check_handle(platform, handle)?;
        match self.population(platform).by_handle(handle) {
            None => Ok(()),
            Some(_) => Err(WorldError::HandleTaken {
                platform,
                handle: handle.to_owned(),
            }),
        }
    }
}

impl World {
    /// Creates an account with its initial followers, each a new user of its platform.
    pub fn create_account(&self, spec: AccountSpec) -> Result<AccountView, WorldError> {
        let now_ms = self.now_ms();
        let platform = spec.platform;
        let churn = Churn::new(spec.churn, now_ms)?;
        let created_ms = spec
            .created_at
            .map_or_else(|| now_ms.saturating_sub(FOUR_YEARS_MS), milliseconds);
        if created_ms > now_ms {
            let reason = format!("it is after the world's time {}", timestamp(now_ms));
            return Err(WorldError::invalid("createdAt", reason));
        }
        let mut state = self.lock();
        state.check_free(platform, &spec.handle)?;
        let population = state.population_mut(platform);
        let user = population.register();
        population.set_handle(user, &spec.handle, false);
        let overlay = population.overlays.entry(user).or_default();
        overlay.name = spec.name;
        overlay.description = spec.description;
        overlay.created_ms = Some(created_ms);
        overlay.protected = Some(spec.protected);
        overlay.state = spec.state;
        let seed = population.seed ^ user;
        let times = FollowTimes::new(spec.growth, created_ms, now_ms, spec.followers);
        let mut edges = Edges::default();
        for (nth, follower) in (0..).zip(population.register_many(spec.followers)) {
            edges.push(times.nth(seed, nth), follower);
        }
        population.accounts.insert(
            user,
            Account {
                edges,
                churn,
                tokens: std::collections::BTreeMap::new(),
            },
        );
        Ok(state.view(platform, user))
    }

    /// The account with this handle or id, as it is now.
    pub fn account(&self, platform: Platform, who: &str) -> Result<AccountView, WorldError> {
        let mut state = self.lock();
        let user = state.find_account(platform, who)?;
        state.tick(platform, user, self.now_ms());
        Ok(state.view(platform, user))
    }

    /// Every created account, by platform and creation.
    pub fn accounts(&self) -> Vec<AccountView> {
        let mut state = self.lock();
        state.tick_all(self.now_ms());
        let users = |platform| {
            state
                .population(platform)
                .accounts
                .keys()
                .map(move |user| (platform, *user))
        };
        Platform::ALL
            .into_iter()
            .flat_map(users)
            .map(|(platform, user)| state.view(platform, user))
            .collect()
    }

    /// Lets `count` new users follow the account; returns their ids.
    pub fn follow(&self, platform: Platform, who: &str, count: u64) -> Result<Vec<String>, WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let account = state.find_account(platform, who)?;
        state.tick(platform, account, now_ms);
        let followers = state.population_mut(platform).register_many(count);
        for follower in followers.clone() {
            state.add_edge(platform, account, follower, now_ms);
        }
        Ok(followers.map(|follower| public_id(platform, follower)).collect())
    }

    /// Lets an existing user (handle or id) follow the account; following twice changes nothing.
    pub fn follow_user(&self, platform: Platform, who: &str, follower: &str) -> Result<(), WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let account = state.find_account(platform, who)?;
        let user = state.find(platform, follower)?;
        state.tick(platform, account, now_ms);
        let edges = state.population(platform).accounts.get(&account);
        if edges.and_then(|account| account.edges.index_of(user)).is_none() {
            state.add_edge(platform, account, user, now_ms);
        }
        Ok(())
    }

    /// Lets a follower (handle or id) go; says whether it was one.
    pub fn unfollow_user(&self, platform: Platform, who: &str, follower: &str) -> Result<bool, WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let account = state.find_account(platform, who)?;
        let user = state.find(platform, follower)?;
        state.tick(platform, account, now_ms);
        let edges = state.population(platform).accounts.get(&account);
        let Some(index) = edges.and_then(|account| account.edges.index_of(user)) else {
            return Ok(false);
        };
        state.remove_edge(platform, account, index, now_ms);
        Ok(true)
    }

    /// Lets the `count` followers at `index` (0 = oldest) go; returns how many there were.
    pub fn unfollow_at(
        &self,
        platform: Platform,
        who: &str,
        index: usize,
        count: u64,
    ) -> Result<u64, WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let account = state.find_account(platform, who)?;
        state.tick(platform, account, now_ms);
        let before = state.view(platform, account).followers;
        for _ in 0..count {
            state.remove_edge(platform, account, index, now_ms);
        }
        Ok(before - state.view(platform, account).followers)
    }

    /// Changes how the account's list changes by itself, from now on.
    pub fn set_churn(&self, platform: Platform, who: &str, spec: ChurnSpec) -> Result<(), WorldError> {
        let now_ms = self.now_ms();
        let churn = Churn::new(spec, now_ms)?;
        let mut state = self.lock();
        let user = state.find_account(platform, who)?;
        state.tick(platform, user, now_ms);
        if let Some(account) = state.population_mut(platform).accounts.get_mut(&user) {
            account.churn = churn;
        }
        Ok(())
    }

    /// Gives any user (handle or id) another handle; the id stays. The old handle is not found, or on Gitea
    /// redirected.
    pub fn rename(&self, platform: Platform, who: &str, handle: &str) -> Result<(), WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let user = state.find(platform, who)?;
        state.check_free(platform, handle)?;
        state.population_mut(platform).set_handle(user, handle, true);
        state.record_event(platform, EventKind::Rename, 0, user, 0, now_ms);
        Ok(())
    }

    /// Suspends, deactivates or revives any user (handle or id); hidden users stay counted and are not listed.
    pub fn set_state(&self, platform: Platform, who: &str, to: UserState) -> Result<(), WorldError> {
        if platform == Platform::Gitea {
            return Err(WorldError::invalid(
                "state",
                "Gitea lists every user; unfollow instead",
            ));
        }
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let user = state.find(platform, who)?;
        let population = state.population_mut(platform);
        let was_hidden = population.is_hidden(user);
        population.overlays.entry(user).or_default().state = to;
        match (was_hidden, population.is_hidden(user)) {
            (false, true) => state.record_event(platform, EventKind::Hide, 0, user, 0, now_ms),
            (true, false) => state.record_event(platform, EventKind::Show, 0, user, 0, now_ms),
            _ => {}
        }
        Ok(())
    }

    /// X: opens or closes a user's list.
    pub fn set_protected(&self, platform: Platform, who: &str, protected: bool) -> Result<(), WorldError> {
        let mut state = self.lock();
        let user = state.find(platform, who)?;
        state
            .population_mut(platform)
            .overlays
            .entry(user)
            .or_default()
            .protected = Some(protected);
        Ok(())
    }
}

fn check_handle(platform: Platform, handle: &str) -> Result<(), WorldError> {
    let of = |extra: &str, longest: usize| {
        (1..=longest).contains(&handle.len())
            && handle
                .chars()
                .all(|symbol| symbol.is_ascii_alphanumeric() || extra.contains(symbol))
    };
    let (good, rule) = match platform {
        Platform::X => (of("_", 15), "1 to 15 of A-Z a-z 0-9 _"),
        Platform::Gitea => (of("._-", 40), "1 to 40 of A-Z a-z 0-9 . _ -"),
        Platform::Bluesky => (
            of(".-", 253) && handle.contains('.'),
            "a domain name, for instance nasa.bsky.social",
        ),
    };
    if good {
        Ok(())
    } else {
        Err(WorldError::invalid("handle", format!("{handle:?} is not {rule}")))
    }
}
