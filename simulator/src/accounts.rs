//! Creating accounts and changing them from outside: what an operator or a test does to the world.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    churn::{Churn, ChurnSpec},
    edges::{BACKDATED_MS, Edges},
    error::WorldError,
    growth::{FollowTimes, Growth},
    log::EventKind,
    population::{Account, UserState},
    world::{Platform, Realm, State, World, milliseconds, timestamp},
};

const FOUR_YEARS_MS: u64 = 126_230_400_000;

/// An account to create.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one a switch of the account, as its JSON says it"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountSpec {
    /// Where.
    pub platform: Platform,
    /// X: 1–15 of `A-Za-z0-9_`. Bluesky: a domain name. Gitea: 1–40 of `A-Za-z0-9._-`. GitHub: 1–39 of
    /// `A-Za-z0-9-`. Mastodon: 1–30 of `A-Za-z0-9_.-`, with `@domain` for an account of another server.
    pub handle: String,
    /// Mastodon: the name of the server whose view of the account this is. Default: the first.
    #[serde(default)]
    pub server: Option<String>,
    /// Followers it has already. Default 0.
    #[serde(default)]
    pub followers: u64,
    /// How their follow times are spread between `createdAt` and now.
    #[serde(default)]
    pub growth: Growth,
    /// Default: four years before now.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Bluesky: the profile does not say when the account was created.
    #[serde(default)]
    pub hide_created_at: bool,
    /// Bluesky: so many of the followers, the oldest, are dated before 1970. Default 0.
    #[serde(default)]
    pub backdated: u64,
    /// Display name. Default: made up.
    #[serde(default)]
    pub name: Option<String>,
    /// Bio. Default: made up.
    #[serde(default)]
    pub description: Option<String>,
    /// X: the list is closed to everyone but the account itself. Gitea: a private user, not found without a token.
    /// Mastodon: follows need approval (`locked`).
    #[serde(default)]
    pub protected: bool,
    /// Mastodon: the list is hidden; who asks gets an empty one.
    #[serde(default)]
    pub hide_collections: bool,
    /// Mastodon: the follower count shown, where it is not that of the list. A server knows of an account of
    /// another server only the followers it has itself.
    #[serde(default)]
    pub shown_followers: Option<u64>,
    /// GitHub: an organisation, not a person.
    #[serde(default)]
    pub organization: bool,
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
            server: None,
            followers,
            growth: Growth::default(),
            created_at: None,
            hide_created_at: false,
            backdated: 0,
            name: None,
            description: None,
            protected: false,
            hide_collections: false,
            shown_followers: None,
            organization: false,
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
    /// Mastodon: on which server.
    pub server: Option<String>,
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
    pub(crate) fn find(&self, platform: Platform, who: &str) -> Result<(Realm, u64), WorldError> {
        let (realm, name) = self.locate(platform, who);
        let population = self.population(realm);
        let found = population.by_handle(name).or_else(|| population.by_id(name));
        found
            .map(|user| (realm, user))
            .ok_or_else(|| WorldError::Unknown {
                platform,
                who: who.to_owned(),
            })
    }

    /// The account with this handle or id.
    pub(crate) fn find_account(&self, platform: Platform, who: &str) -> Result<(Realm, u64), WorldError> {
        let (realm, user) = self.find(platform, who)?;
        let known = self.population(realm).accounts.contains_key(&user);
        known
            .then_some((realm, user))
            .ok_or_else(|| WorldError::NotAnAccount {
                platform,
                who: who.to_owned(),
            })
    }

    /// A user of the same realm as an account.
    fn find_in(&self, realm: Realm, who: &str) -> Result<u64, WorldError> {
        let population = self.population(realm);
        let (other, name) = self.locate(realm.platform, who);
        let name = if other == realm { name } else { who };
        let found = population.by_handle(name).or_else(|| population.by_id(name));
        found.ok_or_else(|| WorldError::Unknown {
            platform: realm.platform,
            who: who.to_owned(),
        })
    }

    fn view(&self, realm: Realm, user: u64) -> AccountView {
        let population = self.population(realm);
        let account = population.accounts.get(&user);
        let overlay = population.overlays.get(&user);
        AccountView {
            platform: realm.platform,
            server: self.server_name(realm),
            id: population.public_id(user),
            handle: population.handle(user).into_owned(),
            followers: account.map_or(0, |account| account.edges.len()),
            state: population.state(user),
            protected: overlay.and_then(|overlay| overlay.protected).unwrap_or(false),
            churn: account.map(|account| account.churn.spec).unwrap_or_default(),
        }
    }

    fn check_free(&self, realm: Realm, handle: &str) -> Result<(), WorldError> {
        let platform = realm.platform;
        check_handle(platform, handle)?;
        match self.population(realm).by_handle(handle) {
            None => Ok(()),
            Some(_) => Err(WorldError::HandleTaken {
                platform,
                handle: handle.to_owned(),
            }),
        }
    }
}

impl State {
    /// The realm an account is to be created in.
    fn realm_of(&self, spec: &AccountSpec) -> Result<Realm, WorldError> {
        let first = Realm::from(spec.platform);
        let Some(server) = &spec.server else {
            return Ok(first);
        };
        let known = self
            .servers
            .iter()
            .position(|known| known.eq_ignore_ascii_case(server));
        match known.filter(|_| spec.platform == Platform::Mastodon) {
            Some(server) => Ok(Realm { server, ..first }),
            None => Err(WorldError::invalid(
                "server",
                format!("{server:?} is no Mastodon server of this world; name one of mastodon.servers"),
            )),
        }
    }
}

impl World {
    /// Creates an account with its initial followers, each a new user of its platform.
    pub fn create_account(&self, spec: AccountSpec) -> Result<AccountView, WorldError> {
        let now_ms = self.now_ms();
        let churn = Churn::new(spec.churn, now_ms)?;
        let created_ms = spec
            .created_at
            .map_or_else(|| now_ms.saturating_sub(FOUR_YEARS_MS), milliseconds);
        if created_ms > now_ms {
            let reason = format!("it is after the world's time {}", timestamp(now_ms));
            return Err(WorldError::invalid("createdAt", reason));
        }
        let mut state = self.lock();
        let realm = state.realm_of(&spec)?;
        state.check_free(realm, &spec.handle)?;
        let population = state.population_mut(realm);
        let user = population.register();
        population.set_handle(user, &spec.handle, None);
        let overlay = population.overlays.entry(user).or_default();
        overlay.name = spec.name;
        overlay.description = spec.description;
        overlay.created_ms = Some(created_ms);
        overlay.hide_created = spec.hide_created_at;
        overlay.protected = Some(spec.protected);
        overlay.hide_collections = spec.hide_collections;
        overlay.shown_followers = spec.shown_followers;
        overlay.organization = spec.organization;
        overlay.state = spec.state;
        let seed = population.seed ^ user;
        let followers = population.register_many(spec.followers);
        let edges = if spec.platform == Platform::Bluesky {
            let backdated = spec.backdated.min(spec.followers);
            let count = spec.followers - backdated;
            let (from, to) = (created_ms + BACKDATED_MS, now_ms + BACKDATED_MS);
            let times = FollowTimes::new(spec.growth, from, to, count);
            Edges::dated(seed, followers.start, (backdated, count), times)
        } else {
            let times = FollowTimes::new(spec.growth, created_ms, now_ms, spec.followers);
            Edges::grown(seed, followers.start, spec.followers, times)
        };
        population.accounts.insert(user, Account::new(edges, churn));
        Ok(state.view(realm, user))
    }

    /// The account with this handle or id, as it is now.
    pub fn account(&self, platform: Platform, who: &str) -> Result<AccountView, WorldError> {
        let mut state = self.lock();
        let (realm, user) = state.find_account(platform, who)?;
        state.tick(realm, user, self.now_ms());
        Ok(state.view(realm, user))
    }

    /// Every created account, by platform and creation.
    pub fn accounts(&self) -> Vec<AccountView> {
        let mut state = self.lock();
        state.tick_all(self.now_ms());
        let users = |realm| {
            let accounts = &state.population(realm).accounts;
            accounts.keys().map(move |user| (realm, *user))
        };
        state
            .realms()
            .into_iter()
            .flat_map(users)
            .map(|(realm, user)| state.view(realm, user))
            .collect()
    }

    /// Lets `count` new users follow the account; returns their ids.
    pub fn follow(&self, platform: Platform, who: &str, count: u64) -> Result<Vec<String>, WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let (realm, account) = state.find_account(platform, who)?;
        state.tick(realm, account, now_ms);
        let followers = state.population_mut(realm).register_many(count);
        for follower in followers.clone() {
            state.add_edge(realm, account, follower, now_ms);
        }
        let people = state.population(realm);
        Ok(followers.map(|follower| people.public_id(follower)).collect())
    }

    /// Lets an existing user (handle or id) follow the account; following twice changes nothing.
    pub fn follow_user(&self, platform: Platform, who: &str, follower: &str) -> Result<(), WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let (realm, account) = state.find_account(platform, who)?;
        let user = state.find_in(realm, follower)?;
        state.tick(realm, account, now_ms);
        let edges = state.population(realm).accounts.get(&account);
        if edges.and_then(|account| account.edges.find(user)).is_none() {
            state.add_edge(realm, account, user, now_ms);
        }
        Ok(())
    }

    /// Lets a follower (handle or id) go; says whether it was one.
    pub fn unfollow_user(&self, platform: Platform, who: &str, follower: &str) -> Result<bool, WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let (realm, account) = state.find_account(platform, who)?;
        let user = state.find_in(realm, follower)?;
        state.tick(realm, account, now_ms);
        let edges = state.population(realm).accounts.get(&account);
        let Some(edge) = edges.and_then(|account| account.edges.find(user)) else {
            return Ok(false);
        };
        state.remove_edge(realm, account, edge, now_ms);
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
        let (realm, account) = state.find_account(platform, who)?;
        state.tick(realm, account, now_ms);
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        for done in 0..count {
            let edges = state.population(realm).accounts.get(&account);
            let Some(edge) = edges.and_then(|account| account.edges.at(index)) else {
                return Ok(done);
            };
            state.remove_edge(realm, account, edge, now_ms);
        }
        Ok(count)
    }

    /// Changes how the account's list changes by itself, from now on.
    pub fn set_churn(&self, platform: Platform, who: &str, spec: ChurnSpec) -> Result<(), WorldError> {
        let now_ms = self.now_ms();
        let churn = Churn::new(spec, now_ms)?;
        let mut state = self.lock();
        let (realm, user) = state.find_account(platform, who)?;
        state.tick(realm, user, now_ms);
        if let Some(account) = state.population_mut(realm).accounts.get_mut(&user) {
            account.churn = churn;
        }
        Ok(())
    }

    /// Gives any user (handle or id) another handle; the id stays. The old handle is not found, or on Gitea
    /// redirected.
    pub fn rename(&self, platform: Platform, who: &str, handle: &str) -> Result<(), WorldError> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let (realm, user) = state.find(platform, who)?;
        state.check_free(realm, handle)?;
        let at = state.next_moment(now_ms);
        state.population_mut(realm).set_handle(user, handle, Some(at));
        state.record_event(realm, EventKind::Rename, 0, user, at);
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
        let (realm, user) = state.find(platform, who)?;
        state.change_state(realm, user, to, now_ms);
        Ok(())
    }

    /// X, Gitea: opens or closes a user's list. Mastodon: whether follows need approval.
    pub fn set_protected(&self, platform: Platform, who: &str, protected: bool) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (realm, user) = state.find(platform, who)?;
        let population = state.population_mut(realm);
        population.overlays.entry(user).or_default().protected = Some(protected);
        Ok(())
    }

    /// Mastodon: hides a user's lists, or shows them again.
    pub fn set_hide_collections(&self, platform: Platform, who: &str, hide: bool) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (realm, user) = state.find(platform, who)?;
        let population = state.population_mut(realm);
        population.overlays.entry(user).or_default().hide_collections = hide;
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
        Platform::Github => (of("-", 39), "1 to 39 of A-Z a-z 0-9 -"),
        Platform::Mastodon => (
            is_acct(handle),
            "1 to 30 of A-Z a-z 0-9 _ . -, with or without @domain",
        ),
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

fn is_acct(handle: &str) -> bool {
    let plain = |text: &str, extra: &str, longest: usize| {
        (1..=longest).contains(&text.len())
            && text
                .chars()
                .all(|symbol| symbol.is_ascii_alphanumeric() || extra.contains(symbol))
    };
    match handle.split_once('@') {
        None => plain(handle, "_.-", 30),
        Some((name, domain)) => plain(name, "_.-", 30) && plain(domain, ".-", 253) && domain.contains('.'),
    }
}
