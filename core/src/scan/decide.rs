//! What to do about a Scan: what the ledger should know of it, which Sandboxes it should have, and what
//! people are told. Total and pure.
//!
//! The ledger is the truth of a scan's progress, the object is the truth of what is wanted. A decision is
//! made in two beats: first what is wanted is recorded; only when the ledger says the same are runners
//! started or ended, so that "nothing runs any more" is never concluded from a figure that is older than the
//! wish.

mod admit;
pub mod limits;
mod outages;
mod progress;
mod report;
mod runners;
mod share;

use std::collections::{BTreeMap, BTreeSet};

use followlytics_crds::{
    CredentialSpec, OperatingMode, ResultPolicy, Sandbox, Scan, ScanPhase, ScanStatus, reasons,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    request::ScanRequest,
    summary::{Hold, Stage, Summary},
};
use crate::{
    account::Platform,
    health::Health,
    money::Usd,
    mutants::{self, Mutant},
    platform::Auth,
    sandbox::{Announcement, Finalizer, Requeue},
    wire::Mode,
};

pub use admit::Refusal;
pub use report::{ACCEPTED, CLOCK_IN_SYNC, COMPLETE, STORAGE_AVAILABLE, SUSPENDED};
pub use runners::{Runner, Victim};
pub use share::{Want, share};

/// Finalizer of a Scan: its ledger rows are out of an owner reference's reach.
pub const FINALIZER: &str = "followlytics.io/scan";

/// Everything the decision depends on, besides the object itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// What the ledger was last told of this scan.
    pub recorded: Option<ScanRequest>,
    /// What the ledger knows.
    pub summary: Option<Summary>,
    /// The Credential that the spec names; `None` when it names none, or there is none of that name.
    pub credential: Option<CredentialSpec>,
    /// The Credential with its web session, likewise.
    pub session: Option<CredentialSpec>,
    /// The Credential of a chain that the spec does not name any more, if it is still there.
    pub kept: Option<CredentialSpec>,
    /// Its Sandboxes, in order of their numbers.
    pub runners: Vec<Runner>,
    /// Whether this control plane works on the scan: that of a `scan` command works on its own alone.
    pub served: bool,
    /// Runners that the installation allows this scan at the moment.
    pub share: u32,
    /// When its progress was last written.
    pub progress_written: Option<Timestamp>,
    /// State of the storage.
    pub health: Health,
    /// Outages that events were written for.
    pub announced: BTreeSet<String>,
}

/// What the operator chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Base URLs that are not the platforms' public ones.
    pub base_urls: BTreeMap<Platform, String>,
    /// Platforms whose token lies in the environment, and how it authorises.
    pub environment: BTreeMap<Platform, Auth>,
    /// Platforms whose lists a browser may read.
    pub browsers: BTreeSet<Platform>,
    /// The most a scan without a budget may cost.
    pub default_budget: Usd,
    /// How often progress is written while nothing else changes.
    pub progress_every: SignedDuration,
    /// Runners without work are kept when there will be some again so soon.
    pub keep_idle: SignedDuration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            base_urls: BTreeMap::new(),
            environment: BTreeMap::new(),
            browsers: BTreeSet::new(),
            default_budget: Usd::from_nanos(1_000_000_000),
            progress_every: SignedDuration::from_secs(10),
            keep_idle: SignedDuration::from_secs(60),
        }
    }
}

/// What to do, exactly, in the order in which it is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The object's finalizer; taken off only after everything else.
    pub finalizer: Finalizer,
    /// Tell the ledger.
    pub record: Option<ScanRequest>,
    /// Sandboxes to delete.
    pub delete: Vec<Victim>,
    /// Sandboxes to create.
    pub create: Vec<Sandbox>,
    /// Tell people about an outcome.
    pub announce: Option<Announcement>,
    /// Events of storage outages.
    pub outages: Vec<Announcement>,
    /// Forget the scan in the ledger.
    pub forget: Option<ResultPolicy>,
    /// Delete the object itself: its time after the end is over.
    pub expire: bool,
}

impl Plan {
    const NOTHING: Self = Self {
        finalizer: Finalizer::Keep,
        record: None,
        delete: Vec::new(),
        create: Vec::new(),
        announce: None,
        outages: Vec::new(),
        forget: None,
        expire: false,
    };
}

/// What people and programs are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The status to write, if it differs from what is there.
    pub status: ScanStatus,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use]
pub struct Decision {
    /// What to do.
    pub plan: Plan,
    /// What to tell.
    pub report: Report,
    /// When to look again.
    pub requeue: Requeue,
}

/// How often a scan that goes on is looked at, in case a wake-up was missed.
const SLOW: SignedDuration = SignedDuration::from_secs(10);
/// How often one is looked at that waits for something to end.
const SOON: SignedDuration = SignedDuration::from_millis(500);

/// Decides for one Scan.
pub fn decide(scan: &Scan, seen: &Observed, policy: &Policy, now: Timestamp) -> Decision {
    if scan.metadata.deletion_timestamp.is_some() {
        return end(scan, seen, now);
    }
    if !seen.served && seen.recorded.is_none() && !mutants::on(Mutant::OthersRecorded) {
        return leave(scan);
    }
    let (record, refusal) = wanted(scan, seen, policy);
    if let Some(record) = record {
        return tell_the_ledger(scan, record);
    }
    let phase = phase(scan, seen, refusal.as_ref());
    let runners = runners::decide(scan, seen, phase, policy, now);
    let inputs = report::Inputs {
        scan,
        seen,
        refusal: refusal.as_ref(),
        phase,
        runners: &runners,
        now,
    };
    let report = report::report(&inputs);
    let (status, progress_due) =
        progress::throttle(scan.status.as_ref(), report, seen.progress_written, policy, now);
    let expires = expiry(scan, &status);
    // A permit that was open at the end is settled or in doubt within a minute: people see which.
    let in_doubt = seen
        .summary
        .as_ref()
        .is_some_and(|summary| summary.open_permits > 0);
    let slow = if phase.is_final() && seen.runners.is_empty() && !in_doubt {
        Requeue::OnChange
    } else {
        after(now, SLOW)
    };
    let hold = seen
        .summary
        .as_ref()
        .and_then(|summary| summary.hold.as_ref()?.until);
    let requeue = [hold, progress_due, expires]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .map(Requeue::At)
        .fold(slow.or_sooner(runners.requeue), Requeue::or_sooner);
    let plan = Plan {
        announce: report::announce(scan, &status),
        outages: outages::news(scan, seen, phase),
        expire: expires.is_some_and(|at| at <= now),
        delete: runners.delete,
        create: runners.create,
        ..Plan::NOTHING
    };
    Decision {
        plan,
        report: Report { status },
        requeue,
    }
}

/// What the ledger has to be told first, and why the spec cannot be used as it is.
fn wanted(scan: &Scan, seen: &Observed, policy: &Policy) -> (Option<ScanRequest>, Option<Refusal>) {
    // What is over stays over, whatever becomes of the spec or the Credential.
    if seen
        .summary
        .as_ref()
        .is_some_and(|summary| matches!(summary.stage, Stage::Merged | Stage::Ended))
    {
        return (None, None);
    }
    let (wanted, refusal) = match (admit::admit(scan, seen, policy), &seen.recorded) {
        (Ok(wanted), _) => (Some(wanted), None),
        // Refused before anything was recorded: nothing is made, nothing is spent.
        (Err(refusal), None) => (None, Some(refusal)),
        // Refused in mid-scan, such as by a Credential that was deleted: pause it, lose nothing.
        (Err(refusal), Some(recorded)) => {
            let mode = if recorded.mode == Mode::Cancel {
                Mode::Cancel
            } else {
                Mode::Suspend
            };
            (
                Some(ScanRequest {
                    mode,
                    ..recorded.clone()
                }),
                Some(refusal),
            )
        }
    };
    (
        wanted.filter(|wanted| {
            seen.recorded
                .as_ref()
                .is_none_or(|known| wanted.over(known) != *known)
        }),
        refusal,
    )
}

/// The first beat: nothing is started, ended or told before the ledger knows what is wanted.
fn tell_the_ledger(scan: &Scan, record: ScanRequest) -> Decision {
    let plan = Plan {
        finalizer: if has_finalizer(scan) {
            Finalizer::Keep
        } else {
            Finalizer::Add
        },
        record: Some(record),
        ..Plan::NOTHING
    };
    Decision {
        plan,
        report: Report {
            status: scan.status.clone().unwrap_or_default(),
        },
        requeue: Requeue::Now,
    }
}

/// Decides nothing: another control plane works on this scan.
fn leave(scan: &Scan) -> Decision {
    Decision {
        plan: Plan::NOTHING,
        report: Report {
            status: scan.status.clone().unwrap_or_default(),
        },
        requeue: Requeue::OnChange,
    }
}

/// The object is being deleted: first its runners end, then the ledger forgets it, then the object goes.
fn end(scan: &Scan, seen: &Observed, now: Timestamp) -> Decision {
    let status = scan.status.clone().unwrap_or_default();
    let stop = seen.recorded.clone().map(|recorded| ScanRequest {
        mode: Mode::Cancel,
        ..recorded
    });
    let record = stop.filter(|stop| {
        seen.recorded
            .as_ref()
            .is_some_and(|known| stop.over(known) != *known)
    });
    let gone = seen.runners.is_empty();
    let forget = has_finalizer(scan) && gone;
    let plan = Plan {
        finalizer: if forget {
            Finalizer::Remove
        } else {
            Finalizer::Keep
        },
        delete: if record.is_some() {
            Vec::new()
        } else {
            runners::all(seen)
        },
        forget: forget.then_some(scan.spec.result_policy),
        record: record.filter(|_| !gone),
        ..Plan::NOTHING
    };
    let requeue = match (&plan.record, gone) {
        (Some(_), _) => Requeue::Now,
        (None, true) => Requeue::OnChange,
        (None, false) => after(now, SOON),
    };
    Decision {
        plan,
        report: Report { status },
        requeue,
    }
}

/// Where the scan stands.
fn phase(scan: &Scan, seen: &Observed, refusal: Option<&Refusal>) -> ScanPhase {
    let Some(summary) = &seen.summary else {
        return if refusal.is_some() {
            ScanPhase::Failed
        } else {
            ScanPhase::Pending
        };
    };
    let stuck = summary.hold.as_ref().is_some_and(|hold| hold.until.is_none());
    let stopped = refusal.is_some() || is_paused(scan) || stuck;
    match summary.stage {
        Stage::Merged | Stage::Ended => outcome(scan, seen, summary),
        Stage::Merging => ScanPhase::Merging,
        // A pause is true once nothing is under way, seen after the ledger was told of it.
        Stage::Resolving | Stage::Scanning if stopped && is_quiet(seen) => ScanPhase::Suspended,
        Stage::Resolving => ScanPhase::Resolving,
        Stage::Scanning => ScanPhase::Scanning,
    }
}

/// How the scan ended.
fn outcome(scan: &Scan, seen: &Observed, summary: &Summary) -> ScanPhase {
    let cancelled = seen
        .recorded
        .as_ref()
        .is_some_and(|recorded| recorded.mode == Mode::Cancel);
    match (&summary.result, &summary.failure) {
        (Some(_), None) if summary.ranges.failed == 0 => ScanPhase::Succeeded,
        (Some(_), _) => ScanPhase::Partial,
        (None, None) if cancelled => ScanPhase::Cancelled,
        (None, None) if scan.spec.dry_run => ScanPhase::Succeeded,
        (None, _) => ScanPhase::Failed,
    }
}

/// Whether a person asked for a pause.
fn is_paused(scan: &Scan) -> bool {
    scan.spec.operating_mode == OperatingMode::Suspended && !scan.spec.cancelled
}

/// Why the scan may not spend, if it may not.
fn interruption(seen: &Observed) -> Option<&Hold> {
    let hold = seen.summary.as_ref()?.hold.as_ref()?;
    (hold.reason == reasons::INTERRUPTED).then_some(hold)
}

/// Whether no request is under way and no range is held.
fn is_idle(summary: &Summary) -> bool {
    summary.open_permits == 0 && summary.ranges.active == 0
}

/// Whether nothing of the scan runs any more.
fn is_quiet(seen: &Observed) -> bool {
    mutants::on(Mutant::SuspendedTooEarly)
        || seen.summary.as_ref().is_none_or(is_idle) && seen.runners.iter().all(|runner| !runner.is_alive())
}

fn has_finalizer(scan: &Scan) -> bool {
    scan.metadata
        .finalizers
        .as_ref()
        .is_some_and(|all| all.iter().any(|name| name == FINALIZER))
}

/// When the object deletes itself.
fn expiry(scan: &Scan, status: &ScanStatus) -> Option<Timestamp> {
    let seconds = scan
        .spec
        .ttl_seconds_after_finished
        .filter(|_| status.phase.is_final())?;
    let ended = status.completion_time.as_ref()?.0;
    ended.saturating_add(SignedDuration::from_secs(seconds)).ok()
}

fn after(now: Timestamp, wait: SignedDuration) -> Requeue {
    Requeue::At(now.saturating_add(wait).unwrap_or(now))
}

#[cfg(test)]
mod tests;
