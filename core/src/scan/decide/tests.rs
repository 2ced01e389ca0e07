use followlytics_crds::{ConditionExt as _, SandboxPhase, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::*;
use crate::scan::{
    certificate::{Certificate, Guarantee},
    summary::{Hold, RangeTally, RequestTally, ResultRecord},
};

mod browser;
mod consent;
mod convergence;
mod outages;
mod phases;
mod replacing;
mod sweeps;

const UID: &str = "9b7f";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
fn scan(spec: serde_json::Value) -> Scan {
    let mut whole = json!({"account": {"platform": "bluesky", "handle": "alice.bsky.social"}});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let mut scan = Scan::new("alice", serde_json::from_value(whole).unwrap());
    scan.metadata.uid = Some(UID.to_owned());
    scan.metadata.namespace = Some("default".to_owned());
    scan.metadata.generation = Some(1);
    scan.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    scan
}

fn summary(stage: Stage) -> Summary {
    Summary {
        stage,
        hold: None,
        failure: None,
        account_id: Some("did:plc:a".to_owned()),
        expected: 1000,
        plan: None,
        scanned: 0,
        ranges: RangeTally {
            total: 4,
            waiting: 4,
            ..RangeTally::default()
        },
        requests: RequestTally::default(),
        spent: Usd::ZERO,
        reserved: Usd::ZERO,
        ambiguous: Usd::ZERO,
        surplus: Usd::ZERO,
        kept_credential: None,
        open_permits: 0,
        wanted_runners: 3,
        started: Some(at(0)),
        ended: None,
        result: None,
    }
}

fn merged(failed: i64) -> Summary {
    let certificate = Certificate {
        guarantee: Guarantee::Exact,
        complete: true,
        current: true,
        extends: None,
        grade: crate::platform::evidence::Grade::Source,
        basis: String::new(),
        support: Vec::new(),
        list_total: None,
        unexplained: 0,
        evidence: Vec::new(),
        seams: Vec::new(),
        scanned: 1001,
        unique: 1000,
        platform_count: 1002,
        hidden: 2,
        drift: None,
    };
    let result = ResultRecord {
        version: 1,
        manifest: "results/manifest.json".to_owned(),
        parts: Vec::new(),
        sha256: "ab".to_owned(),
        rows: 1000,
        duplicates: 1,
        unread: 0,
        certificate,
    };
    Summary {
        ranges: RangeTally {
            total: 4,
            done: 4 - failed,
            failed,
            ..RangeTally::default()
        },
        wanted_runners: 0,
        ended: Some(at(60)),
        result: Some(result),
        ..summary(Stage::Merged)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it fills an optional field")]
fn hold(reason: &str, until: Option<Timestamp>) -> Option<Hold> {
    Some(Hold {
        reason: reason.to_owned(),
        message: "the remedy".to_owned(),
        until,
    })
}

/// What is seen once the ledger knows what `scan` wants.
fn seen(scan: &Scan, summary: Summary) -> Observed {
    let mut seen = Observed {
        recorded: None,
        summary: None,
        credential: None,
        session: None,
        kept: None,
        served: true,
        runners: Vec::new(),
        share: 100,
        progress_written: None,
        health: Health::default(),
        announced: BTreeSet::new(),
    };
    seen.recorded = Some(admit::admit(scan, &seen, &Policy::default()).unwrap());
    seen.summary = Some(summary);
    seen
}

fn runner(number: u32, phase: SandboxPhase) -> Runner {
    Runner {
        name: format!("scan-{UID}-{number}"),
        uid: format!("uid-{number}"),
        number,
        attempt: 0,
        phase,
        terminating: false,
        created: at(0),
        since: at(0),
        told: None,
        holds_lease: false,
    }
}

fn run(scan: &Scan, seen: &Observed, now: Timestamp) -> Decision {
    decide(scan, seen, &Policy::default(), now)
}

fn created(decision: &Decision) -> Vec<String> {
    decision
        .plan
        .create
        .iter()
        .filter_map(|sandbox| sandbox.metadata.name.clone())
        .collect()
}

fn deleted(decision: &Decision) -> Vec<&str> {
    decision
        .plan
        .delete
        .iter()
        .map(|victim| victim.name.as_str())
        .collect()
}

fn told(status: &ScanStatus, kind: &str) -> (String, String) {
    let found = status.conditions.find(kind).unwrap();
    (found.status.clone(), found.reason.clone())
}
