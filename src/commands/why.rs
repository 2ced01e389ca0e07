//! `why`: what a scan waits on, since when, until when, and what would change it.

mod outage;
mod remedy;

use clap::Args;
use followlytics_core::scan::summary::Hold;
use followlytics_crds::{ConditionExt as _, Scan, ScanPhase, WaitingOn, reasons};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Event, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{Api, api::ListParams};
use serde::Serialize;

use self::remedy::remedy;

use crate::{
    args::{Global, Output},
    connect::Session,
    edge,
    exit::{Exit, Failure},
    figures::lasting,
    output,
    plane::{Options, Plane},
};

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// Name of the scan, as `get scans` shows it
    name: String,
}

/// What helps first where nothing works on scans.
const NOBODY: &str = "no control plane runs on this data directory: start `followlytics up`";

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    scan: String,
    phase: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// The difference between the database's clock and the control plane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    clocks: Option<String>,
    /// What would change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

pub(super) async fn run(global: &Global, args: WhyArgs) -> Result<Exit, Failure> {
    let session = Session::open(global, Options::objects_only()).await?;
    let scans: Api<Scan> = Api::namespaced(session.client.clone(), &global.namespace);
    let alone = !session.has_up() && session.named.is_none();
    let read = async {
        let found = find(&session, &scans, global, &args.name).await;
        let health = session.health().await.unwrap_or_default();
        match found {
            Ok((mut scan, events)) => {
                if let Some(plane) = &session.plane
                    && let Some(hold) = interruption(plane, &scan).await
                {
                    suspend(&mut scan, hold);
                }
                let answer = outage::update(explain(&scan, &events, alone), &scan, &health);
                Ok(Answer {
                    clocks: health.clock_skew(),
                    ..answer
                })
            }
            Err(failure) => outage::unread(&args.name, &health).ok_or(failure),
        }
    };
    // A database that does not answer would be waited for: the control plane knows of it before.
    let answer = tokio::select! {
        answer = read => answer,
        health = session.database_away() => {
            let away = || Failure::storage("failed to read the scan: the database is unavailable");
            outage::unread(&args.name, &health).ok_or_else(away)
        }
    };
    session.close().await;
    let answer = answer?;
    if matches!(global.output, Output::Json | Output::Yaml) {
        output::print_value(global.output, &answer)?;
    } else {
        output::print(&text(&answer, edge::now()))?;
    }
    Ok(Exit::Ok)
}

/// What the ledger says of a scan whose command is gone, though no control plane has written that into the object yet.
async fn interruption(plane: &Plane, scan: &Scan) -> Option<Hold> {
    let summary = plane.ledger.summary(scan.metadata.uid.as_deref()?).await.ok()?;
    summary?.hold.filter(|hold| hold.reason == reasons::INTERRUPTED)
}

fn suspend(scan: &mut Scan, hold: Hold) {
    let status = scan.status.get_or_insert_default();
    status.phase = ScanPhase::Suspended;
    status.waiting_on = Some(WaitingOn {
        reason: hold.reason,
        message: Some(hold.message),
        until: None,
    });
}

/// The scan, and what was told of it.
async fn find(
    session: &Session,
    scans: &Api<Scan>,
    global: &Global,
    name: &str,
) -> Result<(Scan, Vec<Event>), Failure> {
    let scan = scans.get(name).await?;
    let events: Api<Event> = Api::namespaced(session.client.clone(), &global.namespace);
    let uid = scan.metadata.uid.as_deref().unwrap_or_default();
    let about = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
    Ok((scan, events.list(&about).await?.items))
}

fn explain(scan: &Scan, events: &[Event], alone: bool) -> Answer {
    let status = scan.status.clone().unwrap_or_default();
    let waiting = status.waiting_on.as_ref();
    let condition = telling(&status.conditions, status.phase);
    let reason = waiting
        .map(|waiting| waiting.reason.clone())
        .or_else(|| condition.map(|c| c.reason.clone()));
    let message = waiting
        .and_then(|waiting| waiting.message.clone())
        .or_else(|| condition.map(|c| c.message.clone()));
    let interrupted = reason.as_deref() == Some(reasons::INTERRUPTED);
    // That is ended by a command with a control plane of its own.
    let nobody = alone && !status.phase.is_final() && !interrupted;
    Answer {
        remedy: match (nobody, reason.as_deref().and_then(|reason| remedy(reason, scan))) {
            (true, None) => Some(NOBODY.to_owned()),
            (true, Some(remedy)) => Some(format!("{NOBODY}; then {remedy}")),
            (false, remedy) => remedy,
        },
        scan: scan.metadata.name.clone().unwrap_or_default(),
        phase: format!("{:?}", status.phase),
        since: since(scan, reason.as_deref(), events),
        reason,
        message: message.filter(|message| !message.is_empty()),
        until: waiting
            .and_then(|waiting| waiting.until.as_ref())
            .map(|until| until.0),
        clocks: None,
    }
}

/// The condition that says why a scan is where it is: refused, over, or paused.
fn telling(conditions: &[Condition], phase: ScanPhase) -> Option<&Condition> {
    let refused = conditions.find("Accepted").filter(|c| c.status == "False");
    let ended = conditions.find("Complete").filter(|_| phase.is_final());
    let paused = conditions.find("Suspended").filter(|c| c.status == "True");
    // Such as a chain that stays on another credential than the one that is named.
    let noted = conditions.find("Accepted").filter(|c| !c.message.is_empty());
    refused.or(ended).or(paused).or(noted)
}

/// Since when it is so: by the condition or the event that says so; what neither tells is not made up.
fn since(scan: &Scan, reason: Option<&str>, events: &[Event]) -> Option<Timestamp> {
    let status = scan.status.as_ref()?;
    let said = |condition: &&Condition| Some(condition.reason.as_str()) == reason;
    let condition = status.conditions.iter().find(said);
    if let Some(condition) = condition {
        return Some(condition.last_transition_time.0);
    }
    let phase = format!("{:?}", status.phase);
    let telling = events.iter().filter(|event| {
        let said = event.reason.as_deref();
        said.is_some() && (said == reason || said == Some(phase.as_str()))
    });
    if let Some(newest) = telling.filter_map(time_of).max() {
        return Some(newest);
    }
    let created = scan.metadata.creation_timestamp.as_ref().map(|time| time.0);
    match (status.phase, reason) {
        (ScanPhase::Pending | ScanPhase::Resolving, _) => created,
        // It runs: since its first request.
        (_, None) => status.start_time.as_ref().map(|time| time.0).or(created),
        (_, Some(_)) => None,
    }
}

fn time_of(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

fn text(answer: &Answer, now: Timestamp) -> String {
    let ago = |at: Timestamp| format!("{at} ({} ago)", lasting(now.duration_since(at).as_secs().max(0)));
    let left = |at: Timestamp| format!("{at} (in {})", lasting(at.duration_since(now).as_secs().max(0)));
    let what = match (&answer.reason, answer.phase.as_str()) {
        (Some(reason), _) => format!("{} ({reason})", answer.phase),
        (None, phase) if phase == format!("{:?}", ScanPhase::Scanning) => {
            "Scanning: it waits on nothing".to_owned()
        }
        (None, phase) => phase.to_owned(),
    };
    let mut rows = vec![
        vec!["scan".to_owned(), answer.scan.clone()],
        vec!["state".to_owned(), what],
    ];
    let mut row =
        |label: &str, cell: Option<String>| rows.extend(cell.map(|cell| vec![label.to_owned(), cell]));
    row("why", answer.message.clone());
    row("since", answer.since.map(ago));
    row("until", answer.until.map(left));
    row("clocks", answer.clocks.clone());
    row("change", answer.remedy.clone());
    output::columns(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scan_that_waits_for_a_budget_says_which_setting_and_what_price() {
        let scan: Scan = serde_json::from_value(json!({
            "apiVersion": "followlytics.io/v1alpha1", "kind": "Scan", "metadata": {"name": "x-nasa"},
            "spec": {"account": {"platform": "x", "handle": "nasa"}},
            "status": {
                "phase": "Suspended",
                "plan": {"accountId": "1", "seek": "Chain", "ranges": 1, "requests": 2, "seconds": 0, "usd": "12.01",
                    "runners": 1},
                "waitingOn": {"reason": "BudgetTooSmall", "message": "it would cost about $12.01"},
            },
        }))
        .unwrap();
        let answer = explain(&scan, &[], false);
        let shown = text(&answer, Timestamp::UNIX_EPOCH);
        assert!(
            shown.contains("spec.budget.maxUsd") && shown.contains("$12.01"),
            "{shown}"
        );
        assert!(
            explain(&scan, &[], true)
                .remedy
                .unwrap()
                .contains("followlytics up")
        );
    }

    #[test]
    fn since_when_is_what_a_condition_or_an_event_says_and_nothing_else() {
        let scan = |status: serde_json::Value| -> Scan {
            serde_json::from_value(json!({
                "apiVersion": "followlytics.io/v1alpha1", "kind": "Scan",
                "metadata": {"name": "s", "creationTimestamp": "2026-11-20T09:00:00Z"},
                "spec": {"account": {"platform": "x", "handle": "nasa"}}, "status": status,
            }))
            .unwrap()
        };
        let event: Event = serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "reason": "Suspended", "lastTimestamp": "2026-11-20T10:00:00Z",
        }))
        .unwrap();
        let budget = scan(
            json!({"phase": "Suspended", "waitingOn": {"reason": "BudgetExhausted"},
            "startTime": "2026-11-20T09:10:00Z"}),
        );
        let at = |scan: &Scan, events: &[Event]| explain(scan, events, false).since.map(|at| at.to_string());
        assert_eq!(at(&budget, &[event]).as_deref(), Some("2026-11-20T10:00:00Z"));
        assert_eq!(at(&budget, &[]), None);
        let running = scan(json!({"phase": "Scanning", "startTime": "2026-11-20T09:10:00Z"}));
        assert_eq!(at(&running, &[]).as_deref(), Some("2026-11-20T09:10:00Z"));
        let paused = scan(
            json!({"phase": "Suspended", "waitingOn": {"reason": "Requested"}, "conditions": [
            {"type": "Suspended", "status": "True", "reason": "Requested", "message": "",
             "lastTransitionTime": "2026-11-20T11:00:00Z"}]}),
        );
        assert_eq!(at(&paused, &[]).as_deref(), Some("2026-11-20T11:00:00Z"));
    }
}
