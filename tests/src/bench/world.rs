//! A calm world in virtual time: real runners, broker, ledger and simulated platforms in one thread, messages
//! that take their time, and nothing that goes wrong unless a bench kills somebody.

mod fleet;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use followlytics_api::{
    broker::Broker,
    credentials::{Credentials, MemorySecrets, Secret, SecretStore as _},
};
use followlytics_core::{
    account::{AccountRef, Platform},
    money::Usd,
    platform::{Auth, Family},
    scan::{
        plan::Wishes,
        range::Kind,
        summary::{Stage, Summary},
        window::Rule,
    },
    wire::Mode,
};
use followlytics_platforms::{
    clock::{Clock as _, TokioClock},
    http::from_service,
};
use followlytics_simulator::{AccountSpec, Endpoint, Growth, World, WorldConfig, router};
use followlytics_store::{
    db::Db,
    ledger::{Ledger, SandboxIdentity, ScanRequest},
    objects::Objects,
    params,
};
use jiff::{SignedDuration, Timestamp};

use self::fleet::Fleet;
use crate::toolkit::{X_TOKEN, simulated};

/// A scan of a bench.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Where.
    pub platform: Platform,
    /// Followers.
    pub followers: u64,
    /// Runners at once.
    pub runners: u32,
    /// Rows a range aims at.
    pub rows_per_range: u32,
    /// Seconds after the world's beginning.
    pub after_seconds: i64,
}

/// How an account's followers came.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How they are spread over its life.
    pub growth: Growth,
    /// Days since it was created.
    pub days: i64,
    /// Whether its profile says so.
    pub is_age_known: bool,
}

/// A world of a bench.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How the followers of every account came; four years of steady growth by default.
    pub shape: Option<Shape>,
    /// The scans, all on one credential for each platform.
    pub listings: Vec<Listing>,
    /// Milliseconds a request to a platform takes.
    pub page_ms: i64,
    /// Milliseconds a message to the broker takes, both ways together.
    pub broker_ms: i64,
    /// Follower requests a window and its length in milliseconds; `None` = no limit.
    pub window: Option<(i64, i64)>,
    /// Runners killed, one every `kill_every_ms` while they work.
    pub kills: u32,
    /// See `kills`.
    pub kill_every_ms: i64,
    /// The requests of the runner with this number (from 1) take so many times as long.
    pub slow: (u32, i64),
}

impl Setup {
    /// One or more scans where a page takes 0.3 s and nothing is limited.
    pub const fn of(listings: Vec<Listing>) -> Self {
        Self {
            listings,
            shape: None,
            page_ms: 300,
            broker_ms: 2,
            window: None,
            kills: 0,
            kill_every_ms: 0,
            slow: (1, 1),
        }
    }
}

/// A scan that was listed to its end.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What it was.
    pub listing: Listing,
    /// What the ledger says of it.
    pub summary: Summary,
    /// Listing ranges at the end, splits among them.
    pub ranges: i64,
    /// From its request to its last page.
    pub took: SignedDuration,
}

/// What a world came to.
#[derive(Debug)]
pub struct Facts {
    /// The scans, as they were given.
    pub scans: Vec<Listed>,
    /// Requests in the platforms' own logs.
    pub requests: u64,
    /// Those of lists, probes among them.
    pub listing_requests: u64,
    /// From the start of the first of those to the end of the last.
    pub listing: SignedDuration,
    /// Runners that were killed.
    pub kills: u32,
}

/// The instant at which every bench begins.
const EPOCH: i64 = 1_790_000_000;
/// How often the driver looks, in milliseconds.
const LOOK_MS: i64 = 50;
/// A world that is not through after so many seconds never will be.
const PATIENCE: i64 = 30 * 86_400;

/// Runs a world until every scan is listed.
pub fn run(setup: Setup) -> Result<Facts> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(async { Bench::new(setup)?.run().await })
}

struct Bench {
    setup: Setup,
    clock: TokioClock,
    began: Timestamp,
    world: Arc<World>,
    ledger: Ledger,
    db: Db,
    fleet: Fleet,
    requests: Vec<ScanRequest>,
    done: Vec<bool>,
}

impl Bench {
    fn new(setup: Setup) -> Result<Self> {
        let began = Timestamp::from_second(EPOCH)?;
        let clock = TokioClock::starting_at(began);
        let db = Db::memory()?;
        let ledger = ledger_of(db.clone(), move || clock.now());
        let world = Arc::new(World::new(world_config(&setup), Arc::new(move || clock.now())));
        let mut requests = Vec::new();
        for (number, listing) in setup.listings.iter().enumerate() {
            let request = request(&setup, listing, number)?;
            let mut account = AccountSpec::new(
                simulated(listing.platform),
                &request.account.handle,
                listing.followers,
            );
            if let Some(shape) = setup.shape {
                account.growth = shape.growth;
                account.created_at = Some(began - SignedDuration::from_hours(24 * shape.days));
                account.hide_created_at = !shape.is_age_known;
            }
            world.create_account(account)?;
            requests.push(request);
        }
        let secrets = Arc::new(MemorySecrets::default());
        secrets.put(
            "default/x",
            &Secret {
                access_token: X_TOKEN.to_owned(),
                ..Secret::default()
            },
        )?;
        let platform = from_service::<_, axum::body::Body, axum::body::Body>(router(Arc::clone(&world)));
        let credentials = Arc::new(Credentials::new(secrets, platform.clone(), ledger.clone()));
        let broker = Broker::new(ledger.clone(), Objects::memory(), credentials).router();
        let fleet = Fleet::new(&setup, clock, ledger.clone(), broker, platform);
        let done = vec![false; requests.len()];
        Ok(Self {
            setup,
            clock,
            began,
            world,
            ledger,
            db,
            fleet,
            requests,
            done,
        })
    }

    async fn run(mut self) -> Result<Facts> {
        let mut kills = 0;
        while self.done.iter().any(|done| !done) {
            let passed = self.clock.now().duration_since(self.began);
            ensure!(passed.as_secs() < PATIENCE, "the scans do not come to an end");
            self.fleet.reap().await?;
            for index in 0..self.requests.len() {
                self.control(index, passed.as_secs()).await?;
            }
            // Never in step with the pages: every moment of a request should see one.
            let due = i128::from(kills + 1) * i128::from(self.setup.kill_every_ms)
                + i128::from(kills * kills * 7919 % 1301);
            if kills < self.setup.kills && passed.as_millis() >= due && self.fleet.kill().await? {
                kills += 1;
            }
            self.ledger.sweep_permits().await?;
            self.clock.sleep(SignedDuration::from_millis(LOOK_MS)).await;
        }
        self.facts(kills).await
    }

    /// One look at one scan: what its controller does.
    async fn control(&mut self, index: usize, seconds: i64) -> Result<()> {
        let (Some(request), Some(listing)) = (self.requests.get(index), self.setup.listings.get(index))
        else {
            return Ok(());
        };
        let idle = seconds < listing.after_seconds || self.done.get(index).is_none_or(|done| *done);
        // A full crew needs no look: it ends by itself when there is no more work.
        if idle || self.fleet.alive(&request.uid) >= listing.runners as usize {
            return Ok(());
        }
        self.ledger.ensure_scan(request).await?;
        let summary = self
            .ledger
            .summary(&request.uid)
            .await?
            .context("the scan vanished")?;
        ensure!(summary.failure.is_none(), "a scan failed: {:?}", summary.failure);
        if matches!(summary.stage, Stage::Merging | Stage::Merged | Stage::Ended) {
            if let Some(done) = self.done.get_mut(index) {
                *done = true;
            }
            return Ok(());
        }
        while self.fleet.alive(&request.uid) < summary.wanted_runners as usize {
            self.fleet.start(&request.uid).await?;
        }
        Ok(())
    }

    async fn facts(&self, kills: u32) -> Result<Facts> {
        let mut scans = Vec::new();
        for (request, listing) in self.requests.iter().zip(&self.setup.listings) {
            let summary = self
                .ledger
                .summary(&request.uid)
                .await?
                .context("the scan vanished")?;
            let ranges = self.ledger.list_ranges(&request.uid).await?;
            let last = last_page(&self.db, &request.uid).await?;
            let came = self
                .began
                .saturating_add(SignedDuration::from_secs(listing.after_seconds))?;
            scans.push(Listed {
                listing: listing.clone(),
                ranges: ranges
                    .iter()
                    .filter(|range| range.kind == Kind::Listing)
                    .count()
                    .try_into()?,
                took: last.duration_since(came),
                summary,
            });
        }
        let log = self.world.requests(0, usize::MAX);
        let lists = || {
            log.iter()
                .filter(|request| request.endpoint == Endpoint::Followers)
        };
        let first = lists().map(|request| request.at).min();
        let last = lists().map(|request| request.at).max();
        let between = match (first, last) {
            (Some(first), Some(last)) => last.duration_since(first),
            _ => SignedDuration::ZERO,
        };
        Ok(Facts {
            scans,
            requests: u64::try_from(log.len())?,
            listing_requests: u64::try_from(lists().count())?,
            listing: between + SignedDuration::from_millis(self.setup.page_ms),
            kills,
        })
    }
}

/// A ledger that gives out names in order.
pub(super) fn ledger_of(db: Db, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Ledger {
    let count = AtomicU64::new(0);
    let ids = move || format!("{:032x}", count.fetch_add(1, Ordering::Relaxed));
    Ledger::new(db, Arc::new(clock), Arc::new(ids))
}

/// The token of a runner with this name.
pub(super) async fn token(ledger: &Ledger, name: &str, scan: &str) -> Result<String> {
    let identity = SandboxIdentity {
        uid: name.to_owned(),
        name: name.to_owned(),
        scan_uid: scan.to_owned(),
    };
    Ok(ledger.issue_sandbox_token(&identity).await?)
}

/// When the last page of a scan was committed.
pub(super) async fn last_page(db: &Db, scan: &str) -> Result<Timestamp> {
    let mut tx = db.begin().await?;
    let sql = "SELECT MAX(committed_at) FROM pages WHERE scan = $1";
    let row = tx.find(sql, params![scan]).await?;
    let last: Option<Timestamp> = row.map(|row| row.get(0)).transpose()?.flatten();
    last.context("no page was read")
}

fn world_config(setup: &Setup) -> WorldConfig {
    let mut config = WorldConfig {
        seed: 7,
        ..WorldConfig::default()
    };
    let (requests, window_ms) = setup.window.unwrap_or((i64::from(u32::MAX), 900_000));
    let limits = &mut config.x.limits;
    limits.followers_app = u32::try_from(requests).unwrap_or(u32::MAX);
    limits.window_ms = u64::try_from(window_ms).unwrap_or(1);
    config
}

/// What the controller would ask for.
pub(super) fn request(setup: &Setup, listing: &Listing, number: usize) -> Result<ScanRequest> {
    let handle = match listing.platform {
        Platform::X | Platform::Gitea | Platform::GitHub | Platform::Mastodon => format!("account{number}"),
        Platform::Bluesky => format!("account{number}.example.org"),
    };
    let x = listing.platform == Platform::X;
    let host = listing.platform.has_servers().then_some("git.test");
    let rules = match setup.window {
        Some((requests, window_ms)) => {
            vec![
                Rule::new(Family::Followers, requests, window_ms),
                Rule::new(Family::Lookup, 300, window_ms),
            ]
        }
        None => Vec::new(),
    };
    Ok(ScanRequest {
        uid: format!("scan-{number:03}"),
        namespace: "default".to_owned(),
        name: format!("scan-{number:03}"),
        generation: 1,
        account: AccountRef::new(listing.platform.into(), &handle, host)?,
        base_url: format!("http://{}.test", listing.platform),
        credential: if x {
            "default/x".to_owned()
        } else {
            format!("anonymous@{}", listing.platform)
        },
        auth: if x { Auth::AppBearer } else { Auth::Anonymous },
        rules,
        // Twice what it costs: a killed request's price stays reserved for a while.
        budget: Usd::from_nanos(20_000_000).times(i64::try_from(listing.followers)? + 5_000),
        monthly_budget: None,
        wishes: Wishes {
            max_runners: listing.runners,
            rows_per_range: listing.rows_per_range,
            max_rows: 0,
            since: None,
            sweeps: 1,
        },
        source: followlytics_core::scan::source::Wish::Auto,
        browser: None,
        priority: 0,
        mode: Mode::Run,
        dry_run: false,
        consent: followlytics_core::scan::consent::Consent::Budget,
        kept: None,
    })
}
