//! What every part of one simulation shares: chance, time, the trace, and who is alive.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use followlytics_platforms::clock::{Clock, TokioClock};
use futures::{FutureExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use tokio::task::AbortHandle;

use super::{
    chance::Chance,
    invariants::Invariants,
    scenario::{Part, Scenario},
};

/// State of one simulation; one thread, so the lock is never contended.
pub(super) struct State {
    pub(super) chance: Chance,
    pub(super) trace: String,
    /// Messages so far.
    pub(super) hops: u64,
    /// Messages that runners, brokers and browsers sent.
    pub(super) sent: u64,
    /// When the lists began to be read.
    pub(super) started: Timestamp,
    /// Chaos lasts until here.
    pub(super) heal_at: Timestamp,
    /// Processes by name: how to kill them, until when they are frozen.
    pub(super) processes: BTreeMap<String, Process>,
    pub(super) kills: u32,
    /// How often each thing happened: a fault that never fires proves nothing.
    pub(super) coverage: BTreeMap<&'static str, u64>,
    /// The end is looked at: nothing is away any more.
    pub(super) verifies: bool,
    /// When each object was put.
    pub(super) puts: BTreeMap<String, Timestamp>,
    pub(super) invariants: Invariants,
    /// The first broken invariant ends the run.
    pub(super) broken: Option<String>,
}

pub(super) struct Process {
    pub(super) abort: Option<AbortHandle>,
    pub(super) frozen_until: Timestamp,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Shared {
    state: Arc<Mutex<State>>,
    clock: TokioClock,
    started: Timestamp,
    pub(super) scenario: Arc<Scenario>,
}

impl Shared {
    pub(super) fn new(scenario: Scenario, clock: TokioClock) -> Self {
        let started = clock.now();
        let state = State {
            chance: Chance::new(scenario.seed ^ 0x5eed),
            trace: String::new(),
            hops: 0,
            sent: 0,
            started,
            heal_at: started,
            processes: BTreeMap::new(),
            kills: 0,
            coverage: BTreeMap::new(),
            verifies: true,
            puts: BTreeMap::new(),
            invariants: Invariants::default(),
            broken: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            started,
            clock,
            scenario: Arc::new(scenario),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time by the database's clock, which is set in some worlds.
    pub(super) fn ledger_now(&self) -> Timestamp {
        let now = self.now();
        match self.scenario.clocks.database {
            Some((after, by)) if now.duration_since(self.started).as_secs() >= after => later(now, by * 1000),
            _ => now,
        }
    }

    pub(super) async fn sleep_ms(&self, ms: i64) {
        if ms > 0 {
            self.clock.sleep(SignedDuration::from_millis(ms)).await;
        }
    }

    /// A line of the trace, with the virtual time in milliseconds.
    pub(super) fn trace(&self, line: &str) {
        let ms = self.now().as_millisecond();
        let mut state = self.lock();
        let _ = writeln!(state.trace, "{ms} {line}");
    }

    /// Counts that something happened.
    pub(super) fn count(&self, what: &'static str) {
        *self.lock().coverage.entry(what).or_insert(0) += 1;
    }

    /// Whether faults still happen.
    pub(super) fn is_chaos(&self) -> bool {
        let now = self.now();
        self.lock().heal_at > now
    }

    /// Begins the chaos.
    pub(super) fn begin(&self) {
        let now = self.now();
        let mut state = self.lock();
        state.started = now;
        state.heal_at = later(now, self.scenario.chaos_seconds * 1000);
        state.verifies = false;
    }

    /// Ends every fault: what there is, is looked at.
    pub(super) fn end(&self) {
        let now = self.now();
        let mut state = self.lock();
        (state.heal_at, state.verifies) = (now, true);
    }

    /// Seconds since the lists began to be read.
    pub(super) fn passed(&self) -> i64 {
        let started = self.lock().started;
        self.now().duration_since(started).as_secs()
    }

    /// Whether this part is away now.
    pub(super) fn is_away(&self, part: Part) -> bool {
        if !self.scenario.has_outage(part) || self.lock().verifies {
            return false;
        }
        let passed = self.passed();
        let outages = self.scenario.outages.iter().filter(|outage| outage.of == part);
        outages
            .map(|outage| outage.from..outage.from + outage.length)
            .any(|stretch| stretch.contains(&passed))
    }

    /// Draws a fault of so many in a thousand; never after the healing.
    pub(super) fn fault(&self, per_mille: u32) -> bool {
        self.is_chaos() && self.lock().chance.happens(per_mille)
    }

    pub(super) fn draw(&self, low: i64, high: i64) -> i64 {
        self.lock().chance.between(low, high)
    }

    /// Kills or freezes the process here, or lets it pass; a frozen one waits until it thaws.
    pub(super) async fn pass(&self, who: &str, may_freeze: bool) {
        if self.fault(self.scenario.faults.kill) && self.kill(who) {
            std::future::pending::<()>().await;
        }
        if may_freeze && self.fault(self.scenario.faults.freeze) {
            let ms = self.draw(1_000, 40_000);
            self.count("frozen");
            self.trace(&format!("freeze {who} for {ms}"));
            let until = later(self.now(), ms);
            if let Some(process) = self.lock().processes.get_mut(who) {
                process.frozen_until = until;
            }
        }
        self.thaw(who).await;
    }

    /// Waits while the process is frozen.
    pub(super) async fn thaw(&self, who: &str) {
        loop {
            let until = self.lock().processes.get(who).map(|process| process.frozen_until);
            let Some(left) = until
                .map(|until| until.duration_since(self.now()))
                .filter(SignedDuration::is_positive)
            else {
                return;
            };
            self.clock.sleep(left).await;
        }
    }

    /// KILL: the process's future is dropped where it stands. False when it cannot be killed.
    pub(super) fn kill(&self, who: &str) -> bool {
        let abort = self
            .lock()
            .processes
            .get(who)
            .and_then(|process| process.abort.clone());
        let Some(abort) = abort else { return false };
        self.trace(&format!("kill {who}"));
        self.count("killed");
        self.lock().kills += 1;
        abort.abort();
        true
    }

    /// The machine fails: every process on it is gone at once.
    pub(super) fn cut_power(&self) {
        self.count("power failures");
        self.trace("power fails");
        let processes: Vec<AbortHandle> = {
            let mut state = self.lock();
            let all = state.processes.values_mut();
            all.filter_map(|process| process.abort.take()).collect()
        };
        for process in processes {
            process.abort();
        }
    }

    /// Notes a broken invariant; the first one counts.
    pub(super) fn report(&self, what: String) {
        self.trace(&format!("BROKEN {what}"));
        self.lock().broken.get_or_insert(what);
    }

    /// The clock as a process sees it: its sleeps end late when it is frozen.
    pub(super) fn clock_of(&self, who: &str) -> Arc<dyn Clock> {
        if !self.ahead(who).is_zero() {
            self.count("skewed clocks");
        }
        Arc::new(ProcessClock {
            shared: self.clone(),
            who: who.to_owned(),
        })
    }

    /// By how much the clock of this process is ahead now.
    pub(super) fn ahead(&self, who: &str) -> SignedDuration {
        let set = self.scenario.clocks.runners.filter(|(after, _)| {
            let passed = self.now().duration_since(self.started).as_secs();
            passed >= *after
        });
        self.skew_of(who) + SignedDuration::from_secs(set.map_or(0, |(_, by)| by))
    }

    fn skew_of(&self, who: &str) -> SignedDuration {
        let most = self.scenario.clocks.skew_seconds;
        if most == 0 {
            return SignedDuration::ZERO;
        }
        let seed = who.bytes().fold(self.scenario.seed, |seed, byte| {
            seed.rotate_left(7) ^ u64::from(byte)
        });
        SignedDuration::from_secs(Chance::new(seed).between(-most, most))
    }
}

struct ProcessClock {
    shared: Shared,
    who: String,
}

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        self.shared.now() + self.shared.ahead(&self.who)
    }

    fn sleep(&self, duration: SignedDuration) -> BoxFuture<'static, ()> {
        let (shared, who) = (self.shared.clone(), self.who.clone());
        async move {
            shared.clock.sleep(duration).await;
            shared.pass(&who, false).await;
        }
        .boxed()
    }
}

/// So many milliseconds later.
pub(super) fn later(at: Timestamp, ms: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(ms))
        .unwrap_or(Timestamp::MAX)
}
