//! One simulation, from its seed to its report.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, Result, ensure};
use followlytics_api::{
    broker::Broker,
    credentials::{Credentials, MemorySecrets, SecretStore as _},
};
use followlytics_core::{
    account::Platform,
    money::Usd,
    scan::{
        range::RangeId,
        summary::{Stage, Summary},
    },
    wire::Mode,
};
use followlytics_crds::{ConditionExt as _, OperatingMode, Scan};
use followlytics_platforms::{clock::TokioClock, http::from_service};
use followlytics_simulator::{World, router};
use followlytics_store::{db::Db, ledger::Ledger, objects::Objects, params};
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use serde_json::json;

use super::{
    fleet::Fleet,
    invariants::{Pause, Watched, after_message},
    net::{Leg, wire},
    objects::FaultyStore,
    plane::Plane,
    scenario::{ScanPlan, Scenario},
    shared::Shared,
    world,
};
use crate::toolkit::simulated;

/// What a simulation came to.
#[derive(Debug)]
pub struct Report {
    /// Everything that happened, byte for byte the same for the same seed.
    pub trace: String,
    /// The broken invariant, if any.
    pub broken: Option<String>,
    /// Messages delivered.
    pub hops: u64,
    /// How often each thing happened.
    pub coverage: BTreeMap<&'static str, u64>,
    /// What the ledger says of each scan at the end.
    pub summaries: Vec<Summary>,
    /// Virtual time from the start to the end.
    pub elapsed: SignedDuration,
}

/// The instant at which every simulation begins.
const EPOCH: i64 = 1_790_000_000;
/// Permits settle within 55 s, a lease nobody gave back ends 15 s later, controllers may die meanwhile.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(120);
/// Longest virtual time after the healing: holds double up to a quarter of an hour.
const PATIENCE_SECONDS: i64 = 6 * 3600;

/// Runs one simulation to its end.
pub fn run(scenario: Scenario) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let Ok(runtime) = runtime else {
        return Report {
            trace: String::new(),
            broken: Some("no runtime".to_owned()),
            hops: 0,
            coverage: BTreeMap::new(),
            summaries: Vec::new(),
            elapsed: SignedDuration::ZERO,
        };
    };
    runtime.block_on(async {
        let origin = Timestamp::from_second(EPOCH).unwrap_or(Timestamp::UNIX_EPOCH);
        let shared = Shared::new(scenario, TokioClock::starting_at(origin));
        let mut summaries = Vec::new();
        match Simulation::new(&shared).await {
            Ok(mut simulation) => {
                if let Err(error) = simulation.drive().await {
                    shared.report(format!("{error:#}"));
                }
                summaries = simulation.summaries().await;
            }
            Err(error) => shared.report(format!("set-up: {error:#}")),
        }
        let mut state = shared.lock();
        // What is watched has a clock that holds all of this: nothing of it would ever be freed.
        state.invariants.watched = None;
        Report {
            trace: std::mem::take(&mut state.trace),
            broken: state.broken.clone(),
            hops: state.hops,
            coverage: std::mem::take(&mut state.coverage),
            summaries,
            elapsed: shared.now().duration_since(origin),
        }
    })
}

/// A scan, as a person sees it.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) plan: ScanPlan,
    budget: Usd,
    paused_since: Option<Timestamp>,
    /// Where its second scan goes on from.
    pub(crate) since: Option<Known>,
    pub(crate) is_verified: bool,
}

/// What is known of a list before it is read once more.
pub(crate) struct Known {
    /// Followers in the first result.
    pub(crate) ids: BTreeSet<String>,
    /// The platform's order when the second scan was created.
    pub(crate) from: u64,
}

impl Target {
    fn new(name: String, scan: Scan, plan: &ScanPlan) -> Result<Self> {
        Ok(Self {
            name,
            uid: scan.metadata.uid.context("a Scan without uid")?,
            plan: plan.clone(),
            budget: plan.budget,
            paused_since: None,
            since: None,
            is_verified: false,
        })
    }
}

/// The whole system.
pub(crate) struct Simulation {
    pub(crate) shared: Shared,
    pub(crate) ledger: Ledger,
    pub(crate) objects: Objects,
    pub(crate) world: Arc<World>,
    pub(crate) targets: Vec<Target>,
    pub(crate) fleet: Arc<Fleet>,
    db: Db,
    secrets: Arc<MemorySecrets>,
    plane: Plane,
    started: Timestamp,
    /// Sessions given since the first.
    sign_ins: u64,
    /// Accounts that hide their lists now.
    hidden: BTreeSet<String>,
}

impl Simulation {
    pub(crate) async fn new(shared: &Shared) -> Result<Self> {
        let db = Db::memory()?;
        let (of_clock, of_ids, of_world) = (shared.clone(), shared.clone(), shared.clone());
        let ledger = Ledger::new(
            db.clone(),
            Arc::new(move || of_clock.ledger_now()),
            Arc::new(move || format!("{:032x}", of_ids.lock().chance.bits())),
        );
        let objects = Objects::new(Arc::new(FaultyStore {
            inner: InMemory::new(),
            shared: shared.clone(),
        }));
        let world = Arc::new(World::new(
            world::config(&shared.scenario),
            Arc::new(move || of_world.now()),
        ));
        let secrets = Arc::new(MemorySecrets::default());
        let platform = router(Arc::clone(&world));
        let service = from_service::<_, axum::body::Body, axum::body::Body>(platform.clone());
        let http = wire(shared, "broker", Leg::Platform, service);
        let credentials = Arc::new(Credentials::new(secrets.clone(), http, ledger.clone()));
        let broker = Broker::new(ledger.clone(), objects.clone(), credentials);
        let fleet = Arc::new(Fleet::new(shared.clone(), broker, platform));
        let plane = Plane::new(shared, db.clone(), ledger.clone(), Arc::clone(&fleet))?;
        let started = shared.now();
        super::invariants::watch(&db).await?;
        let mut simulation = Self {
            shared: shared.clone(),
            ledger,
            objects,
            world,
            targets: Vec::new(),
            fleet,
            db,
            secrets,
            plane,
            started,
            sign_ins: 0,
            hidden: BTreeSet::new(),
        };
        simulation.set_up().await?;
        Ok(simulation)
    }

    async fn set_up(&mut self) -> Result<()> {
        let scenario = Arc::clone(&self.shared.scenario);
        self.secrets
            .put("default/x", &world::sign_in(&self.world, &scenario)?)?;
        self.plane.create(&world::credential(&scenario)).await?;
        if scenario.scans.iter().any(|plan| plan.web.is_some()) {
            self.secrets
                .put("default/session", &world::sign_in_web(&self.world, 0)?)?;
            self.plane.create(&world::session(&scenario)).await?;
        }
        for (number, plan) in scenario.scans.iter().enumerate() {
            world::create_account(&self.world, plan)?;
            let name = format!("scan-{number}");
            let scan = self.plane.create(&world::scan(&name, plan)).await?;
            self.targets.push(Target::new(name, scan, plan)?);
        }
        world::set_faults(&self.world, &scenario)?;
        let uids = self.targets.iter().map(|target| target.uid.clone()).collect();
        self.shared.lock().invariants.watched = Some(Watched {
            db: self.db.clone(),
            ledger: self.ledger.clone(),
            world: Arc::clone(&self.world),
            scans: Arc::new(Mutex::new(uids)),
        });
        Ok(())
    }

    /// Lets time pass until every scan has ended.
    pub(crate) async fn drive(&mut self) -> Result<()> {
        let mut healed = false;
        loop {
            if self.shared.lock().broken.is_some() {
                return Ok(());
            }
            if !healed && !self.shared.is_chaos() {
                self.shared.trace("heal");
                self.world.clear_faults();
                self.show_lists()?;
                healed = true;
            }
            self.plane.step().await?;
            after_message(&self.shared, Leg::Broker, "", true).await;
            let mut open = false;
            for index in 0..self.targets.len() {
                open |= self.attend(index, healed).await?;
            }
            self.work().await?;
            self.ledger.sweep_permits().await?;
            if !open {
                self.verify().await?;
                let is_first = self.targets.iter().all(|target| target.since.is_none());
                if !(self.shared.scenario.again && is_first) {
                    return Ok(());
                }
                self.begin_again().await?;
                healed = false;
            }
            let patience = self.shared.now().duration_since(self.started).as_secs();
            ensure!(
                patience < self.shared.scenario.chaos_seconds + PATIENCE_SECONDS,
                "ESR: scans did not end after the healing"
            );
            let pause = self.shared.draw(50, 400);
            // While nothing runs there is little to see.
            let slower = match (self.fleet.alive() > 0, healed) {
                (true, _) => 1,
                (false, false) => 4,
                (false, true) => 40,
            };
            self.shared.sleep_ms(pause * slower).await;
        }
    }

    /// What a person does about one scan; whether it is still open.
    async fn attend(&mut self, index: usize, healed: bool) -> Result<bool> {
        let Some(target) = self.targets.get(index).filter(|target| !target.is_verified) else {
            return Ok(false);
        };
        let scan = self.plane.scan(&target.name).await?;
        let since = self.shared.now().duration_since(self.started).as_secs();
        let pause = target
            .plan
            .suspend
            .is_some_and(|(from, length)| since >= from && since < from + length);
        let mode = if pause {
            OperatingMode::Suspended
        } else {
            OperatingMode::Running
        };
        if scan.spec.operating_mode != mode {
            self.plane
                .edit(&target.name, &json!({"spec": {"operatingMode": mode}}))
                .await?;
        }
        self.check_pause(index, &scan).await?;
        self.let_some_return(index)?;
        self.let_lists_be_hidden(index)?;
        let summary = self
            .ledger
            .summary(&self.targets.get(index).context("no target")?.uid)
            .await?;
        let waits_for_an_outcome = summary.as_ref().is_some_and(|summary| summary.open_permits > 0);
        if let Some(summary) = summary.filter(|_| healed && !pause) {
            self.help(index, &summary).await?;
        }
        let phase = scan
            .status
            .as_ref()
            .map(|status| status.phase)
            .unwrap_or_default();
        // A killed runner's request is in doubt until its permit is due, which may be after the scan's end.
        Ok(!phase.is_final() || waits_for_an_outcome)
    }

    /// PAUSE: no permit is granted once the ledger knows of it; from the moment it is true nothing starts.
    async fn check_pause(&mut self, index: usize, scan: &Scan) -> Result<()> {
        let now = self.shared.now();
        let Some(target) = self.targets.get_mut(index) else {
            return Ok(());
        };
        let row = self.ledger.find_scan(&target.uid).await?;
        let open = row
            .as_ref()
            .is_some_and(|row| matches!(row.stage, Stage::Resolving | Stage::Scanning));
        if row.is_none_or(|row| row.request.mode != Mode::Suspend) {
            target.paused_since = None;
            self.shared.lock().invariants.suspended.remove(&target.uid);
            return Ok(());
        }
        let asked = *target.paused_since.get_or_insert(now);
        let mut tx = self.db.begin().await?;
        let later = tx
            .find(
                "SELECT 1 FROM permits WHERE scan = $1 AND granted_at > $2",
                params![&target.uid, asked],
            )
            .await?;
        drop(tx);
        ensure!(
            later.is_none() || self.shared.scenario.step.is_some(),
            "PAUSE: a permit was granted after the pause was asked for"
        );
        let conditions = scan
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let suspended =
            conditions.is_true("Suspended") && scan.spec.operating_mode == OperatingMode::Suspended;
        let resumed = scan.spec.operating_mode == OperatingMode::Running;
        ensure!(
            suspended || resumed || !open || now.duration_since(asked) < LONGEST_PAUSE,
            "PAUSE: still not true after {LONGEST_PAUSE:?}: {:?}",
            scan.status
        );
        if suspended && open && !self.shared.lock().invariants.suspended.contains_key(&target.uid) {
            let summary = self
                .ledger
                .summary(&target.uid)
                .await?
                .context("the scan vanished")?;
            let quiet = summary.open_permits == 0 && summary.ranges.active == 0;
            ensure!(
                quiet,
                "PAUSE: Suspended is true while requests are open or ranges are held: {summary:?}"
            );
            let account = summary.account_id.unwrap_or_else(|| target.plan.handle.clone());
            let pause = Pause {
                account,
                since: self.world.order(),
            };
            self.shared.count("suspended");
            self.shared
                .lock()
                .invariants
                .suspended
                .insert(target.uid.clone(), pause);
        }
        Ok(())
    }

    /// After the healing a person does what the holds ask for: more budget, signing in again.
    async fn help(&mut self, index: usize, summary: &Summary) -> Result<()> {
        let Some(hold) = summary.hold.as_ref().filter(|hold| hold.until.is_none()) else {
            return Ok(());
        };
        let Some(target) = self.targets.get_mut(index) else {
            return Ok(());
        };
        self.shared.count("helped");
        self.shared
            .trace(&format!("help {} {}", target.name, hold.reason));
        if hold.reason == "CredentialInvalid" {
            self.secrets
                .put("default/x", &world::sign_in(&self.world, &self.shared.scenario)?)?;
        }
        if hold.reason == "SessionEnded" {
            self.sign_ins += 1;
            self.secrets.put(
                "default/session",
                &world::sign_in_web(&self.world, self.sign_ins)?,
            )?;
        }
        target.budget = target
            .budget
            .plus(target.budget)
            .plus(Usd::from_nanos(1_000_000_000));
        let budget = json!({"spec": {"budget": {"maxUsd": target.budget.to_string()}}});
        self.plane.edit(&target.name, &budget).await
    }

    /// An old follower leaves and comes back: at the newest end, where nobody takes it for the rows around it.
    fn let_some_return(&self, index: usize) -> Result<()> {
        let plan = self.targets.get(index).map(|target| &target.plan);
        let Some((plan, web)) = plan.and_then(|plan| Some((plan, plan.web.as_ref()?))) else {
            return Ok(());
        };
        if !self.shared.fault(web.returning) {
            return Ok(());
        }
        let platform = simulated(plan.platform);
        let now = self.world.order();
        let all = self.world.truth_between(platform, &plan.handle, now, now)?;
        let nth = self.shared.lock().chance.below(all.len());
        if let Some(follower) = all.get(nth) {
            self.world.unfollow_user(platform, &plan.handle, follower)?;
            self.world.follow_user(platform, &plan.handle, follower)?;
            self.shared.count("returned");
        }
        Ok(())
    }

    /// An account on Mastodon hides its lists, or shows them again.
    fn let_lists_be_hidden(&mut self, index: usize) -> Result<()> {
        let Some(target) = self.targets.get(index) else {
            return Ok(());
        };
        let is_hidden = self.hidden.contains(&target.plan.handle);
        // It is shown again sooner than hidden.
        let chance = self.shared.scenario.hides * if is_hidden { 4 } else { 1 };
        if target.plan.platform == Platform::Mastodon && self.shared.fault(chance) {
            let handle = target.plan.handle.clone();
            self.world
                .set_hide_collections(simulated(Platform::Mastodon), &handle, !is_hidden)?;
            self.shared.count("hidden lists");
            if is_hidden {
                self.hidden.remove(&handle);
            } else {
                self.hidden.insert(handle);
            }
        }
        Ok(())
    }

    /// Shows every list that is hidden.
    fn show_lists(&mut self) -> Result<()> {
        for handle in std::mem::take(&mut self.hidden) {
            self.world
                .set_hide_collections(simulated(Platform::Mastodon), &handle, false)?;
        }
        Ok(())
    }

    /// Some come, some return together in their old order; then every list is read once more, as badly as before.
    async fn begin_again(&mut self) -> Result<()> {
        let scenario = Arc::clone(&self.shared.scenario);
        for (number, plan) in scenario.scans.iter().enumerate() {
            let platform = simulated(plan.platform);
            let now = self.world.order();
            let all = self.world.truth_between(platform, &plan.handle, now, now)?;
            let block = usize::try_from(self.shared.draw(0, 60))?;
            for follower in all.iter().take(block) {
                self.world.unfollow_user(platform, &plan.handle, follower)?;
            }
            for follower in all.iter().take(block) {
                self.world.follow_user(platform, &plan.handle, follower)?;
            }
            let come = u64::try_from(self.shared.draw(0, 600))?;
            self.world.follow(platform, &plan.handle, come)?;
            let name = format!("again-{number}");
            let scan = self.plane.create(&world::scan_since(&name, plan)).await?;
            let first = self.targets.get_mut(number).context("no first scan")?;
            first.is_verified = true;
            let uid = first.uid.clone();
            let record = self.ledger.find_result(&uid).await?.context("no first result")?;
            let ids = followlytics_worker::result_ids(&self.objects, &record).await?;
            let mut target = Target::new(name, scan, plan)?;
            target.since = Some(Known {
                ids: ids.into_iter().collect(),
                from: self.world.order(),
            });
            self.targets.push(target);
        }
        self.started = self.shared.now();
        self.shared.begin_again();
        world::set_faults(&self.world, &scenario)?;
        let uids = self.targets.iter().map(|target| target.uid.clone()).collect();
        if let Some(watched) = &self.shared.lock().invariants.watched {
            *watched
                .scans
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = uids;
        }
        self.shared.trace("again");
        Ok(())
    }

    async fn work(&mut self) -> Result<()> {
        if self.shared.fault(300) {
            return Ok(());
        }
        // So small that a scan of a few pages has many runs, several lanes, and runs of runs.
        let settings = followlytics_worker::Settings {
            run_pages: 3,
            fan_in: 3,
            lane_rows: 150,
            piece_rows: 100,
            run_group_rows: 60,
            group_rows: 90,
            ..followlytics_worker::Settings::default()
        };
        match followlytics_worker::run_one_with(&self.ledger, &self.objects, "worker", &settings).await {
            Ok(_) => Ok(()),
            Err(error) => {
                self.shared.trace(&format!("worker failed: {error}"));
                Ok(())
            }
        }
    }

    /// Look-ups that the API answered.
    pub(super) async fn api_lookups(&self, uid: &str) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM permits WHERE scan = $1 AND family = 'lookup' AND state = 'Settled' \
                   AND credential <> 'default/session'";
        let mut tx = self.db.begin().await?;
        let row = tx.find(sql, params![uid]).await?;
        Ok(row.map_or(Ok(0), |row| row.get(0))?)
    }

    /// When the last page of a range was committed.
    pub(super) async fn last_commit(&self, uid: &str, range: RangeId) -> Result<Timestamp> {
        let sql = "SELECT MAX(committed_at) FROM pages WHERE scan = $1 AND range_id = $2";
        let mut tx = self.db.begin().await?;
        let row = tx.find(sql, params![uid, range]).await?;
        let last: Option<Timestamp> = row.map(|row| row.get(0)).transpose()?.flatten();
        Ok(last.unwrap_or(Timestamp::MIN))
    }

    async fn summaries(&self) -> Vec<Summary> {
        let mut all = Vec::new();
        for target in &self.targets {
            if let Ok(Some(summary)) = self.ledger.summary(&target.uid).await {
                all.push(summary);
            }
        }
        all
    }
}
