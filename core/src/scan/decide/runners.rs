//! Which Sandboxes a scan should have: exactly the runners that would find work, each replaced when it ends
//! too early, later and later when it ends so again and again.

use followlytics_crds::{
    ConditionExt as _, OperatingMode, Sandbox, SandboxPhase, Scan, ScanPhase, reasons, sandbox,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Observed, Policy, SOON, after, is_idle};
use crate::{
    sandbox::{Requeue, build, decide::READY, phase::is_over},
    scan::summary::Hold,
};

/// A Sandbox of the scan, as far as the scan cares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Runner {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its number within the scan.
    pub number: u32,
    /// Runners that failed one after another before it.
    pub attempt: u32,
    /// Where it stands.
    pub phase: SandboxPhase,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// When it was created.
    pub created: Timestamp,
    /// Since when its Ready condition is as it is.
    pub since: Timestamp,
    /// Reason and message of that condition.
    pub told: Option<(String, String)>,
    /// Whether it holds a lease.
    pub holds_lease: bool,
}

impl Runner {
    /// Reads a Sandbox; `None` for one that no server has accepted yet.
    pub fn of(sandbox: &Sandbox, holds_lease: bool) -> Option<Self> {
        let meta = &sandbox.metadata;
        let created = meta.creation_timestamp.as_ref()?.0;
        let ready = sandbox
            .status
            .as_ref()
            .and_then(|status| status.conditions.find(READY));
        Some(Self {
            name: meta.name.clone()?,
            uid: meta.uid.clone()?,
            number: build::number(sandbox, build::NUMBER),
            attempt: build::number(sandbox, build::ATTEMPT),
            phase: sandbox
                .status
                .as_ref()
                .map(|status| status.phase)
                .unwrap_or_default(),
            terminating: meta.deletion_timestamp.is_some(),
            created,
            since: ready.map_or(created, |ready| ready.last_transition_time.0),
            told: ready.map(|ready| (ready.reason.clone(), ready.message.clone())),
            holds_lease,
        })
    }

    /// Whether something of it may still run.
    pub const fn is_alive(&self) -> bool {
        !is_over(self.phase)
    }

    /// Whether it works, or soon will.
    const fn is_live(&self) -> bool {
        !self.terminating && !is_over(self.phase)
    }

    fn victim(&self) -> Victim {
        Victim {
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }

    /// Failures in a row, this one among them.
    fn failures(&self) -> u32 {
        let lived = self.since.duration_since(self.created);
        let lost = self
            .told
            .as_ref()
            .is_some_and(|(reason, _)| reason == sandbox::reasons::LOST);
        match self.phase {
            // Its parent was killed: not its fault, and the restart should not wait.
            SandboxPhase::Failed if lost => 0,
            SandboxPhase::Failed if lived >= LONG => 1,
            SandboxPhase::Finished if lived >= SHORT => 0,
            _ => self.attempt.saturating_add(1),
        }
    }

    /// When it may be replaced.
    fn replaceable(&self) -> Timestamp {
        let wait = match self.failures() {
            0 | 1 => 0,
            more => 1_i64 << (more - 2).min(6),
        };
        self.since
            .saturating_add(SignedDuration::from_secs(wait.min(60)))
            .unwrap_or(self.since)
    }
}

/// A runner that worked so long did not fail at starting.
const LONG: SignedDuration = SignedDuration::from_secs(30);
/// A runner that says after less time that there is no work, while there is, is asked again more slowly.
const SHORT: SignedDuration = SignedDuration::from_secs(5);

/// A Sandbox to delete, and no other of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Victim {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What to do about the Sandboxes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) delete: Vec<Victim>,
    pub(super) create: Vec<Sandbox>,
    pub(super) requeue: Requeue,
    /// Why there are fewer runners than there is work.
    pub(super) waiting: Option<Hold>,
}

impl Step {
    const NOTHING: Self = Self {
        delete: Vec::new(),
        create: Vec::new(),
        requeue: Requeue::OnChange,
        waiting: None,
    };
}

/// Every Sandbox that is not being deleted yet.
pub(super) fn all(seen: &Observed) -> Vec<Victim> {
    seen.runners
        .iter()
        .filter(|runner| !runner.terminating)
        .map(Runner::victim)
        .collect()
}

pub(super) fn decide(
    scan: &Scan,
    seen: &Observed,
    phase: ScanPhase,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let goes_on = matches!(phase, ScanPhase::Resolving | ScanPhase::Scanning)
        && scan.spec.operating_mode == OperatingMode::Running
        && !scan.spec.cancelled;
    let Some(summary) = seen.summary.as_ref() else {
        return Step {
            delete: all(seen),
            ..Step::NOTHING
        };
    };
    if goes_on
        && seen
            .recorded
            .as_ref()
            .is_some_and(|recorded| recorded.mode == crate::wire::Mode::Run)
    {
        return keep_busy(scan, seen, summary.wanted_runners, policy, now);
    }
    // Paused: the runners are told by their heartbeats and give back what they hold. To end one earlier would
    // cut off a request that is paid for; one that hangs is ended by its lease.
    let draining = matches!(phase, ScanPhase::Resolving | ScanPhase::Scanning) && !is_idle(summary);
    let delete = seen
        .runners
        .iter()
        .filter(|r| !(r.terminating || draining && r.is_live()));
    let requeue = if seen.runners.is_empty() {
        Requeue::OnChange
    } else {
        after(now, SOON)
    };
    Step {
        delete: delete.map(Runner::victim).collect(),
        requeue,
        ..Step::NOTHING
    }
}

fn keep_busy(scan: &Scan, seen: &Observed, work: u32, policy: &Policy, now: Timestamp) -> Step {
    let live: Vec<&Runner> = seen.runners.iter().filter(|runner| runner.is_live()).collect();
    let count = u32::try_from(live.len()).unwrap_or(u32::MAX);
    let asked = work.min(scan.spec.parallelism.max_runners);
    let mut wanted = asked.min(seen.share);
    if resumes_soon(seen, policy, now) {
        wanted = wanted.max(count.min(seen.share));
    }
    let mut step = Step {
        delete: surplus(&live, wanted, seen.share),
        ..Step::NOTHING
    };
    let leaving = seen.runners.iter().filter(|runner| runner.terminating).count();
    let mut missing = wanted
        .saturating_sub(count)
        .saturating_sub(u32::try_from(leaving).unwrap_or(u32::MAX));
    if asked > 0 && !seen.served {
        step.waiting = Some(unattended());
    } else if asked > seen.share {
        step.waiting = Some(Hold {
            reason: reasons::RUNNERS_BUSY.to_owned(),
            message: format!(
                "{asked} runners would find work, {} are free for this scan: raise the installation's max-runners, \
                 or this scan's spec.priority",
                seen.share
            ),
            until: None,
        });
    }
    let mut number = seen
        .runners
        .iter()
        .map(|runner| runner.number + 1)
        .max()
        .unwrap_or(0);
    for over in seen
        .runners
        .iter()
        .filter(|runner| !runner.terminating && !runner.is_alive())
    {
        if missing > 0 && over.replaceable() > now {
            missing -= 1;
            step.requeue = step.requeue.or_sooner(Requeue::At(over.replaceable()));
            step.waiting = Some(failing(over));
            continue;
        }
        // First the replacement: it carries the count of failures on.
        if missing > 0 {
            missing -= 1;
            step.create
                .extend(build::build_sandbox(scan, number, over.failures()));
            number += 1;
        }
        step.delete.push(over.victim());
    }
    for _ in 0..missing {
        step.create.extend(build::build_sandbox(scan, number, 0));
        number += 1;
    }
    step
}

/// Whether what the scan waits on is over so soon that its runners may as well stay.
fn resumes_soon(seen: &Observed, policy: &Policy, now: Timestamp) -> bool {
    let hold = seen.summary.as_ref().and_then(|summary| summary.hold.as_ref());
    hold.and_then(|hold| hold.until)
        .is_some_and(|until| until <= now.saturating_add(policy.keep_idle).unwrap_or(now))
}

/// Runners too many: those without a lease first, the youngest first. One that holds a lease goes only when
/// other scans have a better right to its place.
fn surplus(live: &[&Runner], wanted: u32, share: u32) -> Vec<Victim> {
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let over = live.len().saturating_sub(count(wanted));
    let claimed = live.len().saturating_sub(count(share));
    let mut order: Vec<&Runner> = live.to_vec();
    order.sort_by_key(|runner| (runner.holds_lease, std::cmp::Reverse(runner.number)));
    order
        .into_iter()
        .enumerate()
        .filter(|(index, runner)| *index < over && (!runner.holds_lease || *index < claimed))
        .map(|(_, runner)| runner.victim())
        .collect()
}

fn unattended() -> Hold {
    Hold {
        reason: reasons::UNATTENDED.to_owned(),
        message: "the control plane that runs belongs to a `scan` command and works on that command's scan alone: once \
                  it has ended, `followlytics up` works on this one"
            .to_owned(),
        until: None,
    }
}

fn failing(over: &Runner) -> Hold {
    let why = over
        .told
        .as_ref()
        .map(|(_, message)| message.as_str())
        .unwrap_or_default();
    Hold {
        reason: reasons::RUNNERS_FAILING.to_owned(),
        message: format!("runner {} {why}; the next one starts in a moment", over.name),
        until: Some(over.replaceable()),
    }
}
