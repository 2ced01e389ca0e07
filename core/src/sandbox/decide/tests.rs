use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::sandbox::build::FINALIZER;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn sandbox(phase: Option<SandboxPhase>) -> Sandbox {
    let spec = serde_json::json!({"class": "Scan", "scanRef": {"namespace": "n", "name": "s", "uid": "u"}});
    let mut sandbox = Sandbox::new("scan-u-0", serde_json::from_value(spec).unwrap());
    sandbox.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    sandbox.metadata.generation = Some(1);
    sandbox.status = phase.map(|phase| SandboxStatus {
        phase,
        conditions: vec![condition(
            &[],
            READY,
            phase == SandboxPhase::Ready,
            "Before",
            "",
            Some(1),
            at(0),
        )],
        ..SandboxStatus::default()
    });
    sandbox
}

fn present(state: InstanceState) -> Known<Instance> {
    Known::Present(Instance {
        id: "42".to_owned(),
        state,
    })
}

fn exited(code: Option<i32>) -> Known<Instance> {
    present(InstanceState::Exited {
        code,
        last_words: Some("no such host".to_owned()),
    })
}

fn run(sandbox: &Sandbox, instance: Known<Instance>, contact: Option<Timestamp>, now: Timestamp) -> Decision {
    decide(
        sandbox,
        &Observed {
            instance,
            contact,
            clock_ahead: None,
            unhonoured: Vec::new(),
        },
        &Policy::default(),
        now,
    )
}

fn ready(decision: &Decision) -> (&str, &str, &str) {
    let found = decision.report.status.conditions.find(READY).unwrap();
    (&found.status, &found.reason, &found.message)
}

#[test]
fn a_new_sandbox_is_started_once_nothing_of_it_runs() {
    let first = run(&sandbox(None), Known::Absent, None, at(0));
    assert_eq!(
        (first.plan.run, first.plan.holdings),
        (Run::Start, Holdings::Keep)
    );
    assert_eq!(first.plan.announce, None);
    assert_eq!(first.report.status.phase, SandboxPhase::Starting);
    let blind = run(&sandbox(None), Known::Unknown, None, at(0));
    assert_eq!(
        blind.plan.run,
        Run::Leave,
        "what may be running must not be started a second time"
    );
    assert_eq!(blind.report.status.phase, SandboxPhase::Pending);
    let again = run(&sandbox(None), present(InstanceState::Running), None, at(0));
    assert_eq!(
        again.plan.run,
        Run::Leave,
        "started before a crash: a new token would lock the runner out"
    );
    assert_eq!(
        (again.report.status.phase, again.requeue),
        (SandboxPhase::Starting, Requeue::Now)
    );
}

#[test]
fn it_is_ready_once_the_broker_heard_of_it() {
    let silent = run(
        &sandbox(Some(SandboxPhase::Starting)),
        present(InstanceState::Running),
        None,
        at(1),
    );
    assert_eq!(silent.report.status.phase, SandboxPhase::Starting);
    let heard = run(
        &sandbox(Some(SandboxPhase::Starting)),
        present(InstanceState::Running),
        Some(at(1)),
        at(1),
    );
    assert_eq!(heard.report.status.phase, SandboxPhase::Ready);
    assert_eq!(ready(&heard).0, "True");
    assert_eq!(heard.report.status.instance.as_deref(), Some("42"));
}

#[test]
fn every_end_gives_the_leases_back_at_once() {
    for from in [SandboxPhase::Starting, SandboxPhase::Ready] {
        for (instance, to, reason) in [
            (exited(Some(0)), SandboxPhase::Finished, "Finished"),
            (exited(Some(3)), SandboxPhase::Failed, "Crashed"),
            (exited(None), SandboxPhase::Failed, "Crashed"),
            (Known::Absent, SandboxPhase::Failed, "Lost"),
        ] {
            let decision = run(&sandbox(Some(from)), instance, Some(at(1)), at(2));
            assert_eq!(
                (decision.plan.run, decision.plan.holdings),
                (Run::Leave, Holdings::Release)
            );
            assert_eq!(decision.report.status.phase, to);
            assert_eq!(ready(&decision).1, reason);
            assert_eq!(decision.plan.announce.is_some(), to == SandboxPhase::Failed);
        }
    }
}

#[test]
fn a_crash_tells_its_code_and_its_last_words() {
    let decision = run(
        &sandbox(Some(SandboxPhase::Ready)),
        exited(Some(3)),
        Some(at(1)),
        at(2),
    );
    assert_eq!(ready(&decision).2, "ended with code 3: no such host");
    assert_eq!(decision.report.status.exit_code, Some(3));
    let killed = run(
        &sandbox(Some(SandboxPhase::Ready)),
        exited(None),
        Some(at(1)),
        at(2),
    );
    assert_eq!(ready(&killed).2, "ended by a signal: no such host");
}

#[test]
fn one_that_never_reaches_the_broker_is_ended() {
    let before = run(
        &sandbox(Some(SandboxPhase::Starting)),
        present(InstanceState::Running),
        None,
        at(59),
    );
    assert_eq!(before.plan.run, Run::Leave);
    let after = run(
        &sandbox(Some(SandboxPhase::Starting)),
        present(InstanceState::Running),
        None,
        at(60),
    );
    assert_eq!(
        (after.plan.run, after.plan.holdings),
        (Run::Destroy, Holdings::Release)
    );
    assert_eq!(after.report.status.phase, SandboxPhase::Failed);
    assert_eq!(ready(&after).1, "BrokerNotReached");
}

#[test]
fn what_is_over_is_left_alone() {
    for phase in [SandboxPhase::Finished, SandboxPhase::Failed] {
        for instance in [Known::Absent, Known::Unknown, exited(Some(1))] {
            let object = sandbox(Some(phase));
            let decision = run(&object, instance, Some(at(1)), at(900));
            assert_eq!(
                (decision.plan.run, decision.plan.holdings),
                (Run::Leave, Holdings::Keep)
            );
            assert_eq!(Some(decision.report.status), object.status);
            assert_eq!(decision.requeue, Requeue::OnChange);
        }
    }
}

#[test]
fn deletion_ends_the_process_before_it_lets_the_object_go() {
    let mut object = sandbox(Some(SandboxPhase::Ready));
    object.metadata.deletion_timestamp = Some(Time(at(5)));
    for instance in [present(InstanceState::Running), exited(Some(0)), Known::Unknown] {
        let decision = run(&object, instance, None, at(6));
        assert_eq!(
            (decision.plan.run, decision.plan.holdings),
            (Run::Destroy, Holdings::Keep)
        );
        assert_eq!(decision.plan.finalizer, Finalizer::Keep);
        assert_eq!(decision.report.status.phase, SandboxPhase::Terminating);
    }
    let gone = run(&object, Known::Absent, None, at(6));
    assert_eq!(
        (gone.plan.run, gone.plan.holdings),
        (Run::Leave, Holdings::Revoke)
    );
    assert_eq!(gone.plan.finalizer, Finalizer::Remove);
    object.metadata.finalizers = None;
    let others = run(&object, Known::Absent, None, at(6));
    assert_eq!(
        others.plan.holdings,
        Holdings::Keep,
        "without our finalizer nothing of ours is left"
    );
}

#[test]
fn a_suspended_sandbox_is_not_started_and_its_end_is_a_good_one() {
    let mut object = sandbox(None);
    object.spec.operating_mode = OperatingMode::Suspended;
    assert_eq!(run(&object, Known::Absent, None, at(0)).plan.run, Run::Leave);
    let mut object = sandbox(Some(SandboxPhase::Ready));
    object.spec.operating_mode = OperatingMode::Suspended;
    assert_eq!(
        run(&object, present(InstanceState::Running), Some(at(0)), at(1))
            .plan
            .run,
        Run::Destroy
    );
    let ended = run(&object, exited(None), Some(at(0)), at(1));
    assert_eq!(ended.report.status.phase, SandboxPhase::Finished);
}

#[test]
fn fields_that_the_backend_ignores_are_named() {
    let seen = Observed {
        instance: Known::Absent,
        contact: None,
        clock_ahead: None,
        unhonoured: vec!["spec.memory", "spec.image"],
    };
    let decision = decide(&sandbox(None), &seen, &Policy::default(), at(0));
    let honoured = decision.report.status.conditions.find(HONOURED).unwrap();
    assert_eq!(
        (honoured.status.as_str(), honoured.reason.as_str()),
        ("False", "FieldsIgnored")
    );
    assert_eq!(
        honoured.message,
        "this backend can't honour spec.memory, spec.image"
    );
}

#[test]
fn a_clock_that_differs_is_a_condition_that_says_by_how_much() {
    for (ahead, standing) in [
        (None, None),
        (Some(4), Some(("True", ""))),
        (
            Some(-20),
            Some((
                "False",
                "its clock is 20 s behind the control plane's: let NTP set both",
            )),
        ),
    ] {
        let seen = Observed {
            instance: present(InstanceState::Running),
            contact: Some(at(0)),
            clock_ahead: ahead.map(SignedDuration::from_secs),
            unhonoured: Vec::new(),
        };
        let decision = decide(&sandbox(None), &seen, &Policy::default(), at(0));
        let conditions = decision.report.status.conditions;
        let found = conditions.find(CLOCK);
        let found = found.map(|found| (found.status.as_str(), found.message.as_str()));
        assert_eq!(found, standing);
    }
}

#[test]
fn a_refused_start_fails_with_the_backends_words() {
    let (status, announcement) = could_not_start(&sandbox(None), "no program there", at(3));
    assert_eq!(status.phase, SandboxPhase::Failed);
    assert_eq!(announcement.reason, "CouldNotStart");
    assert!(
        status
            .conditions
            .iter()
            .any(|c| c.type_ == READY && c.message == "no program there")
    );
}

#[test]
fn deciding_twice_changes_nothing_more() {
    let mut object = sandbox(None);
    for (instance, contact) in [
        (present(InstanceState::Running), None),
        (present(InstanceState::Running), Some(at(1))),
        (exited(Some(3)), Some(at(1))),
    ] {
        object.status = Some(run(&object, instance.clone(), contact, at(1)).report.status);
        let again = run(&object, instance, contact, at(2));
        if again.requeue != Requeue::Now {
            assert_eq!(Some(again.report.status), object.status);
        }
    }
}
