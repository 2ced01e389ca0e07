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
    money::Usd,
    scan::{range::RangeId, summary::Summary},
};
use followlytics_crds::Scan;
use followlytics_platforms::{clock::TokioClock, http::from_service};
use followlytics_simulator::{World, router};
use followlytics_store::{db::Db, ledger::Ledger, objects::Objects, params};
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;

use super::{
    again::Known,
    fleet::Fleet,
    invariants::{Watched, after_message},
    net::{Leg, wire},
    objects::FaultyStore,
    outage::Connection,
    plane::Plane,
    scenario::{CredentialEdit, Edit, Part, ScanPlan, Scenario},
    shared::Shared,
    workers::Workers,
    world,
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
    /// How often each thing happened.
    pub coverage: BTreeMap<&'static str, u64>,
    /// What the ledger says of each scan at the end.
    pub summaries: Vec<Summary>,
    /// Virtual time from the start to the end.
    pub elapsed: SignedDuration,
}

/// The instant at which every simulation begins.
const EPOCH: i64 = 1_790_000_000;
/// Longest virtual time after the healing: holds double up to a quarter of an hour.
const PATIENCE_SECONDS: i64 = 6 * 3600;

/// Runs one simulation to its end.
pub fn run(scenario: Scenario) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    if let Some(what) = scenario.contradiction() {
        return Report::of_none(format!("the world contradicts itself: {what}"));
    }
    let Ok(runtime) = runtime else {
        return Report::of_none("no runtime".to_owned());
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
                if let Err(error) = super::rare::cover(&shared, &simulation.db).await {
                    shared.report(format!("{error:#}"));
                }
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

impl Report {
    fn of_none(why: String) -> Self {
        Self {
            trace: String::new(),
            broken: Some(why),
            hops: 0,
            coverage: BTreeMap::new(),
            summaries: Vec::new(),
            elapsed: SignedDuration::ZERO,
        }
    }
}

/// A scan, as a person sees it.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) plan: ScanPlan,
    pub(super) budget: Usd,
    pub(super) paused_since: Option<Timestamp>,
    /// Edits made so far.
    pub(super) edits: usize,
    /// Whether X's other Credential is named.
    pub(super) names_other: bool,
    /// What was known before, if it is read once more.
    pub(crate) known: Option<Known>,
    pub(crate) is_verified: bool,
    /// As it was seen last.
    is_open: bool,
}

impl Target {
    pub(super) fn new(name: String, scan: Scan, plan: &ScanPlan) -> Result<Self> {
        Ok(Self {
            name,
            uid: scan.metadata.uid.context("a Scan without uid")?,
            plan: plan.clone(),
            budget: plan.budget,
            paused_since: None,
            edits: 0,
            names_other: false,
            known: None,
            is_verified: false,
            is_open: true,
        })
    }

    /// Whether this edit of its plan was made.
    pub(super) fn has_made(&self, edit: Edit) -> bool {
        let mut made = self.plan.edits.iter().take(self.edits);
        made.any(|(_, planned)| *planned == edit)
    }
}

/// The whole system.
pub(crate) struct Simulation {
    pub(crate) shared: Shared,
    /// As those see it who look on, whatever is away.
    pub(crate) ledger: Ledger,
    pub(crate) objects: Objects,
    pub(crate) world: Arc<World>,
    pub(crate) targets: Vec<Target>,
    pub(crate) fleet: Arc<Fleet>,
    /// As the control plane sees it.
    connected: Ledger,
    pub(super) db: Db,
    pub(super) secrets: Arc<MemorySecrets>,
    pub(super) plane: Plane,
    workers: Workers,
    /// Sessions given since the first.
    pub(super) sign_ins: u64,
    /// Edits of X's Credential made so far.
    pub(super) credential_edits: usize,
    /// The last edit of its month, until the ledger knows.
    pub(super) new_month: Option<CredentialEdit>,
    /// Accounts that hide their lists now.
    pub(super) hidden: BTreeSet<String>,
}

impl Simulation {
    pub(crate) async fn new(shared: &Shared) -> Result<Self> {
        let db = Db::memory()?;
        let connected_db = db.clone().guarded_by(Connection(shared.clone()));
        let (ledger, connected) = (ledger(shared, db.clone()), ledger(shared, connected_db.clone()));
        let of_world = shared.clone();
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
        let credentials = Arc::new(Credentials::new(secrets.clone(), http, connected.clone()));
        let broker = Broker::new(connected.clone(), objects.clone(), credentials);
        let fleet = Arc::new(Fleet::new(shared.clone(), broker, platform));
        let plane = Plane::new(shared, connected_db, connected.clone(), Arc::clone(&fleet))?;
        let workers = Workers::new(shared, connected.clone(), objects.clone());
        super::invariants::watch(&db).await?;
        super::rare::watch(&db).await?;
        let mut simulation = Self {
            shared: shared.clone(),
            ledger,
            connected,
            objects,
            world,
            targets: Vec::new(),
            fleet,
            db,
            secrets,
            plane,
            workers,
            sign_ins: 0,
            credential_edits: 0,
            new_month: None,
            hidden: BTreeSet::new(),
        };
        simulation.set_up().await?;
        Ok(simulation)
    }

    async fn set_up(&mut self) -> Result<()> {
        let scenario = Arc::clone(&self.shared.scenario);
        for (name, secret) in world::sign_in(&self.world, &scenario)? {
            self.secrets.put(name, &secret)?;
        }
        for credential in world::credentials(&scenario) {
            self.plane.create(&credential).await?;
        }
        self.shared.lock().invariants.month = scenario.month;
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
        self.shared.begin();
        Ok(())
    }

    /// Lets time pass until every scan has ended.
    pub(crate) async fn drive(&mut self) -> Result<()> {
        let mut healed = false;
        let mut sent = 0;
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
            let mut open = self.pass(healed).await?;
            // What is away comes back, and only then all there is has been seen.
            open |= self.shared.is_away(Part::Database);
            if !open {
                self.workers.stop();
                self.verify().await?;
                let is_first = self.targets.iter().all(|target| target.known.is_none());
                let Some(how) = self.shared.scenario.again.filter(|_| is_first) else {
                    return Ok(());
                };
                self.begin_again(how).await?;
                healed = false;
            }
            ensure!(
                self.shared.passed() < self.shared.scenario.chaos_seconds + PATIENCE_SECONDS,
                "ESR: scans did not end after the healing"
            );
            let pause = self.shared.draw(50, 400);
            // While nothing runs, or nobody says anything, there is little to see.
            let away = [Part::Database, Part::Broker, Part::Controllers];
            let is_away = away.iter().any(|part| self.shared.is_away(*part));
            let is_silent = std::mem::replace(&mut sent, self.shared.lock().sent) == sent;
            let slower = match (self.fleet.alive() > 0 && !is_away, healed) {
                (true, _) if is_silent => 3,
                (true, _) => 1,
                (false, false) => 4,
                (false, true) => 40,
            };
            self.shared.sleep_ms(pause * slower).await;
        }
    }

    /// Lets everybody act once; whether a scan is still open.
    async fn pass(&mut self, healed: bool) -> Result<bool> {
        if !self.shared.is_away(Part::Controllers) {
            unless_away(self.plane.step().await)?;
            after_message(&self.shared, Leg::Broker, "", true).await;
        }
        let mut open = false;
        for index in 0..self.targets.len() {
            // People look less often than machines do.
            if self.shared.draw(0, 2) > 0 {
                open |= self.targets.get(index).is_some_and(|target| target.is_open);
                continue;
            }
            let is_open = unless_away(self.attend(index, healed).await)?.unwrap_or(true);
            if let Some(target) = self.targets.get_mut(index) {
                target.is_open = is_open;
            }
            open |= is_open;
        }
        unless_away(self.edit_credential().await)?;
        self.settle_month().await?;
        self.workers.step();
        if let Err(error) = self.connected.sweep_permits().await {
            self.shared.trace(&format!("sweep failed: {error}"));
        }
        Ok(open)
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

fn ledger(shared: &Shared, db: Db) -> Ledger {
    let (of_clock, of_ids) = (shared.clone(), shared.clone());
    Ledger::new(
        db,
        Arc::new(move || of_clock.ledger_now()),
        Arc::new(move || format!("{:032x}", of_ids.lock().chance.bits())),
    )
}

/// Nothing, where the API server could not do what a person asked: who asked does so again.
fn unless_away<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.downcast_ref() {
            Some(kube::Error::Api(status)) if status.code < 500 => Err(error),
            Some(kube::Error::Api(_)) => Ok(None),
            _ => Err(error),
        },
    }
}
