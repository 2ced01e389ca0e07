//! Sandboxes against the embedded API server and the ledger.

use std::sync::{Arc, atomic::Ordering};

use followlytics_controller::sandbox;
use followlytics_crds::{ConditionExt as _, Sandbox, SandboxPhase};
use jiff::SignedDuration;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use crate::toolkit::{Bench, uid};

async fn started(bench: &Bench) -> Sandbox {
    bench.create("alice", json!({})).await;
    bench.settle().await;
    bench.sandboxes().await.remove(0)
}

#[tokio::test]
async fn a_token_works_until_its_sandbox_is_gone() {
    let bench = Bench::new(8);
    let sandbox = started(&bench).await;
    assert_eq!(bench.contact().await[0].uid, uid(&sandbox));
    bench.edit("alice", json!({"cancelled": true})).await;
    bench.settle().await;
    assert!(bench.contact().await.is_empty());
}

#[tokio::test]
async fn a_running_process_keeps_its_token_through_any_number_of_passes() {
    let bench = Bench::new(8);
    let sandbox = started(&bench).await;
    for _ in 0..5 {
        sandbox::reconcile(Arc::new(sandbox.clone()), Arc::clone(&bench.ctx))
            .await
            .unwrap();
    }
    assert_eq!(bench.backend.starts.load(Ordering::SeqCst), 1);
    assert_eq!(bench.contact().await.len(), 1);
}

#[tokio::test]
async fn a_crash_between_start_and_status_starts_nothing_twice() {
    let bench = Bench::new(8);
    let sandbox = started(&bench).await;
    // The status that says it was started never came: as after a crash of the controller.
    let mut forgetful = sandbox.clone();
    forgetful.status = None;
    bench
        .api::<Sandbox>()
        .replace_status(
            &forgetful.metadata.name.clone().unwrap(),
            &PostParams::default(),
            &forgetful,
        )
        .await
        .unwrap();
    bench.settle().await;
    let again = bench.sandboxes().await.remove(0).status.unwrap();
    assert_eq!(
        (again.phase, again.instance.as_deref()),
        (SandboxPhase::Starting, Some("0"))
    );
    assert_eq!(bench.backend.starts.load(Ordering::SeqCst), 1);
    assert_eq!(
        bench.contact().await.len(),
        1,
        "the token it runs with still works"
    );
}

#[tokio::test]
async fn the_end_of_a_process_gives_its_lease_back_at_once() {
    let bench = Bench::new(8);
    started(&bench).await;
    let known = bench.contact().await.remove(0);
    bench.ledger.claim(&known).await.unwrap();
    let held = async || {
        let ranges = bench.ledger.list_ranges(&known.scan).await.unwrap();
        ranges
            .iter()
            .filter_map(|range| range.holder.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(held().await, std::slice::from_ref(&known.uid));
    bench.backend.exit(&known.uid, Some(1));
    let sandbox = bench.sandboxes().await.remove(0);
    sandbox::reconcile(Arc::new(sandbox), Arc::clone(&bench.ctx))
        .await
        .unwrap();
    assert!(held().await.is_empty());
    let events = bench.events().await;
    assert_eq!(
        events,
        [(
            "Crashed".to_owned(),
            "ended with code 1: said something".to_owned()
        )]
    );
}

#[tokio::test]
async fn one_that_never_reaches_the_broker_is_ended_and_replaced() {
    let bench = Bench::new(8);
    let first = started(&bench).await;
    bench.pass(SignedDuration::from_secs(60));
    bench.settle().await;
    assert!(
        bench
            .events()
            .await
            .iter()
            .any(|(reason, _)| reason == "BrokerNotReached")
    );
    let next = bench.sandboxes().await.remove(0);
    assert_ne!(uid(&first), uid(&next));
    assert_eq!(bench.backend.running(), 1);
}

#[tokio::test]
async fn a_backend_that_refuses_fails_the_sandbox_with_its_words() {
    let bench = Bench::new(8);
    *bench.backend.refusal.lock().unwrap() = Some("cannot run `x`: no such file".to_owned());
    started(&bench).await;
    let sandbox = bench.sandboxes().await.remove(0).status.unwrap();
    assert_eq!(sandbox.phase, SandboxPhase::Failed);
    assert_eq!(sandbox.conditions.find("Ready").unwrap().reason, "CouldNotStart");
    let waiting = bench.status("alice").await.waiting_on.unwrap();
    assert_eq!(waiting.reason, "RunnersFailing");
    assert!(waiting.message.unwrap().contains("no such file"));
}

#[tokio::test]
async fn a_sandbox_that_a_person_deletes_is_replaced() {
    let bench = Bench::new(8);
    let first = started(&bench).await;
    let name = first.metadata.name.clone().unwrap();
    bench
        .api::<Sandbox>()
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    bench.settle().await;
    let all = bench
        .api::<Sandbox>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .items;
    assert_eq!(all.len(), 1);
    assert_ne!(uid(&all[0]), uid(&first));
    assert_eq!(bench.backend.running(), 1);
}

#[tokio::test]
async fn a_sandbox_without_a_scan_is_refused() {
    let bench = Bench::new(8);
    let lonely = Sandbox::new(
        "lonely",
        serde_json::from_value(json!({"class": "Scan"})).unwrap(),
    );
    bench.api().create(&PostParams::default(), &lonely).await.unwrap();
    bench.settle().await;
    let status = bench.sandboxes().await.remove(0).status.unwrap();
    assert_eq!(status.phase, SandboxPhase::Failed);
    assert!(
        status
            .conditions
            .find("Ready")
            .unwrap()
            .message
            .contains("spec.scanRef")
    );
}
