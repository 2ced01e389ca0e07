//! One installation: simulated platforms, a database, `up` and its children.

use std::{fs, sync::Arc};

use followlytics_simulator::WorldConfig;
use followlytics_store::{db::Db, ledger::Ledger, objects::Objects};
use followlytics_testbed::postgres::{Options, Postgres};
use followlytics_tests::toolkit::{Home, Site, Up, X_TOKEN, eventually, pause, processes};
use serde_json::json;

use crate::{
    blow::Strike,
    schedule::{ScanPlan, Schedule, Storage},
    verify,
};

/// What a schedule befalls.
pub struct Installation {
    // Dropped first: it shows its logs where a test fails, and they are in the home.
    up: Option<Up>,
    pub site: Site,
    pub home: Home,
    database: Option<(Postgres, String)>,
}

/// Plays a schedule to its end and looks at what is left; which of its blows landed.
pub fn play(schedule: &Schedule) -> Vec<(Strike, bool)> {
    let mut installation = Installation::new(schedule);
    installation.start_up();
    installation.apply(schedule);
    let mut landed = Vec::new();
    for blow in &schedule.blows {
        installation.reach(blow.after, schedule);
        landed.push((blow.strike, blow.fall(&mut installation)));
    }
    for number in 0..schedule.scans.len() {
        installation.home.wait_for(&name(number), "Succeeded");
    }
    installation.stop_up();
    verify::verify(&installation, schedule);
    landed
}

/// Name of the `number`-th scan.
pub fn name(number: usize) -> String {
    format!("scan-{number}")
}

impl Installation {
    fn new(schedule: &Schedule) -> Self {
        let config = WorldConfig {
            seed: schedule.seed,
            latency_ms: schedule.latency_ms,
            ..WorldConfig::default()
        };
        let site = Site::new(config, schedule.scans.iter().map(ScanPlan::spec));
        let mut home = Home::new(&site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN);
        let database = (schedule.storage == Storage::Postgres).then(|| {
            let server = Postgres::start(Options::default()).unwrap();
            let url = server.create_database().unwrap();
            (server, url)
        });
        if let Some((_, url)) = &database {
            home = home.with("FOLLOWLYTICS_DATABASE", url);
        }
        Self {
            up: None,
            site,
            home,
            database,
        }
    }

    /// One with SQLite, on platforms and in a home of one's own.
    pub fn of(site: Site, home: Home) -> Self {
        Self {
            up: None,
            site,
            home,
            database: None,
        }
    }

    fn apply(&self, schedule: &Schedule) {
        let objects = schedule.scans.iter().enumerate().map(|(number, scan)| {
            json!({
                "apiVersion": "followlytics.io/v1alpha1",
                "kind": "Scan",
                "metadata": {"name": name(number)},
                "spec": {
                    "account": scan.account(),
                    "budget": {"maxUsd": "1000"},
                    "parallelism": {"maxRunners": scan.runners, "followersPerRange": 1000},
                },
            })
        });
        let documents: Vec<String> = objects.map(|object| object.to_string()).collect();
        self.home.apply(&documents.join("\n---\n"));
    }

    /// Waits until so many requests were answered, or until nothing more will be asked.
    fn reach(&self, requests: u64, schedule: &Schedule) {
        let target = usize::try_from(requests).unwrap();
        eventually(&format!("{requests} requests are answered"), || {
            self.site.requests() >= target || self.is_over(schedule)
        });
    }

    fn is_over(&self, schedule: &Schedule) -> bool {
        let phase = |number| {
            let ran = self.home.run(&format!("get scans {} -o json", name(number)));
            (ran.code == 0)
                .then(|| ran.json()["status"]["phase"].as_str().map(str::to_owned))
                .flatten()
        };
        (0..schedule.scans.len()).all(|number| phase(number).as_deref() == Some("Succeeded"))
    }

    pub fn start_up(&mut self) {
        self.up = Some(self.home.up("--max-runners 6"));
    }

    pub fn stop_up(&mut self) {
        if let Some(up) = self.up.take() {
            assert_eq!(up.stop(), 0, "`up` ends in good order");
        }
        self.assert_nothing_runs();
    }

    pub fn kill_up(&mut self) {
        if let Some(up) = self.up.take() {
            up.kill();
        }
        self.assert_nothing_runs();
    }

    /// No process of this data directory is left; a runner has its folder there.
    fn assert_nothing_runs(&self) {
        let data = self.home.data();
        let ours = || {
            processes().unwrap().into_iter().filter(|process| {
                fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|cwd| cwd.starts_with(&data))
            })
        };
        let mut left = 40;
        while ours().next().is_some() && left > 0 {
            pause(std::time::Duration::from_millis(50));
            left -= 1;
        }
        let left: Vec<Vec<String>> = ours().map(|process| process.words).collect();
        assert!(
            left.is_empty(),
            "two seconds after `up` has ended these still run: {left:?}"
        );
    }

    pub fn up_pid(&self) -> i32 {
        self.up.as_ref().unwrap().pid()
    }

    /// Children of `up` that were started with this subcommand, in order of their ids.
    pub fn children(&self, command: &str) -> Vec<i32> {
        let up = self.up_pid();
        let mut found: Vec<i32> = processes()
            .unwrap()
            .into_iter()
            .filter(|process| process.parent == up && process.role() == Some(command))
            .map(|process| process.pid)
            .collect();
        found.sort_unstable();
        found
    }

    /// The server; only schedules that have one strike it.
    pub fn database(&self) -> &Postgres {
        &self.database.as_ref().unwrap().0
    }

    /// Ledger, its database and objects, now that nobody else uses them.
    pub async fn open(&self) -> (Ledger, Db, Objects) {
        let db = match &self.database {
            Some((_, url)) => Db::connect(url).await.unwrap(),
            None => Db::open(&self.home.data().join("ledger.db")).unwrap(),
        };
        let clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
        let ledger = Ledger::new(db.clone(), clock, Arc::new(|| "none".to_owned()));
        let objects = Objects::files(&self.home.data().join("objects")).unwrap();
        (ledger, db, objects)
    }
}
