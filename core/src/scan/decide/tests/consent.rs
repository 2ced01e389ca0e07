//! Scans that only an attached command may pay for, and those of another command's control plane.

use super::*;
use crate::scan::consent::{ANNOTATION, ATTACHED, Consent};

fn attached(spec: serde_json::Value) -> Scan {
    let mut scan = scan(spec);
    let annotations = scan.metadata.annotations.get_or_insert_default();
    annotations.insert(ANNOTATION.to_owned(), ATTACHED.to_owned());
    scan
}

fn of_x() -> Scan {
    attached(json!({"account": {"platform": "x", "handle": "nasa"}}))
}

fn policy() -> Policy {
    Policy {
        environment: [(Platform::X, Auth::AppBearer)].into(),
        ..Policy::default()
    }
}

fn observed(scan: &Scan, summary: Summary) -> Observed {
    let mut seen = Observed {
        recorded: None,
        summary: None,
        credential: None,
        session: None,
        kept: None,
        runners: Vec::new(),
        served: true,
        share: 100,
        progress_written: None,
        health: crate::health::Health::default(),
        announced: std::collections::BTreeSet::new(),
    };
    seen.recorded = Some(admit::admit(scan, &seen, &policy()).unwrap());
    seen.summary = Some(summary);
    seen
}

fn without_consent() -> Summary {
    Summary {
        hold: hold(reasons::INTERRUPTED, None),
        wanted_runners: 0,
        ..summary(Stage::Scanning)
    }
}

#[test]
fn an_attached_scan_that_costs_money_needs_a_lease_and_a_free_one_does_not() {
    let consent = |scan: &Scan| observed(scan, summary(Stage::Scanning)).recorded.unwrap().consent;
    assert_eq!(consent(&of_x()), Consent::Lease);
    assert_eq!(consent(&attached(json!({}))), Consent::Budget);
    assert_eq!(
        consent(&scan(json!({"account": {"platform": "x", "handle": "nasa"}}))),
        Consent::Budget
    );
    let mut other = of_x();
    let annotations = other.metadata.annotations.as_mut().unwrap();
    annotations.insert(ANNOTATION.to_owned(), "something else".to_owned());
    assert_eq!(consent(&other), Consent::Budget);
}

#[test]
fn a_scan_without_consent_is_suspended_with_its_reason_and_starts_nothing() {
    let scan = of_x();
    let decision = decide(&scan, &observed(&scan, without_consent()), &policy(), at(1));
    let status = &decision.report.status;
    assert_eq!(status.phase, ScanPhase::Suspended);
    assert_eq!(
        told(status, SUSPENDED),
        ("True".into(), reasons::INTERRUPTED.into())
    );
    let waiting = status.waiting_on.as_ref().unwrap();
    assert_eq!(
        (waiting.reason.as_str(), waiting.message.as_deref()),
        (reasons::INTERRUPTED, Some("the remedy"))
    );
    let event = decision.plan.announce.unwrap();
    assert_eq!(
        (event.reason, event.note.as_str()),
        (reasons::SUSPENDED, "the remedy")
    );
    assert!(decision.plan.create.is_empty());
}

#[test]
fn a_scan_without_consent_is_suspended_only_once_no_request_is_in_flight() {
    let scan = of_x();
    let busy = Summary {
        open_permits: 1,
        ..without_consent()
    };
    let mut seen = observed(&scan, busy);
    seen.runners = vec![runner(0, SandboxPhase::Ready)];
    let status = decide(&scan, &seen, &policy(), at(1)).report.status;
    assert_eq!(status.phase, ScanPhase::Scanning);
    assert_eq!(told(&status, SUSPENDED).0, "False");
    assert_eq!(status.waiting_on.unwrap().reason, reasons::INTERRUPTED);
}

#[test]
fn a_pause_by_a_person_is_said_before_the_lack_of_consent() {
    let scan =
        attached(json!({"account": {"platform": "x", "handle": "nasa"}, "operatingMode": "Suspended"}));
    let paused = Summary {
        hold: None,
        ..without_consent()
    };
    let status = decide(&scan, &observed(&scan, paused), &policy(), at(1))
        .report
        .status;
    assert_eq!(
        told(&status, SUSPENDED),
        ("True".into(), reasons::REQUESTED.into())
    );
}

#[test]
fn another_commands_control_plane_neither_records_nor_works_on_a_scan() {
    let scan = scan(json!({}));
    let mut seen = observed(&scan, summary(Stage::Scanning));
    seen.served = false;
    seen.share = 0;
    let decision = run(&scan, &seen, at(1));
    assert!(decision.plan.create.is_empty());
    assert_eq!(
        decision.report.status.waiting_on.unwrap().reason,
        reasons::UNATTENDED
    );
    seen.recorded = None;
    seen.summary = None;
    let decision = run(&scan, &seen, at(1));
    assert_eq!(
        (decision.plan, decision.requeue),
        (Plan::NOTHING, Requeue::OnChange)
    );
    assert_eq!(decision.report.status, ScanStatus::default());
}

#[test]
fn another_commands_control_plane_deletes_and_cancels_what_a_person_ends() {
    let mut scan = scan(json!({"cancelled": true}));
    let mut seen = observed(&scan, summary(Stage::Scanning));
    seen.served = false;
    seen.recorded.as_mut().unwrap().mode = Mode::Run;
    let record = run(&scan, &seen, at(1)).plan.record.unwrap();
    assert_eq!(record.mode, Mode::Cancel);
    scan.metadata.deletion_timestamp = Some(Time(at(1)));
    assert_eq!(run(&scan, &seen, at(2)).plan.finalizer, Finalizer::Remove);
}
