//! The controllers as they really run: woken by watches, by exits, by the ledger.

use std::{future::Future, sync::Arc, time::Duration};

use followlytics_controller::run;
use followlytics_crds::ScanPhase;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::toolkit::{Bench, uid};

async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    for _ in 0..2000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within 10 s");
}

#[tokio::test]
async fn everything_wakes_what_it_concerns_and_stopping_ends_it() {
    let bench = Bench::new(8);
    let (exits, exited) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(run(Arc::clone(&bench.ctx), exited, stopped));

    bench.create("alice", json!({})).await;
    until(async || bench.backend.running() == 1).await;
    until(async || {
        bench
            .status("alice")
            .await
            .waiting_on
            .is_some_and(|w| w.reason == "RunnerStarting")
    })
    .await;
    bench.contact().await;
    until(async || bench.status("alice").await.waiting_on.is_none()).await;

    let first = bench.sandboxes().await.remove(0);
    bench.backend.exit(&uid(&first), Some(1));
    exits.send(uid(&first)).unwrap();
    until(async || {
        bench
            .sandboxes()
            .await
            .first()
            .is_some_and(|next| uid(next) != uid(&first))
    })
    .await;
    until(async || bench.backend.running() == 1).await;

    bench.edit("alice", json!({"operatingMode": "Suspended"})).await;
    until(async || bench.status("alice").await.phase == ScanPhase::Suspended).await;
    assert_eq!(bench.backend.running(), 0);

    bench.delete("alice").await;
    until(async || {
        bench
            .api::<followlytics_crds::Scan>()
            .get_opt("alice")
            .await
            .unwrap()
            .is_none()
    })
    .await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn stopping_leaves_the_runners_to_the_next_controller() {
    let bench = Bench::new(8);
    let (_exits, exited) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(run(Arc::clone(&bench.ctx), exited, stopped));
    bench.create("alice", json!({})).await;
    until(async || bench.backend.running() == 1).await;
    bench.contact().await;
    until(async || bench.status("alice").await.phase == ScanPhase::Resolving).await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(bench.backend.running(), 1);
    let before = bench.sandboxes().await.remove(0);
    bench.settle().await;
    assert_eq!(uid(&bench.sandboxes().await.remove(0)), uid(&before));
}
