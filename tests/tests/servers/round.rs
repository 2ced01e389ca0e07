//! One scan by the real program, disturbed while it runs, and its result.

use std::{collections::BTreeSet, thread, time::Duration};

use followlytics_tests::toolkit::{Home, Process, families, finish_within, pause, through};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest scan.
const LONGEST: Duration = Duration::from_mins(15);
/// Changes between the first kills; the first one comes half as many changes after the first runner. Later kills come
/// ever further apart, so that a scan comes to its end however slow its runners are.
const BETWEEN_KILLS: u32 = 20;

/// What happens during a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disturbance {
    /// Nothing.
    Quiet,
    /// A change per second.
    Drip,
    /// Changes with pauses of 50 ms.
    Churn,
    /// The same, and a runner is killed about every second.
    ChurnAndKills,
}

impl Disturbance {
    const fn interval(self) -> Duration {
        match self {
            Self::Quiet | Self::Drip => Duration::from_secs(1),
            Self::Churn | Self::ChurnAndKills => Duration::from_millis(50),
        }
    }
}

/// Ids that must, and ids that may be in a result.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Followed from before the scan until after it.
    pub stable: BTreeSet<String>,
    /// Followed at some time during it.
    pub ever: BTreeSet<String>,
}

impl Truth {
    pub fn of(followers: BTreeSet<String>) -> Self {
        Self {
            stable: followers.clone(),
            ever: followers,
        }
    }

    pub fn followed(&mut self, id: &str) {
        self.ever.insert(id.to_owned());
    }

    pub fn unfollowed(&mut self, id: &str) {
        self.stable.remove(id);
    }
}

/// A scan that has ended.
#[derive(Debug)]
pub struct Scanned {
    pub report: Value,
    pub found: BTreeSet<String>,
    pub changes: u32,
    pub kills: u32,
}

impl Scanned {
    pub fn certificate(&self) -> &Value {
        &self.report["result"]["certificate"]
    }

    pub fn is_exact(&self) -> bool {
        self.certificate()["guarantee"] == "Exact"
    }

    pub fn unexplained(&self) -> u64 {
        self.certificate()["unexplained"].as_u64().unwrap()
    }

    /// Fails if an account is listed that never followed, or is missing although the certificate says that none is.
    /// Returns the number of missing accounts.
    pub fn check(&self, truth: &Truth) -> usize {
        let invented: Vec<&String> = self.found.difference(&truth.ever).collect();
        assert!(invented.is_empty(), "never followed: {invented:?}");
        let missed: Vec<&String> = truth.stable.difference(&self.found).collect();
        let promises = self.is_exact() || self.certificate()["complete"] == true;
        assert!(
            missed.is_empty() || !promises,
            "{} of {} stable followers are missing: {missed:?} {}",
            missed.len(),
            truth.stable.len(),
            self.report
        );
        missed.len()
    }
}

/// Scans `account`; `change` makes one change.
pub fn scan(
    home: &Home,
    account: &str,
    more: &[&str],
    disturbance: Disturbance,
    mut change: impl FnMut(),
) -> Scanned {
    let words = ["scan", account, "--runners", "4", "--quiet", "-o", "json"];
    // The kernel kills the program when the test is killed: otherwise a scan of a server that is gone waits for it.
    let child = through(
        &["setpriv", "--pdeathsig", "KILL", "--"],
        &home.command(words.iter().chain(more)),
    )
    .spawn()
    .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let (mut changes, mut kills) = (0, Kills::new());
    let ran = thread::scope(|scope| {
        let ending = scope.spawn(|| finish_within(LONGEST, child, account));
        while !ending.is_finished() {
            pause(disturbance.interval());
            if disturbance != Disturbance::Quiet {
                change();
                changes += 1;
            }
            if disturbance == Disturbance::ChurnAndKills {
                kills.tick(pid);
            }
        }
        ending.join().unwrap()
    });
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    let found = export(home, account);
    assert_eq!(report["uniqueFollowers"], found.len(), "{report}");
    Scanned {
        report,
        found,
        changes,
        kills: kills.number,
    }
}

/// Kills of one scan's runners.
#[derive(Debug)]
struct Kills {
    /// Ticks at which a runner ran.
    ticks: u32,
    /// The tick of the next kill.
    next: u32,
    number: u32,
}

impl Kills {
    const fn new() -> Self {
        Self {
            ticks: 0,
            next: BETWEEN_KILLS / 2,
            number: 0,
        }
    }

    fn tick(&mut self, program: i32) {
        let family = families(&[program]).unwrap();
        let is_runner = |process: &&Process| process.role() == Some("run-scan");
        let runners: Vec<i32> = family
            .iter()
            .filter(is_runner)
            .map(|process| process.pid)
            .collect();
        self.ticks += u32::from(!runners.is_empty());
        let place = usize::try_from(self.number).unwrap().checked_rem(runners.len());
        let Some(place) = place.filter(|_| self.ticks >= self.next) else {
            return;
        };
        self.next = self.ticks + BETWEEN_KILLS + self.number * self.number / 4;
        // A runner that has ended is not killed.
        let pid = Pid::from_raw(runners[place]).unwrap();
        self.number += u32::from(kill_process(pid, Signal::KILL).is_ok());
    }
}

/// Ids of the newest result.
fn export(home: &Home, account: &str) -> BTreeSet<String> {
    let ran = home.run(&format!("export {account} --format ndjson"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let id = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    ran.out.lines().map(id).collect()
}
