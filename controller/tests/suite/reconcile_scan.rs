//! Scans against the embedded API server and the ledger.

use followlytics_core::{
    retry::{Class, Failure},
    wire::{Failed, Held, Mode, Step},
};
use followlytics_crds::{Credential, SandboxPhase, ScanPhase};
use followlytics_store::ledger::{Claimed, Sandbox};
use jiff::SignedDuration;
use kube::{
    ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::toolkit::{Bench, uid};

/// A runner's look-up: its lease and the permit it got.
async fn look_up(bench: &Bench, sandbox: &Sandbox) -> (Held, String) {
    let Claimed::Range { held, .. } = bench.ledger.claim(sandbox).await.unwrap() else {
        panic!("no lease")
    };
    let lease = bench.ledger.open_lease(sandbox, held).await.unwrap();
    let Step::Permit(permit) = lease.step else {
        panic!("no permit: {:?}", lease.step)
    };
    (held, permit.id)
}

fn failed(held: Held, permit: String, class: Class) -> Failed {
    Failed {
        held,
        permit,
        failure: Failure {
            class,
            message: "it said so".to_owned(),
            told: None,
            retry_after_ms: None,
        },
    }
}

#[tokio::test]
async fn a_new_scan_gets_one_runner_that_looks_the_account_up() {
    let bench = Bench::new(8);
    let scan = bench.create("alice", json!({"budget": {"maxUsd": "2.50"}})).await;
    bench.settle().await;
    let row = bench
        .ledger
        .find_scan(&scan.uid().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.request.budget.to_string(), row.request.mode),
        ("2.50".to_owned(), Mode::Run)
    );
    let sandboxes = bench.sandboxes().await;
    assert_eq!(sandboxes.len(), 1);
    assert_eq!(
        sandboxes[0].status.as_ref().unwrap().phase,
        SandboxPhase::Starting
    );
    let status = bench.status("alice").await;
    assert_eq!(status.phase, ScanPhase::Resolving);
    assert_eq!(status.waiting_on.unwrap().reason, "RunnerStarting");
    assert_eq!(status.observed_generation, Some(1));
    bench.contact().await;
    bench.settle().await;
    assert_eq!(
        bench.sandboxes().await[0].status.as_ref().unwrap().phase,
        SandboxPhase::Ready
    );
    assert_eq!(bench.status("alice").await.waiting_on, None);
    assert!(bench.events().await.is_empty(), "starting is no outcome");
}

#[tokio::test]
async fn an_account_that_does_not_exist_fails_the_scan_and_ends_its_runner() {
    let bench = Bench::new(8);
    bench.create("alice", json!({})).await;
    bench.settle().await;
    let sandbox = bench.contact().await.remove(0);
    let (held, permit) = look_up(&bench, &sandbox).await;
    bench
        .ledger
        .record_failure(&sandbox, &failed(held, permit, Class::NotFound))
        .await
        .unwrap();
    bench.settle().await;
    let status = bench.status("alice").await;
    assert_eq!(status.phase, ScanPhase::Failed);
    assert_eq!(bench.told("alice", "Complete").await.1, "AccountNotFound");
    assert!(status.start_time.is_some() && status.completion_time.is_some());
    assert!(bench.sandboxes().await.is_empty());
    assert_eq!(bench.backend.running(), 0);
    let events = bench.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, "Failed");
    assert!(events[0].1.contains("it said so"), "{}", events[0].1);
}

#[tokio::test]
async fn a_bad_spec_is_told_and_starts_nothing() {
    let bench = Bench::new(8);
    bench
        .create(
            "tom",
            json!({"account": {"platform": "myspace", "handle": "tom"}}),
        )
        .await;
    bench.settle().await;
    assert_eq!(bench.status("tom").await.phase, ScanPhase::Failed);
    let (status, reason, message) = bench.told("tom", "Accepted").await;
    assert_eq!((status.as_str(), reason.as_str()), ("False", "UnknownPlatform"));
    assert!(message.contains("known are x, bluesky, gitea, github and mastodon"));
    assert!(bench.sandboxes().await.is_empty());
    bench.delete("tom").await;
    let left = bench
        .api::<followlytics_crds::Scan>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(left.items.is_empty(), "nothing to clean up: no finalizer");
}

#[tokio::test]
async fn a_scan_waits_for_its_credential_and_goes_on_once_it_is_there() {
    let bench = Bench::new(8);
    let spec = json!({"account": {"platform": "x", "handle": "nasa"}, "credentialRef": {"name": "app"}});
    bench.create("nasa", spec).await;
    bench.settle().await;
    assert_eq!(bench.told("nasa", "Accepted").await.1, "CredentialMissing");
    let credential = json!({"platform": "x", "type": "AppBearer", "secretRef": {"name": "app"}});
    let credential = Credential::new("app", serde_json::from_value(credential).unwrap());
    bench
        .api()
        .create(&PostParams::default(), &credential)
        .await
        .unwrap();
    bench.settle().await;
    assert_eq!(bench.told("nasa", "Accepted").await.0, "True");
    assert_eq!(bench.status("nasa").await.phase, ScanPhase::Resolving);
    assert_eq!(bench.backend.running(), 1);
}

#[tokio::test]
async fn a_pause_waits_for_the_request_under_way_and_ends_the_runners() {
    let bench = Bench::new(8);
    bench.create("alice", json!({})).await;
    bench.settle().await;
    let sandbox = bench.contact().await.remove(0);
    let (held, permit) = look_up(&bench, &sandbox).await;
    bench.edit("alice", json!({"operatingMode": "Suspended"})).await;
    bench.settle().await;
    let (status, reason, message) = bench.told("alice", "Suspended").await;
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Draining"));
    assert_eq!(message, "1 requests are being settled, 1 runners are ending");
    assert_eq!(bench.backend.running(), 1);

    // It comes back with a failure that will be tried again; nothing is granted any more.
    let reply = bench
        .ledger
        .record_failure(&sandbox, &failed(held, permit, Class::ServerError))
        .await
        .unwrap();
    assert_eq!(reply.step, Step::Suspend);
    bench.settle().await;
    assert_eq!(bench.told("alice", "Suspended").await.0, "True");
    assert_eq!(bench.status("alice").await.phase, ScanPhase::Suspended);
    assert_eq!(bench.backend.running(), 0);
    assert_eq!(
        bench.status("alice").await.waiting_on.unwrap().reason,
        "Requested"
    );

    bench.edit("alice", json!({"operatingMode": "Running"})).await;
    bench.settle().await;
    assert_eq!(bench.status("alice").await.phase, ScanPhase::Resolving);
    assert_eq!(bench.backend.running(), 1);
    let reasons: Vec<String> = bench
        .events()
        .await
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    assert_eq!(reasons, ["Resumed", "Suspended"]);
}

#[tokio::test]
async fn a_permit_whose_outcome_never_came_does_not_keep_a_pause_open_for_ever() {
    let bench = Bench::new(8);
    bench.create("alice", json!({})).await;
    bench.settle().await;
    let sandbox = bench.contact().await.remove(0);
    look_up(&bench, &sandbox).await;
    bench.edit("alice", json!({"operatingMode": "Suspended"})).await;
    bench.backend.exit(&sandbox.uid, None);
    bench.settle().await;
    assert_eq!(bench.told("alice", "Suspended").await.1, "Draining");
    bench.pass(SignedDuration::from_mins(30));
    bench.ledger.sweep_permits().await.unwrap();
    bench.settle().await;
    assert_eq!(bench.told("alice", "Suspended").await.0, "True");
}

#[tokio::test]
async fn cancelling_ends_the_scan_and_every_runner() {
    let bench = Bench::new(8);
    bench.create("alice", json!({})).await;
    bench.settle().await;
    bench.edit("alice", json!({"cancelled": true})).await;
    bench.settle().await;
    assert_eq!(bench.status("alice").await.phase, ScanPhase::Cancelled);
    assert!(bench.sandboxes().await.is_empty());
    assert_eq!(bench.events().await[0].0, "Cancelled");
}

#[tokio::test]
async fn deletion_leaves_no_process_no_object_and_no_row() {
    let bench = Bench::new(8);
    let scan = bench.create("alice", json!({})).await;
    bench.settle().await;
    bench.contact().await;
    bench.delete("alice").await;
    bench.settle().await;
    let left = bench
        .api::<followlytics_crds::Scan>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(left.items.is_empty() && bench.sandboxes().await.is_empty());
    assert_eq!(bench.backend.running(), 0);
    assert!(
        bench
            .ledger
            .find_scan(&scan.uid().unwrap())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_lost_runner_is_replaced_at_once_and_a_crashing_one_more_and_more_slowly() {
    let bench = Bench::new(8);
    bench.create("alice", json!({})).await;
    bench.settle().await;
    bench.contact().await;
    bench.settle().await;
    bench.backend.lose_everything();
    bench.settle().await;
    assert_eq!(
        bench.backend.running(),
        1,
        "what died with its parent is not its own fault"
    );

    let crash = async || {
        let sandbox = bench.sandboxes().await.pop().unwrap();
        bench.backend.exit(&uid(&sandbox), Some(3));
        bench.settle().await;
    };
    crash().await;
    assert_eq!(
        bench.backend.running(),
        1,
        "the first failure is replaced at once"
    );
    crash().await;
    assert_eq!(bench.backend.running(), 0);
    let waiting = bench.status("alice").await.waiting_on.unwrap();
    assert_eq!(waiting.reason, "RunnersFailing");
    assert!(
        waiting
            .message
            .unwrap()
            .contains("ended with code 3: said something")
    );
    bench.pass(SignedDuration::from_millis(999));
    bench.settle().await;
    assert_eq!(bench.backend.running(), 0);
    bench.pass(SignedDuration::from_millis(1001));
    bench.settle().await;
    assert_eq!(bench.backend.running(), 1);
    assert_eq!(bench.sandboxes().await.len(), 1);
}

#[tokio::test]
async fn scans_share_the_runners_of_an_installation() {
    let bench = Bench::new(2);
    for name in ["a", "b", "c"] {
        bench.create(name, json!({})).await;
        bench.pass(SignedDuration::from_secs(1));
    }
    bench.settle().await;
    assert_eq!(bench.backend.running(), 2);
    assert_eq!(bench.status("c").await.waiting_on.unwrap().reason, "RunnersBusy");
    bench.edit("a", json!({"cancelled": true})).await;
    bench.settle().await;
    assert_eq!(bench.backend.running(), 2);
    assert_eq!(
        bench.status("c").await.waiting_on.unwrap().reason,
        "RunnerStarting"
    );
}

#[tokio::test]
async fn a_larger_priority_takes_a_place_from_a_smaller_one() {
    let bench = Bench::new(1);
    bench.create("small", json!({})).await;
    bench.settle().await;
    bench.pass(SignedDuration::from_secs(1));
    bench.create("urgent", json!({"priority": 10})).await;
    for _ in 0..3 {
        bench.settle().await;
    }
    let sandboxes = bench.sandboxes().await;
    assert_eq!(sandboxes.len(), 1);
    assert_eq!(sandboxes[0].spec.scan_ref.as_ref().unwrap().name, "urgent");
}

#[tokio::test]
async fn a_scan_deletes_itself_when_its_time_is_over() {
    let bench = Bench::new(2);
    bench
        .create("alice", json!({"ttlSecondsAfterFinished": 60}))
        .await;
    bench.settle().await;
    bench.edit("alice", json!({"cancelled": true})).await;
    bench.settle().await;
    assert_eq!(bench.status("alice").await.phase, ScanPhase::Cancelled);
    bench.pass(SignedDuration::from_secs(61));
    bench.settle().await;
    let left = bench
        .api::<followlytics_crds::Scan>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(left.items.is_empty());
}

#[tokio::test]
async fn a_credential_shows_its_windows_and_its_health() {
    let bench = Bench::new(2);
    let spec = json!({"platform": "x", "type": "AppBearer", "secretRef": {"name": "app"}});
    let credential = Credential::new("app", serde_json::from_value(spec).unwrap());
    bench
        .api()
        .create(&PostParams::default(), &credential)
        .await
        .unwrap();
    let spec = json!({"account": {"platform": "x", "handle": "nasa"}, "credentialRef": {"name": "app"}});
    bench.create("nasa", spec).await;
    bench.settle().await;
    let sandbox = bench.contact().await.remove(0);
    let (held, permit) = look_up(&bench, &sandbox).await;
    bench.settle().await;
    let status = bench
        .api::<Credential>()
        .get("app")
        .await
        .unwrap()
        .status
        .unwrap();
    let window = &status.windows[0];
    assert_eq!(
        (window.family.as_str(), window.used, window.limit),
        ("lookup", 1, 300)
    );
    assert_eq!(status.spent_usd.as_deref(), Some("0.00"));
    assert_eq!(status.conditions[0].status, "True");

    let mut step = bench
        .ledger
        .record_failure(&sandbox, &failed(held, permit, Class::Unauthorized))
        .await
        .unwrap()
        .step;
    for _ in 0..5 {
        bench.pass(SignedDuration::from_secs(5));
        if let Step::Permit(permit) = step {
            bench
                .ledger
                .record_failure(&sandbox, &failed(held, permit.id, Class::Unauthorized))
                .await
                .unwrap();
        }
        let release = followlytics_core::wire::Release { held, unused: None };
        step = bench.ledger.step(&sandbox, &release).await.unwrap().step;
    }
    bench.settle().await;
    let status = bench
        .api::<Credential>()
        .get("app")
        .await
        .unwrap()
        .status
        .unwrap();
    assert_eq!(
        (
            status.conditions[0].status.as_str(),
            status.conditions[0].reason.as_str()
        ),
        ("False", "CredentialInvalid")
    );
    assert_eq!(
        bench.status("nasa").await.waiting_on.unwrap().reason,
        "CredentialInvalid"
    );
}
