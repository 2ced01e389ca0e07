//! `why`: what a scan waits on, since when, until when, and what would change it.

use clap::Args;
use followlytics_crds::{ConditionExt as _, Scan, ScanPhase, reasons};
use jiff::Timestamp;
use kube::Api;
use serde::Serialize;

use crate::{
    args::{Global, Output},
    connect::Session,
    edge,
    exit::{Exit, Failure},
    figures::lasting,
    output,
    plane::Options,
};

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// Name of the scan, as `get scans` shows it
    name: String,
}

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
    /// What would change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

pub(super) async fn run(global: &Global, args: WhyArgs) -> Result<Exit, Failure> {
    let session = Session::open(global, Options::objects_only()).await?;
    let scans: Api<Scan> = Api::namespaced(session.client.clone(), &global.namespace);
    let found = scans.get(&args.name).await;
    let alone = session.plane.is_some();
    session.close().await;
    let answer = explain(&found?, alone);
    if matches!(global.output, Output::Json | Output::Yaml) {
        output::print_value(global.output, &answer)?;
    } else {
        output::print(&text(&answer, edge::now()))?;
    }
    Ok(Exit::Ok)
}

fn explain(scan: &Scan, alone: bool) -> Answer {
    let status = scan.status.clone().unwrap_or_default();
    let name = scan.metadata.name.clone().unwrap_or_default();
    let waiting = status.waiting_on.as_ref();
    let refused = status
        .conditions
        .find("Accepted")
        .filter(|condition| condition.status == "False");
    let ended = status
        .conditions
        .find("Complete")
        .filter(|_| status.phase.is_final());
    let condition = refused
        .or(ended)
        .or_else(|| status.conditions.find("Suspended").filter(|c| c.status == "True"));
    let reason = waiting
        .map(|waiting| waiting.reason.clone())
        .or_else(|| condition.map(|c| c.reason.clone()));
    let message = waiting
        .and_then(|waiting| waiting.message.clone())
        .or_else(|| condition.map(|c| c.message.clone()));
    let created = scan.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let started = status.start_time.as_ref().map(|time| time.0);
    let nobody = alone && !status.phase.is_final();
    Answer {
        remedy: if nobody {
            Some("no control plane runs on this data directory: start `followlytics up`".to_owned())
        } else {
            reason.as_deref().and_then(|reason| remedy(reason, scan))
        },
        scan: name,
        phase: format!("{:?}", status.phase),
        reason,
        message: message.filter(|message| !message.is_empty()),
        since: condition
            .map(|condition| condition.last_transition_time.0)
            .or(started)
            .or(created),
        until: waiting
            .and_then(|waiting| waiting.until.as_ref())
            .map(|until| until.0),
    }
}

/// Which setting would change it.
fn remedy(reason: &str, scan: &Scan) -> Option<String> {
    let name = scan.metadata.name.as_deref().unwrap_or_default();
    let price = scan
        .status
        .as_ref()
        .and_then(|status| status.plan.as_ref())
        .map(|plan| plan.usd.clone());
    Some(match reason {
        reasons::BUDGET_TOO_SMALL | reasons::BUDGET_EXHAUSTED | reasons::CURSOR_EXPIRED => {
            let price = price
                .map(|usd| format!(" (the whole list costs about ${usd})"))
                .unwrap_or_default();
            format!("spec.budget.maxUsd: a larger one{price}; or spec.maxFollowers: fewer rows")
        }
        reasons::REQUESTED | reasons::DRAINING => {
            format!("spec.operatingMode: Running (`followlytics resume {name}`)")
        }
        reasons::RATE_LIMIT_WINDOW => {
            "nothing needs to be done; spec.rateLimits of the Credential, if your contract allows more"
                .to_owned()
        }
        reasons::CREDENTIAL_MISSING => {
            "spec.credentialRef: a Credential (`followlytics credential add`)".to_owned()
        }
        reasons::CREDENTIAL_INVALID => {
            "another token under the same name (`followlytics credential add`), then `followlytics resume`"
                .to_owned()
        }
        reasons::CREDITS_DEPLETED | reasons::USAGE_CAPPED => {
            format!("credits or a higher cap on the platform, then `followlytics resume {name}`")
        }
        reasons::RUNNERS_BUSY => "spec.priority: a larger one; or `up --max-runners`: more".to_owned(),
        reasons::UNKNOWN_PLATFORM | reasons::MALFORMED_HANDLE => {
            "spec.account cannot be changed: create another Scan".to_owned()
        }
        reasons::STORAGE_UNAVAILABLE => "free space in the data directory; it goes on by itself".to_owned(),
        _ => return None,
    })
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
        let answer = explain(&scan, false);
        let shown = text(&answer, Timestamp::UNIX_EPOCH);
        assert!(
            shown.contains("spec.budget.maxUsd") && shown.contains("$12.01"),
            "{shown}"
        );
        assert!(explain(&scan, true).remedy.unwrap().contains("followlytics up"));
    }
}
