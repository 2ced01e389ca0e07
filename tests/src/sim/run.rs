//! One simulation, from its seed to its report.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use followlytics_api::{
    broker::Broker,
    credentials::{Credentials, MemorySecrets, Secret, SecretStore as _},
};
use followlytics_core::{
    account::{AccountRef, Platform},
    layout,
    money::Usd,
    page,
    platform::{Auth, Family},
    scan::{certificate::Guarantee, plan::Wishes, summary::{Stage, Summary}, window::Rule},
    wire::Mode,
};
use followlytics_platforms::{clock::TokioClock, http::from_service};
use followlytics_simulator::{
    AccountSpec, ChurnSpec, FaultKind, FaultSpec, Platform as SimPlatform, Trigger, World, WorldConfig, router,
};
use followlytics_store::{
    db::Db,
    ledger::{Ledger, ScanRequest},
    objects::Objects,
    params,
};
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;

use super::{
    fleet::Fleet,
    invariants::{Pause, Watched},
    objects::FaultyStore,
    scenario::{ScanPlan, Scenario},
    shared::Shared,
};

/// What a simulation came to.
#[derive(Debug)]
pub struct Report {
    /// Everything that happened, byte for byte the same for the same seed.
    pub trace: String,
    /// The broken invariant, if any.
    pub broken: Option<String>,
    /// Messages delivered.
    pub hops: u64,
    /// Processes killed.
    pub kills: u32,
    /// How often each thing happened.
    pub coverage: BTreeMap<&'static str, u64>,
    /// What the ledger says of each scan at the end.
    pub summaries: Vec<Summary>,
}

/// The instant at which every simulation begins.
const EPOCH: i64 = 1_790_000_000;
/// Permits settle within 55 s; a lease nobody gave back ends 15 s later.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(90);
/// Longest virtual time after the healing: holds double up to a quarter of an hour.
const PATIENCE_SECONDS: i64 = 6 * 3600;

/// Runs one simulation to its end.
pub fn run(scenario: Scenario) -> Report {
    let seed = scenario.seed;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { return failed(seed, "no runtime") };
    runtime.block_on(async {
        let origin = Timestamp::from_second(EPOCH).unwrap_or(Timestamp::UNIX_EPOCH);
        let shared = Shared::new(scenario, TokioClock::starting_at(origin));
        let outcome = Simulation::new(&shared).await;
        let mut summaries = Vec::new();
        match outcome {
            Ok(mut simulation) => {
                if let Err(error) = simulation.drive().await {
                    shared.report(format!("{error:#}"));
                }
                summaries = simulation.summaries().await;
            }
            Err(error) => shared.report(format!("set-up: {error:#}")),
        }
        let mut state = shared.lock();
        Report {
            trace: std::mem::take(&mut state.trace),
            broken: state.broken.clone(),
            hops: state.hops,
            kills: state.kills,
            coverage: std::mem::take(&mut state.coverage),
            summaries,
        }
    })
}

fn failed(seed: u64, what: &str) -> Report {
    Report { trace: String::new(), broken: Some(format!("seed {seed}: {what}")), hops: 0, kills: 0, coverage: BTreeMap::new(), summaries: Vec::new() }
}

struct Simulation {
    shared: Shared,
    ledger: Ledger,
    objects: Objects,
    world: Arc<World>,
    fleet: Fleet,
    requests: Vec<ScanRequest>,
    started: Timestamp,
}

impl Simulation {
    async fn new(shared: &Shared) -> Result<Self> {
        let db = Db::memory()?;
        let (of_clock, of_ids, of_world) = (shared.clone(), shared.clone(), shared.clone());
        let ledger = Ledger::new(
            db.clone(),
            Arc::new(move || of_clock.now()),
            Arc::new(move || format!("{:032x}", of_ids.lock().chance.bits())),
        );
        let memory = InMemory::new();
        let objects = Objects::new(Arc::new(FaultyStore { inner: memory, shared: shared.clone() }));
        let world = Arc::new(World::new(world_config(&shared.scenario), Arc::new(move || of_world.now())));
        let secrets = Arc::new(MemorySecrets::default());
        let mut requests = Vec::new();
        for (number, plan) in shared.scenario.scans.iter().enumerate() {
            create_account(&world, plan)?;
            requests.push(request(&shared.scenario, plan, number)?);
        }
        set_faults(&world, &shared.scenario)?;
        secrets.put("default/x", &secret(&world, &shared.scenario)?)?;
        let http = super::net::wire(shared, "broker", super::net::Leg::Platform, from_service::<_, axum::body::Body, axum::body::Body>(router(Arc::clone(&world))));
        let credentials = Arc::new(Credentials::new(secrets, http, ledger.clone()));
        let broker = Broker::new(ledger.clone(), objects.clone(), credentials);
        let scans = Arc::new(requests.iter().map(|request| request.uid.clone()).collect());
        shared.lock().invariants.watched = Some(Watched { db, ledger: ledger.clone(), world: Arc::clone(&world), scans });
        let fleet = Fleet::new(shared.clone(), ledger.clone(), broker, router(Arc::clone(&world)));
        let started = shared.now();
        Ok(Self { shared: shared.clone(), ledger, objects, world, fleet, requests, started })
    }

    /// The driver: what the controllers and the worker do, until every scan has ended.
    async fn drive(&mut self) -> Result<()> {
        let mut healed = false;
        loop {
            if self.shared.lock().broken.is_some() {
                return Ok(());
            }
            if !healed && !self.shared.is_chaos() {
                self.shared.trace("heal");
                self.world.clear_faults();
                healed = true;
            }
            self.fleet.reap().await;
            super::invariants::after_message(&self.shared, super::net::Leg::Broker, "").await;
            let mut open = false;
            for index in 0..self.requests.len() {
                open |= self.control(index, healed).await?;
            }
            self.work().await?;
            self.ledger.sweep_permits().await?;
            if !open {
                return self.verify().await;
            }
            let patience = self.shared.now().duration_since(self.started).as_secs();
            ensure!(patience < self.shared.scenario.chaos_seconds + PATIENCE_SECONDS, "ESR: scans did not end after the healing");
            let pause = self.shared.draw(50, 400);
            self.shared.sleep_ms(if healed && !self.anybody() { pause * 20 } else { pause }).await;
        }
    }

    fn anybody(&self) -> bool {
        self.requests.iter().any(|request| self.fleet.alive(&request.uid) > 0)
    }

    /// One look at one scan; whether it is still open.
    async fn control(&mut self, index: usize, healed: bool) -> Result<bool> {
        let (Some(plan), Some(request)) = (self.shared.scenario.scans.get(index).cloned(), self.requests.get_mut(index)) else {
            return Ok(false);
        };
        let since = self.shared.now().duration_since(self.started).as_secs();
        let pause = plan.suspend.is_some_and(|(from, length)| since >= from && since < from + length);
        request.mode = if pause { Mode::Suspend } else { Mode::Run };
        let request = request.clone();
        self.ledger.ensure_scan(&request).await?;
        let summary = self.ledger.summary(&request.uid).await?.context("the scan vanished")?;
        self.suspended(&request, &plan, &summary, pause).await?;
        if healed {
            self.help(index, &summary);
        }
        let wanted = usize::try_from(summary.wanted_runners).unwrap_or(0);
        if pause && summary.open_permits == 0 {
            self.fleet.stop(&request.uid);
        }
        if self.fleet.alive(&request.uid) < wanted {
            self.fleet.start(&request.uid).await;
        }
        Ok(!matches!(summary.stage, Stage::Merged | Stage::Ended))
    }

    /// PAUSE: no permit is granted once it is asked for; from the moment it is true nothing starts.
    async fn suspended(&self, request: &ScanRequest, plan: &ScanPlan, summary: &Summary, pause: bool) -> Result<()> {
        let now = self.shared.now();
        let watched = {
            let mut state = self.shared.lock();
            if !pause {
                state.invariants.suspended.remove(&request.uid);
                state.invariants.asked.remove(&request.uid);
                return Ok(());
            }
            state.invariants.watched.clone()
        };
        let asked = *self.shared.lock().invariants.asked.entry(request.uid.clone()).or_insert(now);
        let mut tx = watched.context("nothing is watched")?.db.begin().await?;
        let later = tx.find("SELECT 1 FROM permits WHERE scan = $1 AND granted_at > $2", params![&request.uid, asked]).await?;
        drop(tx);
        ensure!(later.is_none(), "PAUSE: a permit was granted after the pause was asked for");
        let open = matches!(summary.stage, Stage::Resolving | Stage::Scanning);
        let settled = summary.open_permits == 0 && summary.ranges.active == 0 && self.fleet.alive(&request.uid) == 0;
        ensure!(settled || !open || now.duration_since(asked) < LONGEST_PAUSE, "PAUSE: still not true after {LONGEST_PAUSE:?}");
        if settled && open {
            let account = summary.account_id.clone().unwrap_or_else(|| plan.handle.clone());
            let since = self.world.order();
            let mut state = self.shared.lock();
            if !state.invariants.suspended.contains_key(&request.uid) {
                *state.coverage.entry("suspended").or_insert(0) += 1;
                state.invariants.suspended.insert(request.uid.clone(), Pause { account, since });
            }
        }
        Ok(())
    }

    /// After the healing a person does what the holds ask for: more budget, another try.
    fn help(&mut self, index: usize, summary: &Summary) {
        let Some(hold) = summary.hold.as_ref().filter(|hold| hold.until.is_none()) else { return };
        let Some(request) = self.requests.get_mut(index) else { return };
        self.shared.count("helped");
        self.shared.trace(&format!("help {} {}", request.name, hold.reason));
        request.generation += 1;
        request.budget = request.budget.plus(request.budget).plus(Usd::from_nanos(1_000_000_000));
    }

    async fn work(&mut self) -> Result<()> {
        if self.shared.fault(300) {
            return Ok(());
        }
        match followlytics_worker::run_one(&self.ledger, &self.objects, "worker").await {
            Ok(_) => Ok(()),
            Err(error) if self.shared.scenario.objects > 0 => {
                self.shared.trace(&format!("worker failed: {error}"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn summaries(&self) -> Vec<Summary> {
        let mut all = Vec::new();
        for request in &self.requests {
            if let Ok(Some(summary)) = self.ledger.summary(&request.uid).await {
                all.push(summary);
            }
        }
        all
    }

    /// What must hold at the end.
    async fn verify(&self) -> Result<()> {
        // All may have ended in mid-chaos: what is looked at from here on is looked at without faults.
        let now = self.shared.now();
        self.shared.lock().heal_at = now;
        for (request, plan) in self.requests.iter().zip(&self.shared.scenario.scans) {
            let summary = self.ledger.summary(&request.uid).await?.context("the scan vanished")?;
            self.shared.trace(&format!("end {} {:?} scanned {} spent {}", request.name, summary.stage, summary.scanned, summary.spent));
            ensure!(summary.stage == Stage::Merged, "NO-LOSS: {} ended without a result: {:?}", request.name, summary.failure);
            self.verify_result(request, plan, &summary).await.with_context(|| request.name.clone())?;
            self.verify_adoption(request).await?;
            self.cover(&summary);
        }
        Ok(())
    }

    async fn verify_result(&self, request: &ScanRequest, plan: &ScanPlan, summary: &Summary) -> Result<()> {
        let record = summary.result.as_ref().context("VISIBLE-ONCE: merged without a result")?;
        ensure!(record.version == 1, "VISIBLE-ONCE: the first result has version {}", record.version);
        let ids = followlytics_worker::result_ids(&self.objects, record).await?;
        let unique: BTreeSet<&String> = ids.iter().collect();
        ensure!(unique.len() == ids.len(), "NO-DOUBLE: {} rows, {} followers", ids.len(), unique.len());
        let committed = self.committed_ids(&request.uid).await?;
        ensure!(committed.iter().eq(unique.iter().copied()), "NO-LOSS: {} committed, {} in the result", committed.len(), unique.len());
        let certificate = &record.certificate;
        ensure!(certificate.guarantee == Guarantee::Exact, "STABLE: not exact: {:?}", certificate.evidence);
        self.verify_truth(plan, &unique)?;
        let paid = Platform::price(plan.platform, Family::Followers, summary.scanned)
            .plus(Platform::price(plan.platform, Family::Lookup, summary.requests.lookups));
        ensure!(summary.spent == paid, "PAY-BOUND: {} spent for rows worth {paid}", summary.spent);
        if self.shared.scenario.is_calm() {
            verify_requests(summary)?;
        }
        Ok(())
    }

    /// STABLE, and nobody invented.
    fn verify_truth(&self, plan: &ScanPlan, ids: &BTreeSet<&String>) -> Result<()> {
        let platform = sim_platform(plan.platform);
        let account = self.world.account(platform, &plan.handle)?;
        let of_account: Vec<u64> = self
            .world
            .requests(0, usize::MAX)
            .into_iter()
            .filter(|request| request.account.as_deref() == Some(account.id.as_str()))
            .map(|request| request.order)
            .collect();
        let (Some(first), Some(last)) = (of_account.first(), of_account.last()) else { return Ok(()) };
        let ever: BTreeSet<String> = self.world.ever_present_between(platform, &plan.handle, *first, *last)?.into_iter().collect();
        let invented = ids.iter().find(|id| !ever.contains(**id));
        ensure!(invented.is_none(), "NO-LOSS: {invented:?} never followed");
        let truth = self.world.truth_between(platform, &plan.handle, *first, *last)?;
        let missed: Vec<&String> = truth.iter().filter(|id| !ids.contains(id)).collect();
        ensure!(missed.is_empty(), "STABLE: {} of {} who followed throughout are missing: {:?}", missed.len(), truth.len(), missed.first());
        Ok(())
    }

    /// PAY-BOUND: no page is fetched again that the broker had when it gave the range to the next holder.
    async fn verify_adoption(&self, request: &ScanRequest) -> Result<()> {
        let committed: BTreeSet<String> = self.ledger.merge_input(&request.uid).await?.pages.into_iter().map(|page| page.key).collect();
        let prefix = layout::pages_of_scan(&request.uid);
        let puts: Vec<(String, Timestamp)> = {
            let state = self.shared.lock();
            let ours = state.puts.iter().filter(|(key, _)| key.starts_with(&prefix) && !committed.contains(*key));
            ours.map(|(key, at)| (key.clone(), *at)).collect()
        };
        for (key, put) in puts {
            let header = page::decode_header(&self.objects.get(&key).await?)?.0;
            let state = self.shared.lock();
            let grants = state.invariants.grants.get(&(request.uid.clone(), header.range));
            let next = grants.and_then(|grants| grants.iter().find(|grant| grant.epoch > header.epoch));
            let ignored = next.is_some_and(|next| put < next.at && header.seq == next.seq);
            ensure!(!ignored, "PAY-BOUND: {key} was there when its range was given on, and was fetched again");
        }
        Ok(())
    }

    fn cover(&self, summary: &Summary) {
        let requests = &summary.requests;
        let counts = [
            ("splits", requests.splits),
            ("seam pages", requests.seam_pages),
            ("failed requests", requests.failed),
            ("unanswered requests", requests.unanswered),
            ("refetched pages", requests.refetched_pages),
            ("ambiguous dollars", i64::from(summary.ambiguous > Usd::ZERO)),
        ];
        let mut state = self.shared.lock();
        for (what, count) in counts {
            *state.coverage.entry(what).or_insert(0) += u64::try_from(count).unwrap_or(0);
        }
    }

    async fn committed_ids(&self, uid: &str) -> Result<BTreeSet<String>> {
        let mut ids = BTreeSet::new();
        for row in self.ledger.merge_input(uid).await?.pages {
            let page = page::decode(&self.objects.get(&row.key).await?)?;
            ids.extend(page.rows().map(|row| row.id.clone()));
        }
        Ok(ids)
    }
}

/// Requests ÷ necessary = 1 where nothing went wrong.
fn verify_requests(summary: &Summary) -> Result<()> {
    let requests = &summary.requests;
    ensure!(requests.failed == 0 && requests.unanswered == 0, "requests failed in a calm world: {requests:?}");
    ensure!(requests.refetched_pages == 0, "pages were fetched twice in a calm world");
    Ok(())
}

fn sim_platform(platform: Platform) -> SimPlatform {
    match platform {
        Platform::X => SimPlatform::X,
        Platform::Bluesky => SimPlatform::Bluesky,
        Platform::Gitea => SimPlatform::Gitea,
    }
}

fn world_config(scenario: &Scenario) -> WorldConfig {
    let mut config = WorldConfig { seed: scenario.seed, ..WorldConfig::default() };
    let requests = u32::try_from(scenario.x_window.0).unwrap_or(1);
    config.x.limits.followers_app = requests;
    config.x.limits.followers_user = requests;
    config.x.limits.window_ms = u64::try_from(scenario.x_window.1).unwrap_or(1000);
    config.x.pricing.dedupe_per_utc_day = false;
    config.x.access_token_seconds = 40;
    config
}

fn create_account(world: &World, plan: &ScanPlan) -> Result<()> {
    let mut spec = AccountSpec::new(sim_platform(plan.platform), plan.handle.clone(), plan.followers);
    let rate = f64::from(plan.churn) / 100.0;
    spec.churn = ChurnSpec { unfollows_per_request: rate, follows_per_request: rate, ..ChurnSpec::default() };
    world.create_account(spec)?;
    Ok(())
}

/// A few kinds of the platforms' faults, each with its share of the scenario's rate.
fn set_faults(world: &World, scenario: &Scenario) -> Result<()> {
    if scenario.platform == 0 {
        return Ok(());
    }
    let share = f64::from(scenario.platform) / 1000.0 / 4.0;
    for kind in [
        FaultKind::InternalErrorHtml,
        FaultKind::Unavailable { retry_after_seconds: Some(2) },
        FaultKind::TruncatedBody,
        FaultKind::ShortPage,
        FaultKind::EmptyPage,
        FaultKind::RepeatedCursor,
        FaultKind::DuplicatedRow,
        FaultKind::ResponseLost,
    ] {
        // A row too many is charged too: X would then charge more than was asked for, and no ledger could hold it.
        let platform = matches!(kind, FaultKind::DuplicatedRow).then_some(SimPlatform::Bluesky);
        world.set_fault(FaultSpec { platform, trigger: Trigger::Probability(share), times: 0, ..FaultSpec::once(kind) })?;
    }
    Ok(())
}

fn secret(world: &World, scenario: &Scenario) -> Result<Secret> {
    if !scenario.x_user_token {
        return Ok(Secret { access_token: "simulator-bearer".to_owned(), ..Secret::default() });
    }
    world.create_account(AccountSpec::new(SimPlatform::X, "operator", 0))?;
    let pair = world.issue_x_user_token("simulator", "operator")?;
    Ok(Secret {
        access_token: pair.access_token,
        refresh_token: Some(pair.refresh_token),
        client_id: Some("simulator".to_owned()),
        base_url: Some("http://x.test".to_owned()),
        ..Secret::default()
    })
}

fn request(scenario: &Scenario, plan: &ScanPlan, number: usize) -> Result<ScanRequest> {
    let host = (plan.platform == Platform::Gitea).then_some("git.test");
    let (requests, window_ms) = scenario.x_window;
    let rules = match plan.platform {
        Platform::X => vec![Rule::new(Family::Followers, requests, window_ms), Rule::new(Family::Lookup, 300, window_ms)],
        other => other.rules(Auth::Anonymous),
    };
    let x = plan.platform == Platform::X;
    let auth = match (x, scenario.x_user_token) {
        (false, _) => Auth::Anonymous,
        (true, true) => Auth::UserToken,
        (true, false) => Auth::AppBearer,
    };
    Ok(ScanRequest {
        uid: format!("scan-{number}"),
        namespace: "default".to_owned(),
        name: format!("scan-{number}"),
        generation: 1,
        account: AccountRef::new(plan.platform.into(), &plan.handle, host)?,
        base_url: format!("http://{}.test", plan.platform),
        credential: if x { "default/x".to_owned() } else { format!("anonymous@{}", plan.platform) },
        auth,
        rules,
        budget: plan.budget,
        wishes: Wishes { max_runners: plan.runners, rows_per_range: plan.rows_per_range, max_rows: 0 },
        priority: 0,
        mode: Mode::Run,
        dry_run: false,
    })
}
