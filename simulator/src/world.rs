//! The world: one lock around everything that changes, and the one path every platform request takes.
//!
//! The lock is never held across an await. Faults, churn and the request log live in [`World::answer`], so that a
//! platform's page only says what the platform would say.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng as _};

use crate::{
    answer::{Answer, Ask, Subject, Turn},
    config::{MastodonServer, WorldConfig},
    credits::Credits,
    edges::Edge,
    faults::Faults,
    log::{Event, EventKind, Kept, Request, Rows, Totals},
    moment::Moment,
    oauth::OAuth,
    population::Population,
    windows::Windows,
    x::web::WebSessions,
};

pub(crate) use crate::place::Realm;
pub use crate::place::{Endpoint, Platform};

/// Where the world takes the time from; it must not go backwards.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The platforms with all their users; shared by the router and the tests that watch it.
pub struct World {
    pub(crate) config: WorldConfig,
    clock: Clock,
    fallback: MastodonServer,
    state: Mutex<State>,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) rng: ChaCha12Rng,
    x: Population,
    bluesky: Population,
    gitea: Population,
    github: Population,
    /// The first server is always there.
    mastodon: Population,
    more_mastodon: Vec<Population>,
    /// Names of the Mastodon servers, in their order.
    pub(crate) servers: Vec<String>,
    /// Requests being answered now, by principal.
    pub(crate) in_flight: BTreeMap<String, u32>,
    pub(crate) events: Kept<Event>,
    pub(crate) requests: Kept<Request>,
    pub(crate) totals: Totals,
    pub(crate) order: u64,
    pub(crate) windows: Windows,
    pub(crate) credits: Credits,
    pub(crate) oauth: OAuth,
    pub(crate) web: WebSessions,
    pub(crate) faults: Faults,
}

/// What a platform does with a request: reads and changes the state, says what goes back.
pub(crate) type Serve = fn(&mut State, &Turn<'_>) -> Answer;

impl World {
    /// An empty world. The same seed, clock and requests give the same bytes.
    pub fn new(mut config: WorldConfig, clock: Clock) -> Self {
        config.mastodon.servers = config.mastodon.servers();
        let mut faults = Faults::default();
        for fault in &config.faults {
            faults.add(fault.clone());
        }
        let crowd =
            |platform: Platform, share| Population::new(platform.into(), platform.into(), config.seed, share);
        let servers = &config.mastodon.servers;
        let mastodon = |(server, known): (usize, &MastodonServer)| {
            let realm = Realm {
                platform: Platform::Mastodon,
                server,
            };
            Population::new(realm, known.ids.into(), config.seed, known.hidden_share)
        };
        let mut crowds = servers.iter().enumerate().map(mastodon);
        let state = State {
            rng: ChaCha12Rng::seed_from_u64(config.seed),
            x: crowd(Platform::X, config.x.hidden_share),
            bluesky: crowd(Platform::Bluesky, config.bluesky.hidden_share),
            gitea: crowd(Platform::Gitea, 0.0),
            github: crowd(Platform::Github, config.github.hidden_share),
            mastodon: crowds.next().unwrap_or_else(|| crowd(Platform::Mastodon, 0.0)),
            more_mastodon: crowds.collect(),
            servers: servers.iter().map(|server| server.host.clone()).collect(),
            in_flight: BTreeMap::new(),
            events: Kept::new(config.log.events),
            requests: Kept::new(config.log.requests),
            totals: Totals::default(),
            order: 0,
            windows: Windows::default(),
            credits: Credits::new(&config.x.pricing),
            oauth: OAuth::new(&config.x.apps),
            web: WebSessions::new(&config.x.web.sessions),
            faults,
        };
        Self {
            config,
            clock,
            fallback: MastodonServer::default(),
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
            state.tick(ask.realm, user, now_ms);
        }
        let fault = state.draw_fault(ask, subject);
        let turn = Turn {
            config: &self.config,
            now,
            now_ms,
            ask,
            subject,
            fault: fault.as_ref(),
            fallback: &self.fallback,
        };
        let mut answer = serve(state, &turn);
        if let Some(fault) = &fault {
            answer.suffer(fault);
        }
        answer.wait(self.config.latency_ms);
        answer.date(now_ms);
        let order = state.next_order();
        let rows = std::mem::take(&mut answer.rows);
        state.record_request(Request {
            order,
            at: now,
            realm: ask.realm,
            endpoint: ask.endpoint,
            account: subject,
            asked: ask.subject.text().map(str::to_owned),
            cursor: ask.cursor().map(str::to_owned),
            principal: answer.principal.clone(),
            token: ask.token_fingerprint(),
            status: answer.status,
            rows: Rows::pack(&rows),
            row_count: u64::try_from(rows.len()).unwrap_or(0),
            charged_nano_usd: answer.charged_nano_usd,
            fault: fault.map(|fault| fault.to_string()),
            lost: answer.is_lost(),
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
    pub(crate) fn population(&self, realm: impl Into<Realm>) -> &Population {
        let realm = realm.into();
        match realm.platform {
            Platform::X => &self.x,
            Platform::Bluesky => &self.bluesky,
            Platform::Gitea => &self.gitea,
            Platform::Github => &self.github,
            Platform::Mastodon => {
                let other = realm.server.checked_sub(1);
                other
                    .and_then(|other| self.more_mastodon.get(other))
                    .unwrap_or(&self.mastodon)
            }
        }
    }

    pub(crate) fn population_mut(&mut self, realm: impl Into<Realm>) -> &mut Population {
        let realm = realm.into();
        match realm.platform {
            Platform::X => &mut self.x,
            Platform::Bluesky => &mut self.bluesky,
            Platform::Gitea => &mut self.gitea,
            Platform::Github => &mut self.github,
            Platform::Mastodon => {
                let other = realm.server.checked_sub(1);
                other
                    .and_then(|other| self.more_mastodon.get_mut(other))
                    .unwrap_or(&mut self.mastodon)
            }
        }
    }

    /// Every realm there is.
    pub(crate) fn realms(&self) -> Vec<Realm> {
        let servers = |platform| match platform {
            Platform::Mastodon => self.servers.len(),
            _ => 1,
        };
        Platform::ALL
            .into_iter()
            .flat_map(|platform| (0..servers(platform)).map(move |server| Realm { platform, server }))
            .collect()
    }

    /// Which realm a name of an operator means, and the name inside it: on Mastodon a last `@server` chooses the
    /// server, as long as there is one of that name.
    pub(crate) fn locate<'a>(&self, platform: Platform, who: &'a str) -> (Realm, &'a str) {
        let here = (Realm::from(platform), who);
        if platform != Platform::Mastodon {
            return here;
        }
        let Some((name, host)) = who.rsplit_once('@') else {
            return here;
        };
        let known = self
            .servers
            .iter()
            .position(|known| known.eq_ignore_ascii_case(host));
        known.map_or(here, |server| (Realm { platform, server }, name))
    }

    /// Brings the churn of every account up to now, for readers of the whole event log.
    pub(crate) fn tick_all(&mut self, now_ms: u64) {
        for realm in self.realms() {
            let accounts: Vec<u64> = self.population(realm).accounts.keys().copied().collect();
            for user in accounts {
                self.tick(realm, user, now_ms);
            }
        }
    }

    /// The next moment of the world's history, at this time of its clock.
    pub(crate) fn next_moment(&mut self, ms: u64) -> Moment {
        Moment {
            order: self.next_order(),
            ms,
        }
    }

    pub(crate) fn add_edge(&mut self, realm: Realm, account: u64, follower: u64, ms: u64) {
        let born = self.next_moment(ms);
        if let Some(found) = self.population_mut(realm).accounts.get_mut(&account) {
            found.edges.push(follower, born);
            self.record_event(realm, EventKind::Follow, account, follower, born);
        }
    }

    pub(crate) fn remove_edge(&mut self, realm: Realm, account: u64, edge: Edge, ms: u64) {
        let at = self.next_moment(ms);
        if let Some(found) = self.population_mut(realm).accounts.get_mut(&account) {
            found.edges.end(edge, at);
            self.record_event(realm, EventKind::Unfollow, account, edge.user, at);
        }
    }

    fn resolve(&self, ask: &Ask) -> Option<u64> {
        let population = self.population(ask.realm);
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
