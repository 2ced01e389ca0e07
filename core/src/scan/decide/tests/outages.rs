use super::*;
use crate::health::{Cause, Ended, Health, Outage, Part};

fn outage(part: Part, cause: Cause) -> Outage {
    Outage {
        part,
        cause,
        since: at(5),
    }
}

fn without(outages: &[Outage], stage: Stage) -> (Scan, Observed) {
    let scan = scan(json!({}));
    let mut seen = seen(&scan, summary(stage));
    seen.health.outages = outages.to_vec();
    (scan, seen)
}

#[test]
fn scan_waits_on_the_part_that_is_unavailable_and_says_why() {
    for stage in [Stage::Resolving, Stage::Scanning, Stage::Merging] {
        let (scan, seen) = without(&[outage(Part::Objects, Cause::NoSpace)], stage);
        let status = run(&scan, &seen, at(10)).report.status;
        let waiting = status.waiting_on.unwrap();
        assert_eq!(
            (waiting.reason.as_str(), waiting.until),
            ("StorageUnavailable", None)
        );
        let message = waiting.message.unwrap();
        assert!(
            message.starts_with("objects: no space left; free some space"),
            "{message}"
        );
        let condition = status.conditions.find(STORAGE_AVAILABLE).unwrap();
        assert_eq!(
            (
                condition.status.as_str(),
                condition.reason.as_str(),
                condition.message.as_str()
            ),
            ("False", "StorageUnavailable", message.as_str())
        );
    }
}

#[test]
fn every_outage_has_one_event() {
    let (scan, mut seen) = without(
        &[
            outage(Part::Objects, Cause::TimedOut),
            outage(Part::Database, Cause::ConnectionRefused),
        ],
        Stage::Scanning,
    );
    let events = run(&scan, &seen, at(10)).plan.outages;
    let notes: Vec<&str> = events.iter().map(|event| event.note.as_str()).collect();
    assert!(
        notes[0].starts_with("objects: timed out") && notes[1].starts_with("database: connection refused"),
        "{notes:?}"
    );
    seen.announced = events.into_iter().filter_map(|event| event.occurrence).collect();
    // Another cause is no other outage.
    seen.health.outages[0].cause = Cause::ConnectionLost;
    assert_eq!(run(&scan, &seen, at(11)).plan.outages, []);
    seen.health.outages[0].since = at(60);
    assert_eq!(run(&scan, &seen, at(61)).plan.outages.len(), 1);
}

#[test]
fn outage_that_could_not_be_written_has_its_event_afterwards() {
    let (mut scan, mut seen) = without(&[], Stage::Scanning);
    scan.metadata.creation_timestamp = Some(Time(at(0)));
    seen.health.ended = vec![Ended {
        outage: outage(Part::Database, Cause::TimedOut),
        until: at(20),
    }];
    let events = run(&scan, &seen, at(21)).plan.outages;
    assert_eq!(events.len(), 1);
    assert!(
        events[0].note.starts_with("database: timed out from "),
        "{}",
        events[0].note
    );
    // A later scan was not delayed by it.
    scan.metadata.creation_timestamp = Some(Time(at(20)));
    assert_eq!(run(&scan, &seen, at(21)).plan.outages, []);
}

#[test]
fn condition_turns_true_with_the_end_of_the_outage() {
    let (mut scan, mut seen) = without(&[outage(Part::Disk, Cause::NoSpace)], Stage::Scanning);
    scan.status = Some(run(&scan, &seen, at(10)).report.status);
    seen.health = Health::default();
    let status = run(&scan, &seen, at(30)).report.status;
    let condition = status.conditions.find(STORAGE_AVAILABLE).unwrap();
    assert_eq!(
        (condition.status.as_str(), condition.last_transition_time.0),
        ("True", at(30))
    );
    assert_ne!(
        status.waiting_on.map(|waiting| waiting.reason).as_deref(),
        Some("StorageUnavailable")
    );
}

#[test]
fn what_an_operator_has_to_change_comes_before_an_outage() {
    let (scan, mut seen) = without(&[outage(Part::Objects, Cause::NoSpace)], Stage::Scanning);
    seen.summary.as_mut().unwrap().hold = hold("BudgetExhausted", None);
    let waiting = run(&scan, &seen, at(10)).report.status.waiting_on.unwrap();
    assert_eq!(waiting.reason, "BudgetExhausted");
    seen.summary.as_mut().unwrap().hold = hold("RateLimitWindow", Some(at(100)));
    let waiting = run(&scan, &seen, at(10)).report.status.waiting_on.unwrap();
    assert_eq!(waiting.reason, "StorageUnavailable");
}

#[test]
fn scan_that_is_over_or_paused_has_no_events_of_outages() {
    let (mut scan, mut seen) = without(&[outage(Part::Objects, Cause::NoSpace)], Stage::Scanning);
    scan.spec.operating_mode = followlytics_crds::OperatingMode::Suspended;
    assert_eq!(run(&scan, &seen, at(10)).plan.outages, []);
    scan.spec.operating_mode = followlytics_crds::OperatingMode::Running;
    seen.summary = Some(merged(0));
    let decision = run(&scan, &seen, at(10));
    assert_eq!(
        (decision.plan.outages, decision.report.status.waiting_on),
        (Vec::new(), None)
    );
    assert!(
        decision
            .report
            .status
            .conditions
            .find(STORAGE_AVAILABLE)
            .is_none()
    );
}

#[test]
fn difference_of_clocks_is_a_condition_until_it_is_gone() {
    let (mut scan, mut seen) = without(&[], Stage::Scanning);
    let clocks = |scan: &Scan, seen: &Observed| {
        let status = run(scan, seen, at(10)).report.status;
        let found = status.conditions.find(CLOCK_IN_SYNC);
        let found = found.map(|c| (c.status.clone(), c.reason.clone(), c.message.clone()));
        (found, status)
    };
    assert_eq!(clocks(&scan, &seen).0, None);
    seen.health.clock_ahead = Some(-20);
    let (found, status) = clocks(&scan, &seen);
    let said = "the database's clock is 20 s behind the control plane's: let NTP set both";
    assert_eq!(
        found,
        Some(("False".to_owned(), "ClockSkewed".to_owned(), said.to_owned()))
    );
    scan.status = Some(status);
    seen.health = Health::default();
    let (found, _) = clocks(&scan, &seen);
    assert_eq!(
        found,
        Some(("True".to_owned(), "ClocksAgree".to_owned(), String::new()))
    );
}
