//! What people and programs are told of a Scan.

use followlytics_crds::{
    CertificateStatus, CostStatus, Guarantee, PlanStatus, Progress, RangeCounts, ResultStatus, SandboxPhase,
    Scan, ScanPhase, ScanStatus, WaitingOn, condition, reasons,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Observed, Refusal, interruption, is_paused, is_quiet, outages, runners};
use crate::{
    money::Usd,
    sandbox::Announcement,
    scan::{
        certificate,
        summary::{Hold, ResultRecord, Summary},
    },
};

/// Condition: the spec can be used.
pub const ACCEPTED: &str = "Accepted";
/// Condition: a person asked for a pause, and nothing of the scan runs any more.
pub const SUSPENDED: &str = "Suspended";
/// Condition: the database, the objects and the disk are available. Written from the first outage to the scan's end.
pub const STORAGE_AVAILABLE: &str = "StorageAvailable";
/// Condition: the clocks of the database and the control plane agree. Written from the first difference to the scan's end.
pub const CLOCK_IN_SYNC: &str = "ClockInSync";
/// Condition: everything is read and merged. Written once the scan is over.
pub const COMPLETE: &str = "Complete";

pub(super) struct Inputs<'a> {
    pub(super) scan: &'a Scan,
    pub(super) seen: &'a Observed,
    pub(super) refusal: Option<&'a Refusal>,
    pub(super) phase: ScanPhase,
    pub(super) runners: &'a runners::Step,
    pub(super) now: Timestamp,
}

pub(super) fn report(inputs: &Inputs<'_>) -> ScanStatus {
    let summary = inputs.seen.summary.as_ref();
    let ended = match summary {
        // Refused before it began: there is no row that could know when.
        None if inputs.phase.is_final() => {
            let earlier = inputs
                .scan
                .status
                .as_ref()
                .and_then(|status| status.completion_time.clone());
            earlier.or(Some(written(inputs.now)))
        }
        None => None,
        Some(summary) => summary.ended.filter(|_| inputs.phase.is_final()).map(written),
    };
    ScanStatus {
        observed_generation: inputs.scan.metadata.generation,
        phase: inputs.phase,
        conditions: conditions(inputs),
        start_time: summary.and_then(|s| s.started).map(written),
        completion_time: ended,
        plan: summary.and_then(plan),
        progress: summary.map(|summary| progress(summary, inputs)),
        cost: summary.map(cost),
        waiting_on: waiting_on(inputs),
        result: summary.and_then(|s| s.result.as_ref()).map(result),
    }
}

/// A time as objects keep it, in whole seconds: a finer one would never equal what is read back, and a status that
/// differs is written again at once, for ever.
fn written(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// The event of a phase that was just reached, if it is an outcome.
pub(super) fn announce(scan: &Scan, status: &ScanStatus) -> Option<Announcement> {
    let before = scan
        .status
        .as_ref()
        .map(|status| status.phase)
        .unwrap_or_default();
    if before == status.phase {
        return None;
    }
    let (reason, warning) = match status.phase {
        ScanPhase::Succeeded => (reasons::SUCCEEDED, false),
        ScanPhase::Partial => (reasons::PARTIAL, true),
        ScanPhase::Failed => (reasons::FAILED, true),
        ScanPhase::Cancelled => (reasons::CANCELLED, false),
        ScanPhase::Suspended => (reasons::SUSPENDED, false),
        ScanPhase::Pending | ScanPhase::Resolving | ScanPhase::Scanning | ScanPhase::Merging
            if before == ScanPhase::Suspended =>
        {
            (reasons::RESUMED, false)
        }
        ScanPhase::Pending | ScanPhase::Resolving | ScanPhase::Scanning | ScanPhase::Merging => return None,
    };
    Some(Announcement {
        reason,
        note: note(status),
        warning,
        occurrence: None,
    })
}

fn note(status: &ScanStatus) -> String {
    let read = status.progress.as_ref().map_or(0, |progress| progress.scanned);
    let why = status
        .conditions
        .iter()
        .find(|c| c.status == "False" && !c.message.is_empty() && c.type_ != SUSPENDED);
    match (&status.result, &status.waiting_on, why) {
        (Some(result), ..) => {
            let guarantee = match result.certificate.guarantee {
                Guarantee::Exact => "exact",
                Guarantee::BestEffort => "best effort",
            };
            format!("{} followers, {guarantee}; {}", result.rows, result.uri)
        }
        (None, Some(waiting), _) => waiting.message.clone().unwrap_or_else(|| waiting.reason.clone()),
        (None, None, Some(why)) => why.message.clone(),
        (None, None, None) => format!("{read} rows read so far"),
    }
}

fn conditions(inputs: &Inputs<'_>) -> Vec<Condition> {
    let earlier = inputs
        .scan
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let generation = inputs.scan.metadata.generation;
    let make = |kind: &str, good: bool, reason: &str, message: &str| {
        condition(earlier, kind, good, reason, message, generation, inputs.now)
    };
    let mut all = vec![match inputs.refusal {
        Some(refusal) => make(ACCEPTED, false, refusal.reason, &refusal.message),
        None => make(ACCEPTED, true, reasons::ACCEPTED, &kept_credential(inputs)),
    }];
    let over = inputs.phase.is_final();
    let interruption = interruption(inputs.seen).filter(|_| inputs.phase == ScanPhase::Suspended);
    all.push(
        if let (false, Some(hold)) = (is_paused(inputs.scan), interruption) {
            make(SUSPENDED, true, reasons::INTERRUPTED, &hold.message)
        } else if over || !is_paused(inputs.scan) {
            make(SUSPENDED, false, reasons::RUNNING, "")
        } else if inputs.seen.summary.is_some() && is_quiet(inputs.seen) {
            make(
                SUSPENDED,
                true,
                reasons::REQUESTED,
                "nothing is lost and nothing is spent",
            )
        } else {
            make(SUSPENDED, false, reasons::DRAINING, &draining(inputs.seen))
        },
    );
    all.extend(
        outages::condition(inputs, earlier)
            .map(|(good, reason, message)| make(STORAGE_AVAILABLE, good, reason, &message)),
    );
    all.extend(
        outages::clocks(inputs, earlier)
            .map(|(good, reason, message)| make(CLOCK_IN_SYNC, good, reason, &message)),
    );
    if over {
        let (reason, message) = completeness(inputs);
        all.push(make(
            COMPLETE,
            inputs.phase == ScanPhase::Succeeded,
            &reason,
            &message,
        ));
    }
    all
}

/// What a user is told who named another credential while a chain is read.
fn kept_credential(inputs: &Inputs<'_>) -> String {
    let summary = inputs.seen.summary.as_ref();
    let kept = summary.and_then(|summary| summary.kept_credential.as_ref());
    kept.map_or_else(String::new, |kept| {
        format!(
            "spec.credentialRef: the list is read on with credential {kept}, which its tokens were issued to; the one \
             that is named now takes over once that one is rejected or used up"
        )
    })
}

/// Reason and message of the Complete condition.
fn completeness(inputs: &Inputs<'_>) -> (String, String) {
    let summary = inputs.seen.summary.as_ref();
    let failure = summary
        .and_then(|s| s.failure.as_ref())
        .or_else(|| summary.and_then(|s| s.hold.as_ref()));
    match (inputs.phase, inputs.refusal, failure) {
        (ScanPhase::Succeeded, ..) => (reasons::COMPLETE.to_owned(), String::new()),
        (ScanPhase::Cancelled, ..) => (
            reasons::CANCELLED.to_owned(),
            "a person ended the scan".to_owned(),
        ),
        (_, Some(refusal), _) => (refusal.reason.to_owned(), refusal.message.clone()),
        (_, None, Some(failure)) => (failure.reason.clone(), failure.message.clone()),
        (_, None, None) => {
            let failed = summary.map_or(0, |s| s.ranges.failed);
            let message =
                format!("{failed} ranges were given up; create another Scan to read the list again");
            (reasons::RANGES_GIVEN_UP.to_owned(), message)
        }
    }
}

fn draining(seen: &Observed) -> String {
    let permits = seen.summary.as_ref().map_or(0, |summary| summary.open_permits);
    let alive = seen.runners.iter().filter(|runner| runner.is_alive()).count();
    format!("{permits} requests are being settled, {alive} runners are ending")
}

fn waiting_on(inputs: &Inputs<'_>) -> Option<WaitingOn> {
    let because = |reason: &str, message: &str| {
        Some(WaitingOn {
            reason: reason.to_owned(),
            message: Some(message.to_owned()),
            until: None,
        })
    };
    if let Some(refusal) = inputs.refusal {
        return because(refusal.reason, &refusal.message);
    }
    if inputs.phase.is_final() {
        return None;
    }
    if is_paused(inputs.scan) {
        return if is_quiet(inputs.seen) {
            because(
                reasons::REQUESTED,
                "a person paused it: set spec.operatingMode to Running to go on",
            )
        } else {
            because(reasons::DRAINING, &draining(inputs.seen))
        };
    }
    let as_told = |hold: &Hold| WaitingOn {
        reason: hold.reason.clone(),
        message: Some(hold.message.clone()),
        until: hold.until.map(written),
    };
    let hold = inputs
        .seen
        .summary
        .as_ref()
        .and_then(|summary| summary.hold.as_ref());
    let hold = hold.filter(|hold| hold.until.is_none_or(|until| until > inputs.now));
    // What an operator has to change comes first; storage before what ends with time.
    let outage = outages::message(inputs.seen).filter(|_| hold.is_none_or(|hold| hold.until.is_some()));
    if let Some(message) = outage {
        return because(reasons::STORAGE_UNAVAILABLE, &message);
    }
    if let Some(hold) = hold {
        return Some(as_told(hold));
    }
    if inputs.phase == ScanPhase::Merging {
        return None;
    }
    if let Some(waiting) = &inputs.runners.waiting {
        return Some(as_told(waiting));
    }
    let working = inputs
        .seen
        .runners
        .iter()
        .any(|runner| runner.phase == SandboxPhase::Ready);
    let starting =
        !inputs.runners.create.is_empty() || inputs.seen.runners.iter().any(runners::Runner::is_alive);
    if !working && starting {
        return because(reasons::RUNNER_STARTING, "a runner is being started");
    }
    None
}

fn plan(summary: &Summary) -> Option<PlanStatus> {
    let plan = summary.plan.as_ref()?;
    Some(PlanStatus {
        account_id: summary.account_id.clone().unwrap_or_default(),
        seek: plan.seek.to_string(),
        ranges: i64::try_from(plan.ranges.len()).unwrap_or(i64::MAX),
        requests: plan.requests,
        seconds: (plan.window_ms + 999) / 1000,
        usd: plan.price.to_string(),
        runners: i64::from(plan.runners),
    })
}

fn progress(summary: &Summary, inputs: &Inputs<'_>) -> Progress {
    // At rest the rate is none: one that sank with every second would be written for ever.
    let until = if inputs.phase == ScanPhase::Suspended {
        None
    } else {
        summary.ended.or(Some(inputs.now))
    };
    let millis = summary
        .started
        .zip(until)
        .map(|(since, until)| until.duration_since(since).as_millis().max(1));
    let rate = millis.map_or(0, |millis| i128::from(summary.scanned) * 60_000 / millis);
    let rate = i64::try_from(rate).unwrap_or(i64::MAX);
    let left = summary.expected - summary.scanned;
    let eta = (inputs.phase == ScanPhase::Scanning && rate > 0 && left > 0).then(|| left * 60 / rate);
    Progress {
        expected: summary.expected,
        scanned: summary.scanned,
        unique: summary.result.as_ref().map(|result| result.certificate.unique),
        ranges: RangeCounts {
            total: summary.ranges.total,
            done: summary.ranges.done,
            active: summary.ranges.active,
            waiting: summary.ranges.waiting,
            failed: summary.ranges.failed,
        },
        followers_per_minute: rate,
        eta_seconds: eta,
    }
}

fn cost(summary: &Summary) -> CostStatus {
    CostStatus {
        spent_usd: summary.spent.to_string(),
        reserved_usd: summary.reserved.to_string(),
        ambiguous_usd: summary.ambiguous.to_string(),
        surplus_usd: (summary.surplus > Usd::ZERO).then(|| summary.surplus.to_string()),
        refetched_rows: summary.requests.refetched_rows,
    }
}

fn result(result: &ResultRecord) -> ResultStatus {
    let certificate = &result.certificate;
    ResultStatus {
        uri: result.manifest.clone(),
        version: result.version,
        rows: result.rows,
        sha256: result.sha256.clone(),
        certificate: CertificateStatus {
            guarantee: match certificate.guarantee {
                certificate::Guarantee::Exact => Guarantee::Exact,
                certificate::Guarantee::BestEffort => Guarantee::BestEffort,
            },
            seams: i64::try_from(certificate.seams.len()).unwrap_or(i64::MAX),
            scanned: certificate.scanned,
            unique: certificate.unique,
            platform_count: certificate.platform_count,
            hidden: certificate.hidden,
            unexplained: certificate.unexplained,
            complete: certificate.complete,
            grade: certificate.grade.to_string(),
            drift: certificate.drift,
        },
    }
}
