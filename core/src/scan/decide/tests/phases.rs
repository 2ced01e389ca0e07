//! Where a scan stands, and what people are told.

use super::*;

fn pair(one: &str, two: &str) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

#[test]
fn a_kept_credential_and_a_surplus_are_told() {
    let running = scan(json!({}));
    let known = seen(
        &running,
        Summary {
            kept_credential: Some("team/old".to_owned()),
            surplus: Usd::from_nanos(2_000_000_000),
            ..summary(Stage::Scanning)
        },
    );
    let status = run(&running, &known, at(60)).report.status;
    let accepted = status.conditions.find(ACCEPTED).unwrap();
    assert!(
        accepted.status == "True" && accepted.message.contains("team/old"),
        "{accepted:?}"
    );
    assert_eq!(status.cost.unwrap().surplus_usd.as_deref(), Some("2.00"));
}

#[test]
fn the_ledger_hears_of_new_limits_of_a_kept_credential() {
    let running = scan(json!({}));
    let mut known = seen(
        &running,
        Summary {
            kept_credential: Some("team/old".to_owned()),
            ..summary(Stage::Scanning)
        },
    );
    assert_eq!(run(&running, &known, at(60)).plan.record, None);
    known.kept = serde_json::from_value(json!({
        "platform": "gitea", "type": "UserToken", "secretRef": {"name": "old"}, "monthlyBudgetUsd": "12.00",
    }))
    .unwrap();
    let record = run(&running, &known, at(60)).plan.record.unwrap();
    let kept = record.kept.unwrap();
    assert_eq!(
        (kept.credential.as_str(), kept.auth, kept.monthly_budget),
        ("team/old", Auth::UserToken, "12.00".parse().ok())
    );
}

#[test]
fn the_ledger_is_told_before_anything_else_happens() {
    let mut scan = scan(json!({}));
    scan.metadata.finalizers = None;
    let nothing = Observed {
        recorded: None,
        summary: None,
        ..seen(&scan, summary(Stage::Resolving))
    };
    let first = run(&scan, &nothing, at(0));
    assert_eq!(first.plan.finalizer, Finalizer::Add);
    assert_eq!(first.requeue, Requeue::Now);
    assert!(first.plan.create.is_empty() && first.plan.announce.is_none());
    let record = first.plan.record.unwrap();
    assert_eq!(record.credential, "anonymous@https://public.api.bsky.app");
    assert_eq!(record.budget.to_string(), "1.00");
    assert_eq!(record.rules.len(), 1);
}

#[test]
fn a_change_of_mind_reaches_the_ledger_before_runners_are_touched() {
    let running = scan(json!({}));
    let mut known = seen(
        &running,
        Summary {
            open_permits: 0,
            ..summary(Stage::Scanning)
        },
    );
    known.runners = vec![runner(0, SandboxPhase::Ready)];
    let paused = scan(json!({"operatingMode": "Suspended"}));
    let decision = run(&paused, &known, at(1));
    assert_eq!(decision.plan.record.as_ref().unwrap().mode, Mode::Suspend);
    assert!(
        decision.plan.delete.is_empty(),
        "a permit may have been granted since the figures were read"
    );
    assert_eq!(decision.report.status, ScanStatus::default());
}

#[test]
fn what_a_scan_was_planned_with_is_not_told_again() {
    let known = seen(&scan(json!({})), summary(Stage::Scanning));
    let planned = json!({"maxFollowers": 7, "parallelism": {"followersPerRange": 5}});
    assert_eq!(
        run(&scan(planned), &known, at(1)).plan.record,
        None,
        "it would be told again for ever"
    );
    let changed = run(&scan(json!({"budget": {"maxUsd": "2.50"}})), &known, at(1));
    assert_eq!(changed.plan.record.unwrap().budget.to_string(), "2.50");
}

#[test]
fn a_bad_spec_costs_nothing_and_names_the_remedy() {
    let cases = [
        (
            json!({"account": {"platform": "myspace", "handle": "tom"}}),
            "UnknownPlatform",
            "known are x, bluesky",
        ),
        (
            json!({"account": {"platform": "x", "handle": "na sa"}}),
            "MalformedHandle",
            "1 to 15 letters",
        ),
        (
            json!({"account": {"platform": "x", "handle": "nasa"}}),
            "CredentialMissing",
            "create a Credential",
        ),
        (
            json!({"credentialRef": {"name": "gone"}}),
            "CredentialMissing",
            "no Credential \"gone\"",
        ),
        (json!({"source": "Browser"}), "InvalidSpec", "write Auto or Api"),
        (
            json!({"budget": {"maxUsd": "1e3"}}),
            "InvalidSpec",
            "spec.budget.maxUsd",
        ),
    ];
    for (spec, reason, part) in cases {
        let scan = scan(spec);
        let nothing = Observed {
            recorded: None,
            summary: None,
            credential: None,
            session: None,
            kept: None,
            served: true,
            runners: Vec::new(),
            share: 9,
            progress_written: None,
            health: crate::health::Health::default(),
            announced: std::collections::BTreeSet::new(),
        };
        let decision = run(&scan, &nothing, at(0));
        let status = &decision.report.status;
        assert_eq!(decision.plan.record, None);
        assert_eq!(decision.plan.finalizer, Finalizer::Keep);
        assert!(decision.plan.create.is_empty());
        assert_eq!(status.phase, ScanPhase::Failed);
        assert_eq!(told(status, ACCEPTED), pair("False", reason));
        let message = status.conditions.find(ACCEPTED).unwrap().message.clone();
        assert!(message.contains(part), "{message}");
        assert_eq!(decision.plan.announce.unwrap().note, message);
    }
}

#[test]
fn a_credential_brings_its_own_address_and_limits() {
    let scan =
        scan(json!({"account": {"platform": "x", "handle": "nasa"}, "credentialRef": {"name": "app"}}));
    let credential = json!({
        "platform": "x", "type": "UserToken", "secretRef": {"name": "t"}, "baseUrl": "http://127.0.0.1:9/",
        "rateLimits": [{"family": "followers", "requests": 5, "windowMilliseconds": 1000}],
    });
    let mut nothing = seen(&super::scan(json!({})), summary(Stage::Resolving));
    nothing.recorded = None;
    nothing.summary = None;
    nothing.credential = Some(serde_json::from_value(credential.clone()).unwrap());
    let record = run(&scan, &nothing, at(0)).plan.record.unwrap();
    assert_eq!(record.base_url, "http://127.0.0.1:9");
    assert_eq!(record.credential, "default/t");
    assert_eq!(record.auth, Auth::UserToken);
    let limits: Vec<(String, i64)> = record
        .rules
        .iter()
        .map(|r| (r.family.to_string(), r.requests))
        .collect();
    assert_eq!(limits, [("lookup".to_owned(), 900), ("followers".to_owned(), 5)]);
    let mut other = credential;
    other["platform"] = json!("gitea");
    nothing.credential = Some(serde_json::from_value(other).unwrap());
    let refused = run(&scan, &nothing, at(0)).report.status;
    assert_eq!(told(&refused, ACCEPTED), pair("False", "InvalidSpec"));
}

#[test]
fn a_limit_of_look_ups_is_refused_where_they_are_counted_with_pages() {
    let scan = scan(json!({"credentialRef": {"name": "app"}}));
    let mut nothing = seen(&super::scan(json!({})), summary(Stage::Resolving));
    (nothing.recorded, nothing.summary) = (None, None);
    for family in ["lookup", "followers"] {
        let credential = json!({
            "platform": "bluesky", "type": "UserToken", "secretRef": {"name": "t"},
            "rateLimits": [{"family": family, "requests": 5, "windowMilliseconds": 1000}],
        });
        nothing.credential = Some(serde_json::from_value(credential).unwrap());
        let decision = run(&scan, &nothing, at(0));
        if family == "followers" {
            assert_eq!(decision.plan.record.unwrap().rules.len(), 1);
        } else {
            assert_eq!(
                told(&decision.report.status, ACCEPTED),
                pair("False", "InvalidSpec")
            );
        }
    }
}

#[test]
fn a_credential_that_vanishes_pauses_the_scan_and_loses_nothing() {
    let scan = scan(json!({"credentialRef": {"name": "app"}}));
    let mut known = seen(&super::scan(json!({})), summary(Stage::Scanning));
    let first = run(&scan, &known, at(1));
    assert_eq!(first.plan.record.as_ref().unwrap().mode, Mode::Suspend);
    known.recorded = first.plan.record;
    let second = run(&scan, &known, at(1));
    assert_eq!(second.report.status.phase, ScanPhase::Suspended);
    assert_eq!(
        second.report.status.waiting_on.as_ref().unwrap().reason,
        "CredentialMissing"
    );
    assert!(second.plan.create.is_empty());
    known.summary = Some(merged(0));
    let over = run(&scan, &known, at(99));
    assert_eq!(
        over.report.status.phase,
        ScanPhase::Succeeded,
        "what is over stays over"
    );
    assert_eq!(over.plan.record, None);
}

#[test]
fn a_pause_is_true_only_once_nothing_is_under_way() {
    let scan = scan(json!({"operatingMode": "Suspended"}));
    let mut known = seen(
        &scan,
        Summary {
            open_permits: 1,
            wanted_runners: 0,
            ..summary(Stage::Scanning)
        },
    );
    known.runners = vec![runner(0, SandboxPhase::Ready)];
    let waiting = run(&scan, &known, at(1));
    assert!(
        waiting.plan.delete.is_empty(),
        "a request that is paid for is not cut off"
    );
    assert_eq!(waiting.report.status.phase, ScanPhase::Scanning);
    assert_eq!(told(&waiting.report.status, SUSPENDED), pair("False", "Draining"));

    known.summary.as_mut().unwrap().open_permits = 0;
    let ending = run(&scan, &known, at(2));
    assert_eq!(deleted(&ending), ["scan-9b7f-0"]);
    assert_eq!(told(&ending.report.status, SUSPENDED), pair("False", "Draining"));

    known.runners[0].terminating = true;
    assert_eq!(
        told(&run(&scan, &known, at(3)).report.status, SUSPENDED),
        pair("False", "Draining")
    );

    known.runners.clear();
    let quiet = run(&scan, &known, at(4));
    assert_eq!(quiet.report.status.phase, ScanPhase::Suspended);
    assert_eq!(told(&quiet.report.status, SUSPENDED), pair("True", "Requested"));
    assert_eq!(quiet.plan.announce.unwrap().reason, "Suspended");
}

#[test]
fn a_scan_goes_on_after_its_pause_and_says_so() {
    let mut scan = scan(json!({}));
    scan.status = Some(ScanStatus {
        phase: ScanPhase::Suspended,
        ..ScanStatus::default()
    });
    let decision = run(&scan, &seen(&scan, summary(Stage::Scanning)), at(1));
    assert_eq!(decision.plan.announce.as_ref().unwrap().reason, "Resumed");
    assert_eq!(created(&decision).len(), 3);
    assert_eq!(told(&decision.report.status, SUSPENDED), pair("False", "Running"));
}

#[test]
fn a_budget_that_is_used_up_suspends_without_a_person_having_asked() {
    let scan = scan(json!({}));
    let held = Summary {
        hold: hold("BudgetExhausted", None),
        wanted_runners: 0,
        ..summary(Stage::Scanning)
    };
    let status = run(&scan, &seen(&scan, held), at(1)).report.status;
    assert_eq!(status.phase, ScanPhase::Suspended);
    assert_eq!(status.waiting_on.as_ref().unwrap().reason, "BudgetExhausted");
    assert_eq!(told(&status, SUSPENDED).0, "False");
}

#[test]
fn a_window_is_waited_for_without_a_change_of_phase() {
    let scan = scan(json!({}));
    let held = Summary {
        hold: hold("RateLimitWindow", Some(at(90))),
        ..summary(Stage::Scanning)
    };
    let decision = run(&scan, &seen(&scan, held), at(85));
    assert_eq!(decision.report.status.phase, ScanPhase::Scanning);
    assert_eq!(
        decision.report.status.waiting_on.as_ref().unwrap().until,
        Some(Time(at(90)))
    );
    assert_eq!(decision.requeue, Requeue::At(at(90)));
}

#[test]
fn every_end_has_its_phase_condition_and_event() {
    let failure = || hold("AccountNotFound", None);
    let ended = |failure| Summary {
        failure,
        ended: Some(at(9)),
        ..summary(Stage::Ended)
    };
    let cases = [
        (json!({}), merged(0), ScanPhase::Succeeded, ("True", "Complete")),
        (
            json!({}),
            merged(1),
            ScanPhase::Partial,
            ("False", "RangesGivenUp"),
        ),
        (
            json!({}),
            Summary {
                failure: failure(),
                ..merged(0)
            },
            ScanPhase::Partial,
            ("False", "AccountNotFound"),
        ),
        (
            json!({}),
            ended(failure()),
            ScanPhase::Failed,
            ("False", "AccountNotFound"),
        ),
        (
            json!({"dryRun": true}),
            ended(None),
            ScanPhase::Succeeded,
            ("True", "Complete"),
        ),
        (
            json!({"cancelled": true}),
            ended(None),
            ScanPhase::Cancelled,
            ("False", "Cancelled"),
        ),
        (
            json!({"cancelled": true}),
            merged(0),
            ScanPhase::Succeeded,
            ("True", "Complete"),
        ),
    ];
    for (spec, summary, phase, (status, reason)) in cases {
        let scan = scan(spec);
        let mut known = seen(&scan, summary);
        known.runners = vec![runner(0, SandboxPhase::Ready), runner(1, SandboxPhase::Finished)];
        let decision = run(&scan, &known, at(61));
        assert_eq!(decision.report.status.phase, phase);
        assert_eq!(told(&decision.report.status, COMPLETE), pair(status, reason));
        assert_eq!(
            decision.plan.announce.as_ref().unwrap().reason,
            format!("{phase:?}")
        );
        assert_eq!(
            deleted(&decision).len(),
            2,
            "{phase:?}: no runner outlives its work (B-08)"
        );
        assert!(decision.report.status.completion_time.is_some());
        assert!(decision.report.status.waiting_on.is_none());
    }
}

#[test]
fn the_result_carries_its_certificate() {
    let scan = scan(json!({}));
    let status = run(&scan, &seen(&scan, merged(0)), at(61)).report.status;
    let result = status.result.unwrap();
    assert_eq!(
        (result.rows, result.version, result.uri.as_str()),
        (1000, 1, "results/manifest.json")
    );
    assert_eq!((result.certificate.hidden, result.certificate.unique), (2, 1000));
    assert_eq!(status.progress.unwrap().unique, Some(1000));
}

#[test]
fn an_outcome_is_announced_once() {
    let mut scan = scan(json!({}));
    let known = seen(&scan, merged(0));
    scan.status = Some(run(&scan, &known, at(61)).report.status);
    let again = run(&scan, &known, at(62));
    assert_eq!(again.plan.announce, None);
    assert_eq!(
        Some(again.report.status),
        scan.status,
        "nothing to write: it would wake itself"
    );
    assert_eq!(again.requeue, Requeue::OnChange);
}

#[test]
fn figures_are_written_seldom_and_news_at_once() {
    let mut scan = scan(json!({}));
    let mut known = seen(&scan, summary(Stage::Scanning));
    known.runners = vec![runner(0, SandboxPhase::Ready)];
    scan.status = Some(run(&scan, &known, at(0)).report.status);
    known.progress_written = Some(at(0));
    known.summary.as_mut().unwrap().scanned = 500;
    let early = run(&scan, &known, at(9));
    assert_eq!(Some(&early.report.status), scan.status.as_ref());
    let late = run(&scan, &known, at(10));
    assert_eq!(late.report.status.progress.as_ref().unwrap().scanned, 500);
    assert_eq!(
        late.report.status.progress.as_ref().unwrap().followers_per_minute,
        3000
    );
    assert_eq!(
        late.report.status.progress.as_ref().unwrap().eta_seconds,
        Some(10)
    );
    known.summary = Some(Summary {
        scanned: 1000,
        ..summary(Stage::Merging)
    });
    assert_eq!(run(&scan, &known, at(9)).report.status.phase, ScanPhase::Merging);
}

#[test]
fn a_finished_scan_deletes_itself_when_its_time_is_over() {
    let scan = scan(json!({"ttlSecondsAfterFinished": 30}));
    let known = seen(&scan, merged(0));
    let early = run(&scan, &known, at(89));
    assert!(!early.plan.expire);
    assert_eq!(early.requeue, Requeue::At(at(90)));
    assert!(run(&scan, &known, at(90)).plan.expire);
}

#[test]
fn deletion_ends_the_runners_then_forgets_then_lets_go() {
    let mut scan = scan(json!({"resultPolicy": "Delete"}));
    let mut known = seen(&scan, summary(Stage::Scanning));
    known.runners = vec![runner(0, SandboxPhase::Ready)];
    scan.metadata.deletion_timestamp = Some(Time(at(1)));
    let first = run(&scan, &known, at(1));
    assert_eq!(first.plan.record.as_ref().unwrap().mode, Mode::Cancel);
    assert!(first.plan.delete.is_empty() && first.plan.forget.is_none());
    known.recorded = first.plan.record;
    let second = run(&scan, &known, at(1));
    assert_eq!(deleted(&second), ["scan-9b7f-0"]);
    assert_eq!(second.plan.finalizer, Finalizer::Keep);
    known.runners.clear();
    let third = run(&scan, &known, at(2));
    assert_eq!(third.plan.forget, Some(ResultPolicy::Delete));
    assert_eq!(third.plan.finalizer, Finalizer::Remove);
}

#[test]
fn a_condition_keeps_its_time_while_its_status_stays() {
    let mut scan = scan(json!({}));
    let earlier = condition(&[], ACCEPTED, true, "Accepted", "", Some(1), at(-50));
    scan.status = Some(ScanStatus {
        conditions: vec![earlier],
        ..ScanStatus::default()
    });
    let status = run(&scan, &seen(&scan, summary(Stage::Scanning)), at(1))
        .report
        .status;
    assert_eq!(
        status.conditions.find(ACCEPTED).unwrap().last_transition_time,
        Time(at(-50))
    );
}

#[test]
fn a_raised_monthly_budget_is_told_to_the_ledger_at_once() {
    let credential = |monthly: &str| {
        serde_json::from_value(json!({
            "platform": "x", "type": "AppBearer", "secretRef": {"name": "app"}, "monthlyBudgetUsd": monthly,
        }))
        .unwrap()
    };
    let of_x = scan(json!({
        "account": {"platform": "x", "handle": "nasa"}, "credentialRef": {"name": "app"},
    }));
    let mut known = Observed {
        recorded: None,
        summary: Some(summary(Stage::Scanning)),
        credential: Some(credential("20.00")),
        session: None,
        kept: None,
        runners: Vec::new(),
        served: true,
        share: 100,
        progress_written: None,
        health: crate::health::Health::default(),
        announced: std::collections::BTreeSet::new(),
    };
    known.recorded = Some(admit::admit(&of_x, &known, &Policy::default()).unwrap());
    assert_eq!(run(&of_x, &known, at(1)).plan.record, None);
    known.credential = Some(credential("40.00"));
    let decision = run(&of_x, &known, at(2));
    let recorded = decision.plan.record.unwrap().monthly_budget.unwrap();
    assert_eq!(
        (recorded.to_string().as_str(), decision.requeue),
        ("40.00", Requeue::Now)
    );
}
