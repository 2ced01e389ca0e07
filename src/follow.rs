//! Looking at a scan until it is over, or until only a person can let it go on.

mod outages;

use std::time::Duration;

use followlytics_core::{
    platform::Seek,
    scan::{
        range::Range,
        summary::{Hold, Stage, Summary},
    },
};
use followlytics_crds::{ConditionExt as _, Scan, ScanPhase, reasons};
use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api,
    runtime::watcher::{self, Event, watcher},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    connect::Session,
    edge,
    exit::{Exit, Failure},
    figures::Figures,
    progress::Progress,
};

/// How often the ledger of this process is read.
const LIVE: Duration = Duration::from_millis(200);
/// How often another process's control plane is asked even if it tells of no change: it may be gone.
const REMOTE: Duration = Duration::from_secs(10);
/// How soon an unavailable database is read again.
const OUTAGE: Duration = Duration::from_millis(500);
/// The least between two looks, however often it changes.
const CALM: Duration = Duration::from_millis(50);

/// A scan as it was seen at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) scan: Scan,
    /// The ledger's own figures, where it is at hand.
    pub(crate) summary: Option<Summary>,
    pub(crate) ranges: Vec<Range>,
}

/// What a look says about going on looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on by itself.
    Going,
    /// It is over; the sentence says why, where there is something to say.
    Over(Exit, String),
    /// A person has to change something: reason and sentence.
    Stuck(String, String),
}

/// Looks at the scan.
pub(crate) async fn look(session: &Session, scans: &Api<Scan>, name: &str) -> Result<Seen, Failure> {
    let scan = scans.get(name).await?;
    let (Some(plane), Some(uid)) = (&session.plane, &scan.metadata.uid) else {
        return Ok(Seen {
            scan,
            summary: None,
            ranges: Vec::new(),
        });
    };
    let summary = plane.ledger.summary(uid).await?;
    let ranges = plane.ledger.list_ranges(uid).await?;
    Ok(Seen {
        scan,
        summary,
        ranges,
    })
}

impl Seen {
    pub(crate) fn phase(&self) -> ScanPhase {
        self.scan
            .status
            .as_ref()
            .map(|status| status.phase)
            .unwrap_or_default()
    }

    pub(crate) fn figures(&self) -> Figures {
        match &self.summary {
            Some(summary) => Figures::live(summary, &self.ranges, self.phase(), edge::now()),
            None => Figures::reported(&self.scan),
        }
    }

    /// What it waits on.
    pub(crate) fn hold(&self) -> Option<Hold> {
        let live = self.summary.as_ref().and_then(|summary| summary.hold.clone());
        live.or_else(|| {
            let waiting = self.scan.status.as_ref()?.waiting_on.as_ref()?;
            Some(Hold {
                reason: waiting.reason.clone(),
                message: waiting.message.clone().unwrap_or_default(),
                until: waiting.until.as_ref().map(|until| until.0),
            })
        })
    }

    pub(crate) fn scanned(&self) -> i64 {
        self.figures().scanned
    }

    /// Whether the list is cut into ranges; a chain is read by one runner.
    pub(crate) fn is_seekable(&self) -> bool {
        self.summary
            .as_ref()
            .and_then(|summary| summary.plan.as_ref())
            .is_some_and(|plan| plan.seek != Seek::Chain)
    }
}

/// What a look says about going on looking.
pub(crate) fn verdict(seen: &Seen) -> Verdict {
    let phase = seen.phase();
    if is_current(&seen.scan) && phase.is_final() {
        return over(seen, phase);
    }
    if let Some(failure) = seen.summary.as_ref().and_then(|summary| summary.failure.as_ref())
        && seen
            .summary
            .as_ref()
            .is_some_and(|summary| summary.stage == Stage::Ended)
    {
        return Verdict::Over(exit_of(&failure.reason), failure.message.clone());
    }
    let Some(hold) = seen.hold() else {
        return Verdict::Going;
    };
    match hold.until {
        None if !ends_by_itself(&hold) => Verdict::Stuck(hold.reason, hold.message),
        // Nothing was read, so nothing is waited for: the address is wrong more often than the platform is away.
        Some(_)
            if [reasons::PLATFORM_UNREACHABLE, reasons::PAGE_UNREADABLE].contains(&hold.reason.as_str())
                && seen.scanned() == 0 =>
        {
            Verdict::Stuck(hold.reason, hold.message)
        }
        _ => Verdict::Going,
    }
}

/// Whether a hold without an end needs no change by a person.
fn ends_by_itself(hold: &Hold) -> bool {
    [
        reasons::REQUESTED,
        reasons::DRAINING,
        reasons::RUNNER_STARTING,
        reasons::RUNNERS_BUSY,
        reasons::STORAGE_UNAVAILABLE,
        // Who follows a scan consents to it: another look finds that recorded.
        reasons::INTERRUPTED,
        reasons::UNATTENDED,
    ]
    .contains(&hold.reason.as_str())
}

/// The figures of a scan, with the outages of this process's storage as what it waits on.
pub(crate) fn figures_of(session: &Session, seen: &Seen) -> Figures {
    let mut figures = seen.figures();
    outages::show_in(&mut figures, &outages::at_hand(session));
    figures
}

/// The condition that says why the spec was refused, if it was.
pub(crate) fn refusal(scan: &Scan) -> Option<&Condition> {
    let conditions = &scan.status.as_ref()?.conditions;
    conditions
        .find("Accepted")
        .filter(|condition| condition.status == "False")
}

/// Whether the status speaks of the spec as it is now.
pub(crate) fn is_current(scan: &Scan) -> bool {
    let observed = scan.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some() && observed == scan.metadata.generation
}

fn over(seen: &Seen, phase: ScanPhase) -> Verdict {
    let conditions = seen
        .scan
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let why = refusal(&seen.scan).or_else(|| conditions.find("Complete"));
    let (reason, message) = why.map_or(("", String::new()), |condition| {
        (condition.reason.as_str(), condition.message.clone())
    });
    match phase {
        ScanPhase::Succeeded => Verdict::Over(Exit::Ok, String::new()),
        ScanPhase::Partial => Verdict::Over(Exit::Partial, message),
        _ => Verdict::Over(exit_of(reason), message),
    }
}

/// The exit code of a published reason.
pub(crate) fn exit_of(reason: &str) -> Exit {
    match reason {
        reasons::UNKNOWN_PLATFORM | reasons::MALFORMED_HANDLE | reasons::INVALID_SPEC => Exit::Usage,
        reasons::ACCOUNT_NOT_FOUND | reasons::ACCOUNT_PROTECTED | reasons::ACCOUNT_SUSPENDED => Exit::Account,
        reasons::CREDENTIAL_INVALID
        | reasons::CREDENTIAL_MISSING
        | reasons::PLATFORM_REFUSED
        | reasons::BROWSER_OFF
        | reasons::BROWSER_MISSING
        | reasons::SESSION_ENDED
        | reasons::CHALLENGE_SHOWN
        | reasons::MARKUP_CHANGED
        | reasons::CREDITS_DEPLETED
        | reasons::USAGE_CAPPED => Exit::Credential,
        reasons::PLATFORM_UNREACHABLE | reasons::PAGE_UNREADABLE => Exit::Unreachable,
        reasons::BUDGET_TOO_SMALL | reasons::BUDGET_EXHAUSTED | reasons::CURSOR_EXPIRED => Exit::Budget,
        reasons::STORAGE_UNAVAILABLE => Exit::Storage,
        _ => Exit::Failed,
    }
}

/// Looks at the scan; shows an outage of the database for as long as there is nothing else to see.
async fn look_patiently(
    session: &Session,
    scans: &Api<Scan>,
    name: &str,
    mut shown: Figures,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
) -> Result<Option<Seen>, Failure> {
    loop {
        let health = tokio::select! {
            () = interrupt.wait() => return Ok(None),
            health = session.database_away() => health,
            seen = look(session, scans, name) => match seen {
                Ok(seen) => return Ok(Some(seen)),
                Err(failure) => outages::behind(session, failure).await?,
            },
        };
        outages::show_in(&mut shown, &health);
        progress.show(name, &shown, edge::now());
        tokio::select! {
            () = interrupt.wait() => return Ok(None),
            () = tokio::time::sleep(OUTAGE) => {}
        }
    }
}

/// Looks until the scan is over or stuck. `None` when a person or the system ends the command.
pub(crate) async fn follow(
    session: &Session,
    scans: &Api<Scan>,
    name: &str,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
) -> Result<Option<(Seen, Verdict)>, Failure> {
    let mut changes = Changes::of(session, scans, name);
    let mut figures = Figures::default();
    loop {
        let Some(seen) = look_patiently(session, scans, name, figures, progress, interrupt).await? else {
            return Ok(None);
        };
        figures = figures_of(session, &seen);
        progress.show(name, &figures, edge::now());
        match verdict(&seen) {
            Verdict::Going => {}
            verdict => return Ok(Some((seen, verdict))),
        }
        tokio::select! {
            () = interrupt.wait() => return Ok(None),
            () = changes.next() => {}
        }
    }
}

/// What tells that it is time for another look.
enum Changes {
    /// The ledger is at hand and read now and then.
    Clock,
    /// Another process tells of every change of the object.
    Watch(BoxStream<'static, Result<Event<Scan>, watcher::Error>>),
}

impl Changes {
    fn of(session: &Session, scans: &Api<Scan>, name: &str) -> Self {
        if session.plane.is_some() {
            return Self::Clock;
        }
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        Self::Watch(watcher(scans.clone(), config).boxed())
    }

    async fn next(&mut self) {
        match self {
            Self::Clock => tokio::time::sleep(LIVE).await,
            Self::Watch(events) => {
                tokio::time::sleep(CALM).await;
                // Whatever it says, also that it failed: the look that follows finds out.
                let _ = tokio::time::timeout(REMOTE, events.next()).await;
            }
        }
    }
}

/// Ctrl-C, SIGTERM and a terminal that was closed.
pub(crate) struct Interrupt {
    ctrl_c: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` where it is ignored, as by `nohup`.
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Interrupt {
    /// From now on they are the command's own business.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|source| Failure::new(Exit::Failed, "failed to listen for signals").because(source))
        };
        Ok(Self {
            ctrl_c: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: if ignores_hangup() {
                None
            } else {
                Some(listen(SignalKind::hangup())?)
            },
        })
    }

    /// Until one of them comes.
    pub(crate) async fn wait(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether the parent asked for SIGHUP to be ignored; a handler would undo that.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1: the lowest bit.
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(status: &serde_json::Value) -> Seen {
        let scan = json!({
            "apiVersion": "followlytics.io/v1alpha1", "kind": "Scan",
            "metadata": {"name": "s", "generation": 2},
            "spec": {"account": {"platform": "x", "handle": "nasa"}},
            "status": status,
        });
        Seen {
            scan: serde_json::from_value(scan).unwrap(),
            summary: None,
            ranges: Vec::new(),
        }
    }

    #[test]
    fn a_status_of_an_older_spec_decides_nothing() {
        let old = seen(&json!({"phase": "Failed", "observedGeneration": 1}));
        assert_eq!(verdict(&old), Verdict::Going);
        let new = seen(&json!({"phase": "Succeeded", "observedGeneration": 2}));
        assert_eq!(verdict(&new), Verdict::Over(Exit::Ok, String::new()));
    }

    #[test]
    fn every_reason_a_person_can_mend_has_its_code() {
        for (reason, exit) in [
            ("BudgetTooSmall", Exit::Budget),
            ("AccountProtected", Exit::Account),
            ("CredentialInvalid", Exit::Credential),
            ("PlatformUnreachable", Exit::Unreachable),
            ("StorageUnavailable", Exit::Storage),
            ("MalformedHandle", Exit::Usage),
            ("RunnersFailing", Exit::Failed),
        ] {
            assert_eq!(exit_of(reason), exit, "{reason}");
        }
    }

    #[test]
    fn waiting_for_a_window_goes_on_and_for_a_budget_does_not() {
        let waiting = |reason: &str, until: Option<&str>| {
            verdict(&seen(&json!({"phase": "Scanning", "observedGeneration": 2,
                "waitingOn": {"reason": reason, "message": "m", "until": until}})))
        };
        assert_eq!(
            waiting("RateLimitWindow", Some("2026-11-20T00:00:00Z")),
            Verdict::Going
        );
        assert_eq!(waiting("RunnerStarting", None), Verdict::Going);
        assert_eq!(
            waiting("BudgetTooSmall", None),
            Verdict::Stuck("BudgetTooSmall".into(), "m".into())
        );
        assert_eq!(
            waiting("PlatformUnreachable", Some("2026-11-20T00:00:00Z")),
            Verdict::Stuck("PlatformUnreachable".into(), "m".into())
        );
    }
}
