//! How many runners, which of them go, and how fast they are replaced.

use super::*;
use crate::sandbox::build;

fn ended(number: u32, phase: SandboxPhase, attempt: u32, lived: i64) -> Runner {
    let told = Some(("Crashed".to_owned(), "ended with code 3".to_owned()));
    Runner {
        attempt,
        since: at(lived),
        told,
        ..runner(number, phase)
    }
}

fn with(runners: Vec<Runner>, wanted: u32) -> (Scan, Observed) {
    let scan = scan(json!({}));
    let mut known = seen(
        &scan,
        Summary {
            wanted_runners: wanted,
            ..summary(Stage::Scanning)
        },
    );
    known.runners = runners;
    (scan, known)
}

#[test]
fn as_many_runners_as_find_work_no_more_than_are_allowed() {
    for (wanted, most, share, expected) in [(3, 4, 100, 3), (9, 4, 100, 4), (9, 4, 2, 2), (0, 4, 100, 0)] {
        let scan = scan(json!({"parallelism": {"maxRunners": most}}));
        let mut known = seen(
            &scan,
            Summary {
                wanted_runners: wanted,
                ..summary(Stage::Scanning)
            },
        );
        known.share = share;
        let decision = run(&scan, &known, at(1));
        assert_eq!(decision.plan.create.len(), expected);
        let busy = decision
            .report
            .status
            .waiting_on
            .is_some_and(|w| w.reason == "RunnersBusy");
        assert_eq!(busy, share < wanted.min(most));
    }
}

#[test]
fn a_sandbox_belongs_to_its_scan_and_carries_its_finalizer_from_the_start() {
    let (scan, known) = with(Vec::new(), 1);
    let decision = run(&scan, &known, at(1));
    let made = &decision.plan.create[0].metadata;
    assert_eq!(made.name.as_deref(), Some("scan-9b7f-0"));
    assert_eq!(made.labels.as_ref().unwrap()[build::SCAN_UID], UID);
    assert_eq!(made.owner_references.as_ref().unwrap()[0].uid, UID);
    assert_eq!(made.finalizers.as_ref().unwrap()[0], build::FINALIZER);
    assert_eq!(
        decision.report.status.waiting_on.unwrap().reason,
        "RunnerStarting"
    );
}

#[test]
fn names_are_never_used_twice_at_a_time() {
    let (scan, known) = with(vec![runner(7, SandboxPhase::Ready)], 3);
    assert_eq!(
        created(&run(&scan, &known, at(1))),
        ["scan-9b7f-8", "scan-9b7f-9"]
    );
}

#[test]
fn one_that_is_leaving_keeps_its_place_until_it_is_gone() {
    let leaving = Runner {
        terminating: true,
        ..runner(0, SandboxPhase::Ready)
    };
    let (scan, known) = with(vec![leaving], 2);
    assert_eq!(created(&run(&scan, &known, at(1))).len(), 1);
}

#[test]
fn the_first_failure_is_replaced_at_once_further_ones_later_and_later() {
    for (attempt, wait) in [(0, 0), (1, 1), (2, 2), (3, 4), (5, 16), (7, 60), (90, 60)] {
        let (scan, known) = with(vec![ended(4, SandboxPhase::Failed, attempt, 2)], 1);
        let due = at(2 + wait);
        if wait > 0 {
            let early = run(&scan, &known, due - SignedDuration::from_millis(1));
            assert!(early.plan.create.is_empty() && early.plan.delete.is_empty());
            assert_eq!(early.report.status.waiting_on.unwrap().reason, "RunnersFailing");
            assert!(early.requeue == Requeue::At(due) || wait > 10);
        }
        let decision = run(&scan, &known, due);
        assert_eq!(created(&decision), ["scan-9b7f-5"]);
        assert_eq!(
            build::number(&decision.plan.create[0], build::ATTEMPT),
            attempt + 1
        );
        assert_eq!(deleted(&decision), ["scan-9b7f-4"]);
    }
}

#[test]
fn one_that_worked_long_or_was_lost_starts_the_count_anew() {
    let lost = Runner {
        told: Some(("Lost".to_owned(), String::new())),
        ..ended(0, SandboxPhase::Failed, 6, 1)
    };
    for (over, attempt) in [
        (ended(0, SandboxPhase::Failed, 6, 30), 1),
        (lost, 0),
        (ended(0, SandboxPhase::Finished, 6, 5), 0),
        (ended(0, SandboxPhase::Finished, 0, 1), 1),
    ] {
        let (scan, known) = with(vec![over], 1);
        let decision = run(&scan, &known, at(40));
        assert_eq!(build::number(&decision.plan.create[0], build::ATTEMPT), attempt);
    }
}

#[test]
fn what_ended_is_cleared_away_when_nothing_is_missing() {
    let all = vec![
        ended(0, SandboxPhase::Failed, 9, 1),
        runner(1, SandboxPhase::Ready),
    ];
    let (scan, known) = with(all, 1);
    let decision = run(&scan, &known, at(2));
    assert_eq!(deleted(&decision), ["scan-9b7f-0"]);
    assert!(decision.plan.create.is_empty());
}

#[test]
fn a_runner_with_a_lease_goes_only_when_others_have_a_better_right() {
    let holder = |number| Runner {
        holds_lease: true,
        ..runner(number, SandboxPhase::Ready)
    };
    let all = vec![holder(0), holder(1), runner(2, SandboxPhase::Ready)];
    let (scan, mut known) = with(all, 1);
    assert_eq!(deleted(&run(&scan, &known, at(1))), ["scan-9b7f-2"]);
    known.share = 1;
    assert_eq!(
        deleted(&run(&scan, &known, at(1))),
        ["scan-9b7f-2", "scan-9b7f-1"]
    );
}

#[test]
fn runners_stay_through_a_short_wait_and_go_in_a_long_one() {
    let (scan, mut known) = with(vec![runner(0, SandboxPhase::Ready)], 0);
    known.summary.as_mut().unwrap().hold = hold("RateLimitWindow", Some(at(60)));
    assert!(run(&scan, &known, at(0)).plan.delete.is_empty());
    known.summary.as_mut().unwrap().hold = hold("RateLimitWindow", Some(at(61)));
    assert_eq!(deleted(&run(&scan, &known, at(0))).len(), 1);
}
