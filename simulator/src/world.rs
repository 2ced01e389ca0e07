//! The world: one lock around everything that changes, and the one path every platform request takes.
//!
//! The lock is never held across an await. Faults, churn and the request log live in [`World::answer`], so that a
//! platform's page only says what the platform would say.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Ask, Subject, Turn},
    config::WorldConfig,
    credits::Credits,
    faults::Faults,
    log::{Event, EventKind, Request},
    oauth::OAuth,
    population::Population,
    windows::Windows,
};

/// Where the world takes the time from; it must not go backwards.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A platform the world plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Platform {
    /// X API v2.
    X,
    /// Bluesky's `AppView`.
    Bluesky,
    /// A Gitea server.
    Gitea,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 3] = [Self::X, Self::Bluesky, Self::Gitea];
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::X => "x",
            Self::Bluesky => "bluesky",
            Self::Gitea => "gitea",
        })
    }
}

/// A kind of route, the same words on every platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoint {
    /// The look-up of one account by handle or id.
    Account,
    /// A page of followers.
    Followers,
    /// X: the token's own user.
    Me,
    /// X: the OAuth 2 token endpoint.
    Token,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Account => "account",
            Self::Followers => "followers",
            Self::Me => "me",
            Self::Token => "token",
        })
    }
}

/// The platforms with all their users; shared by the router and the tests that watch it.
pub struct World {
    pub(crate) config: WorldConfig,
    clock: Clock,
    state: Mutex<State>,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) rng: ChaCha12Rng,
    x: Population,
    bluesky: Population,
    gitea: Population,
    pub(crate) events: Vec<Event>,
    pub(crate) requests: Vec<Request>,
    pub(crate) order: u64,
    pub(crate) windows: Windows,
    pub(crate) credits: Credits,
    pub(crate) oauth: OAuth,
    pub(crate) faults: Faults,
}

/// What a platform does with a request: reads and changes the state, says what goes back.
pub(crate) type Serve = fn(&mut State, &Turn<'_>) -> Answer;

impl World {
    /// An empty world. The same seed, clock and requests give the same bytes.
    pub fn new(config: WorldConfig, clock: Clock) -> Self {
        let state = State {
            rng: ChaCha12Rng::seed_from_u64(config.seed),
            x: Population::new(Platform::X, config.seed, config.x.hidden_share),
            bluesky: Population::new(Platform::Bluesky, config.seed, config.bluesky.hidden_share),
            gitea: Population::new(Platform::Gitea, config.seed, 0.0),
            events: Vec::new(),
            requests: Vec::new(),
            order: 0,
            windows: Windows::default(),
            credits: Credits::new(&config.x.pricing),
            oauth: OAuth::new(&config.x.apps),
            faults: Faults::default(),
        };
        Self {
            config,
            clock,
            state: Mutex::new(state),
        }
    }

    /// The settings this world was made with.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        milliseconds(self.now())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere must still be able to read the logs.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one platform request and writes it into the log.
    pub(crate) fn answer(&self, ask: &Ask, serve: Serve) -> Answer {
        let now = self.now();
        let now_ms = milliseconds(now);
        let mut guard = self.lock();
        let state = &mut *guard;
        let subject = state.resolve(ask);
        if let Some(user) = subject {
            state.tick(ask.platform, user, now_ms);
        }
        let fault = state.draw_fault(ask, subject);
        let turn = Turn {
            config: &self.config,
            now,
            now_ms,
            ask,
            subject,
            fault: fault.as_ref(),
        };
        let mut answer = serve(state, &turn);
        if let Some(fault) = &fault {
            answer.suffer(fault);
        }
        answer.delay_ms += self.config.latency_ms;
        let order = state.next_order();
        state.requests.push(Request {
            order,
            at: now,
            platform: ask.platform,
            endpoint: ask.endpoint,
            account: subject,
            asked: ask.subject.text().map(str::to_owned),
            cursor: ask.cursor().map(str::to_owned),
            principal: answer.principal.clone(),
            token: ask.token_fingerprint(),
            status: answer.status,
            rows: std::mem::take(&mut answer.rows),
            charged_nano_usd: answer.charged_nano_usd,
            fault: fault.map(|fault| fault.to_string()),
            lost: answer.lost,
        });
        answer
    }
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn population(&self, platform: Platform) -> &Population {
        match platform {
            Platform::X => &self.x,
            Platform::Bluesky => &self.bluesky,
            Platform::Gitea => &self.gitea,
        }
    }

    pub(crate) fn population_mut(&mut self, platform: Platform) -> &mut Population {
        match platform {
            Platform::X => &mut self.x,
            Platform::Bluesky => &mut self.bluesky,
            Platform::Gitea => &mut self.gitea,
        }
    }

    /// Brings the churn of every account up to now, for readers of the whole event log.
    pub(crate) fn tick_all(&mut self, now_ms: u64) {
        for platform in Platform::ALL {
            let accounts: Vec<u64> = self.population(platform).accounts.keys().copied().collect();
            for user in accounts {
                self.tick(platform, user, now_ms);
            }
        }
    }

    pub(crate) fn add_edge(&mut self, platform: Platform, account: u64, follower: u64, ms: u64) {
        let Some(found) = self.population_mut(platform).accounts.get_mut(&account) else {
            return;
        };
        let key = found.edges.push(ms, follower);
        self.record_event(platform, EventKind::Follow, account, follower, key, ms);
    }

    pub(crate) fn remove_edge(&mut self, platform: Platform, account: u64, index: usize, ms: u64) {
        let Some(found) = self.population_mut(platform).accounts.get_mut(&account) else {
            return;
        };
        if let Some(edge) = found.edges.remove_at(index) {
            self.record_event(platform, EventKind::Unfollow, account, edge.user, edge.key, ms);
        }
    }

    fn resolve(&self, ask: &Ask) -> Option<u64> {
        let population = self.population(ask.platform);
        match &ask.subject {
            Subject::Handle(handle) => population.by_handle(handle),
            Subject::Id(id) => population.by_id(id),
            Subject::Nobody => None,
        }
    }
}

/// Milliseconds since the epoch; times before it are the epoch.
pub(crate) fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

/// The timestamp of a millisecond count; beyond the calendar's end it is the calendar's end.
pub(crate) fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}
