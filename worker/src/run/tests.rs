use std::{future::pending, sync::Arc};

use followlytics_core::scan::summary::Stage;
use followlytics_store::db::Db;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::*;
use crate::bench::{Bench, TestPage, chain, row};

fn pages() -> Vec<TestPage> {
    vec![
        chain(0, vec![row(1, "a"), row(2, "b")]),
        chain(1, vec![row(3, "c")]),
    ]
}

#[tokio::test]
async fn one_job_is_done_once() {
    let bench = Bench::new();
    assert!(!run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
    bench.scan("s", "x:nasa", 0, &pages()).await;
    assert!(run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
    assert!(!run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
    assert_eq!(bench.ledger.find_result("s").await.unwrap().unwrap().rows, 3);
}

#[tokio::test]
async fn a_frozen_worker_changes_nothing_when_it_wakes() {
    let bench = Bench::new();
    bench.scan("s", "x:nasa", 0, &pages()).await;
    let frozen = bench.ledger.claim_job("frozen").await.unwrap().unwrap();
    bench.wait(30);
    let record = bench.merged("s").await;
    // It wakes and does all of its work.
    work(&bench.ledger, &bench.objects, &frozen, &Settings::default())
        .await
        .unwrap();
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), Some(record.clone()));
    let keys = bench.objects.list("results/").await.unwrap();
    // Head, manifest and part, all of the second holder.
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(keys.iter().all(|key| key.contains("-000002")), "{keys:?}");
    assert!(record.parts[0].contains("part-000002") && record.manifest.contains("manifest-000002"));
    assert_eq!(
        crate::result_ids(&bench.objects, &record).await.unwrap(),
        ["1", "2", "3"]
    );
}

#[tokio::test]
async fn a_worker_that_died_after_writing_is_replaced() {
    let bench = Bench::new();
    bench.scan("s", "x:nasa", 0, &pages()).await;
    let job = bench.ledger.claim_job("dead").await.unwrap().unwrap();
    let settings = Settings::default();
    // Everything but the publishing: drop the work at each of its steps in turn.
    for steps in 0..6 {
        let mut merge = pin!(act(&bench.ledger, &bench.objects, &job, &settings));
        for _ in 0..steps {
            assert!(
                futures::poll!(merge.as_mut()).is_pending(),
                "the merge ended in {steps} steps"
            );
        }
    }
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), None);
    bench.wait(30);
    let record = bench.merged("s").await;
    assert_eq!(
        crate::result_ids(&bench.objects, &record).await.unwrap(),
        ["1", "2", "3"]
    );
}

#[tokio::test]
async fn objects_that_come_back_let_the_job_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::files(folder.path());
    bench.scan("s", "x:nasa", 0, &pages()).await;
    let (there, away) = (folder.path().join("objects"), folder.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    std::fs::write(&there, "no directory").unwrap();
    assert!(run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
    let summary = bench.ledger.summary("s").await.unwrap().unwrap();
    assert_eq!(summary.stage, Stage::Merging);
    let hold = summary.hold.unwrap();
    assert_eq!(hold.reason, "StorageUnavailable");
    assert!(
        hold.message.contains("the object store is unavailable"),
        "{}",
        hold.message
    );
    std::fs::remove_file(&there).unwrap();
    std::fs::rename(&away, &there).unwrap();
    bench.wait(1);
    assert_eq!(bench.merged("s").await.rows, 3);
    assert_eq!(bench.ledger.summary("s").await.unwrap().unwrap().hold, None);
}

#[tokio::test(start_paused = true)]
async fn the_loop_finds_what_another_process_queued() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::files(folder.path());
    let other = Db::open(&folder.path().join("ledger.db")).unwrap();
    let ledger = Ledger::new(other, Arc::new(|| Timestamp::UNIX_EPOCH), Arc::new(String::new));
    let objects = bench.objects.clone();
    let worker = tokio::spawn(async move { run(&ledger, &objects, "w", pending()).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.scan("s", "x:nasa", 0, &pages()).await;
    let mut waited = 0;
    while bench.ledger.find_result("s").await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited += 1;
        assert!(waited < 600, "the job was not found");
    }
    worker.abort();
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_its_job_back() {
    let bench = Bench::new();
    bench.scan("s", "x:nasa", 0, &pages()).await;
    let (tell, told) = oneshot::channel::<()>();
    let mut running = Box::pin(run(&bench.ledger, &bench.objects, "w", async {
        let _ = told.await;
    }));
    // The first poll claims the job and ends after the first page.
    assert!(futures::poll!(running.as_mut()).is_pending());
    assert!(bench.ledger.claim_job("other").await.unwrap().is_none());
    tell.send(()).unwrap();
    running.await;
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), None);
    let job = bench.ledger.claim_job("other").await.unwrap().unwrap();
    assert_eq!(job.epoch, 2);
}
