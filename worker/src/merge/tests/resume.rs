//! Whoever dies at any point leaves what is recorded, and nobody does that again.

use std::sync::atomic::Ordering;

use followlytics_store::params;

use super::*;
use crate::bench::FailingStore;

fn small() -> Settings {
    Settings {
        run_pages: 3,
        fan_in: 3,
        lane_rows: 200,
        piece_rows: 40,
        run_group_rows: 9,
        group_rows: 16,
        ..Settings::default()
    }
}

/// All rows; how they are cut into objects depends on the runs they were merged of.
async fn read(bench: &Bench, record: &ResultRecord) -> RecordBatch {
    let mut batches = Vec::new();
    let mut rows = crate::read::rows(&bench.objects, record).await.unwrap();
    while let Some(batch) = rows.next().await.unwrap() {
        batches.push(batch);
    }
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// Works until nothing is due; a job that failed waits meanwhile.
async fn work_off(bench: &Bench, settings: &Settings) -> u32 {
    let mut tries = 0;
    while bench.ledger.find_result("s").await.unwrap().is_none() {
        bench.wait(300);
        crate::run_one_with(&bench.ledger, &bench.objects, "w", settings)
            .await
            .unwrap();
        tries += 1;
        assert!(tries < 50, "it does not end");
    }
    tries
}

async fn undisturbed() -> (ResultRecord, RecordBatch, u64) {
    let (bench, store) = Bench::failing();
    store.before.store(-1, Ordering::SeqCst);
    bench.scan("s", "x:nasa", 0, &many()).await;
    let pages = store.writes.load(Ordering::SeqCst);
    let record = bench.merged_with("s", &small()).await;
    let batches = read(&bench, &record).await;
    (record, batches, store.writes.load(Ordering::SeqCst) - pages)
}

async fn fails_at(write: u64, is_done: bool) -> (Bench, std::sync::Arc<FailingStore>) {
    let (bench, store) = Bench::failing();
    store.before.store(-1, Ordering::SeqCst);
    bench.scan("s", "x:nasa", 0, &many()).await;
    store.is_done.store(is_done, Ordering::SeqCst);
    store.writes.store(0, Ordering::SeqCst);
    store
        .before
        .store(i64::try_from(write).unwrap(), Ordering::SeqCst);
    (bench, store)
}

#[tokio::test]
async fn a_write_that_fails_anywhere_costs_that_write_alone() {
    let (record, batches, writes) = undisturbed().await;
    assert!(writes > 20, "{writes}");
    for write in 0..writes {
        for is_done in [false, true] {
            let (bench, store) = fails_at(write, is_done).await;
            assert_eq!(work_off(&bench, &small()).await, 2);
            let found = bench.ledger.find_result("s").await.unwrap().unwrap();
            assert_eq!(read(&bench, &found).await, batches);
            assert_eq!((found.rows, found.duplicates), (record.rows, record.duplicates));
            // The one that failed, and nothing that was recorded before it.
            // The head is written with the manifest, under the epoch of whoever publishes.
            let head = u64::from(write == writes - 1);
            let expected = writes + 1 + head;
            assert_eq!(
                store.writes.load(Ordering::SeqCst),
                expected,
                "after write {write}"
            );
        }
    }
}

#[tokio::test]
async fn a_worker_that_dies_at_any_step_is_followed_by_one_that_goes_on() {
    let (_, batches, _) = undisturbed().await;
    for steps in [1, 2, 3, 4, 6, 9, 13, 19, 28, 41, 60, 90] {
        let (bench, store) = fails_at(u64::MAX >> 1, false).await;
        let mut died = 0;
        loop {
            let settings = small();
            let mut working = Box::pin(crate::run_one_with(&bench.ledger, &bench.objects, "w", &settings));
            let mut done = false;
            for _ in 0..steps {
                if futures::poll!(working.as_mut()).is_ready() {
                    done = true;
                    break;
                }
            }
            drop(working);
            bench.wait(31);
            if done {
                break;
            }
            died += 1;
            if died == 8 {
                // More in a row than may die over a job: the last one works to its end.
                work_off(&bench, &small()).await;
                break;
            }
        }
        work_off(&bench, &small()).await;
        let found = bench.ledger.find_result("s").await.unwrap().unwrap();
        assert_eq!(
            read(&bench, &found).await,
            batches,
            "after {died} deaths at step {steps}"
        );
        assert!(store.writes.load(Ordering::SeqCst) > 0);
    }
}

#[tokio::test]
async fn a_frozen_worker_that_wakes_in_mid_merge_is_fenced() {
    let (bench, _) = fails_at(u64::MAX >> 1, false).await;
    let settings = small();
    let mut frozen = Box::pin(crate::run_one_with(
        &bench.ledger,
        &bench.objects,
        "frozen",
        &settings,
    ));
    for _ in 0..40 {
        assert!(futures::poll!(frozen.as_mut()).is_pending());
    }
    bench.wait(30);
    let record = bench.merged_with("s", &settings).await;
    frozen.await.unwrap();
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), Some(record.clone()));
    let (_, batches, _) = undisturbed().await;
    assert_eq!(read(&bench, &record).await, batches);
}

/// All shards of the runs that a merge would read now.
async fn shards(bench: &Bench) -> Vec<String> {
    let runs = bench.ledger.list_runs("s").await.unwrap();
    runs.into_iter()
        .flat_map(|run| run.shards)
        .map(|shard| shard.key)
        .collect()
}

/// Sorts the pages and leaves runs, among them merged ones.
async fn sorted(bench: &Bench, fan_in: usize) -> Vec<String> {
    let settings = Settings { fan_in, ..small() };
    for range in 1..4 {
        bench.queue_compact("s", range, false).await;
        assert!(
            crate::run_one_with(&bench.ledger, &bench.objects, "w", &settings)
                .await
                .unwrap()
        );
    }
    let levels: Vec<i64> = bench
        .ledger
        .list_runs("s")
        .await
        .unwrap()
        .iter()
        .map(|run| run.level)
        .collect();
    let expected: &[i64] = if fan_in == 3 { &[1, 2] } else { &[0; 12] };
    assert_eq!(levels, expected);
    crate::erase(&bench.ledger, &bench.objects).await.unwrap();
    shards(bench).await
}

#[tokio::test]
async fn a_damaged_shard_is_made_again_from_its_pages() {
    let (_, batches, _) = undisturbed().await;
    for (fan_in, how) in [(3, 0), (3, 1), (3, 2), (3, 3), (64, 0), (64, 1), (64, 2), (64, 3)] {
        for which in (0..).step_by(2) {
            let (bench, _) = fails_at(u64::MAX >> 1, false).await;
            let keys = sorted(&bench, fan_in).await;
            let Some(key) = keys.get(which) else { break };
            let bytes = bench.objects.get(key).await.unwrap().to_vec();
            bench.objects.delete(key).await.unwrap();
            let length = bytes.len();
            let damaged = match how {
                0 => None,
                1 => Some(bytes[..length / 2].to_vec()),
                2 => Some(bytes[..length - 1].to_vec()),
                _ => {
                    let mut bytes = bytes;
                    bytes[length / 4] ^= 1;
                    Some(bytes)
                }
            };
            if let Some(bytes) = damaged {
                bench.objects.create(key, bytes).await.unwrap();
            }
            let record = bench.merged_with("s", &small()).await;
            assert_eq!(
                read(&bench, &record).await,
                batches,
                "{key}, damaged in way {how}"
            );
        }
    }
}

#[tokio::test]
async fn a_part_that_went_before_its_result_was_published_is_made_again() {
    let (_, batches, writes) = undisturbed().await;
    // The manifest is the last write.
    let (bench, _) = fails_at(writes - 1, false).await;
    crate::run_one_with(&bench.ledger, &bench.objects, "w", &small())
        .await
        .unwrap();
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), None);
    let parts = bench.objects.list("results/").await.unwrap();
    bench.objects.delete(&parts[1]).await.unwrap();
    work_off(&bench, &small()).await;
    let record = bench.ledger.find_result("s").await.unwrap().unwrap();
    assert_eq!(read(&bench, &record).await, batches);
}

#[tokio::test]
async fn pages_that_were_sorted_are_not_read_again() {
    // A list that is not read newest first: its result has no head, which is read from the first pages.
    let bench = Bench::new();
    bench.scan("s", "gitea:tea@one.example", 0, &many()).await;
    sorted(&bench, 3).await;
    let pages = bench.objects.list("pages/").await.unwrap();
    for page in pages {
        bench.objects.delete(&page).await.unwrap();
    }
    let record = bench.merged_with("s", &small()).await;
    assert_eq!(record.rows, 500);
}

#[tokio::test]
async fn what_a_published_result_needs_no_more_is_deleted_and_strays_are_swept_after_a_day() {
    let (bench, _) = fails_at(u64::MAX >> 1, false).await;
    sorted(&bench, 3).await;
    let record = bench.merged_with("s", &small()).await;
    let stray = "results/team/x/42/s/part-000009-00000.parquet";
    bench.objects.create(stray, "lost").await.unwrap();
    crate::erase(&bench.ledger, &bench.objects).await.unwrap();
    assert!(bench.objects.list("shards/").await.unwrap().is_empty());
    let pages = bench.objects.list("pages/").await.unwrap().len();
    assert_eq!(crate::sweep(&bench.ledger, &bench.objects).await.unwrap(), 0);
    bench.wait(24 * 3600);
    assert_eq!(crate::sweep(&bench.ledger, &bench.objects).await.unwrap(), 1);
    assert_eq!(crate::sweep(&bench.ledger, &bench.objects).await.unwrap(), 0);
    assert_eq!(bench.objects.list("pages/").await.unwrap().len(), pages);
    let mut left = bench.objects.list("results/").await.unwrap();
    left.retain(|key| key.contains("/part-"));
    assert_eq!(left, record.parts);
}

#[tokio::test]
async fn a_scan_that_goes_on_sorts_full_runs_only_and_none_of_its_pages_twice() {
    let (bench, _) = fails_at(u64::MAX >> 1, false).await;
    bench.queue_compact("s", 1, true).await;
    let settings = Settings {
        run_pages: 4,
        ..small()
    };
    crate::run_one_with(&bench.ledger, &bench.objects, "w", &settings)
        .await
        .unwrap();
    let spans = async || -> Vec<(u32, u32)> {
        let runs = bench.ledger.list_runs("s").await.unwrap();
        runs.iter()
            .filter_map(|run| run.span)
            .map(|span| (span.first, span.last))
            .collect()
    };
    assert_eq!(spans().await, [(0, 3), (4, 7)]);
    bench.queue_compact("s", 1, false).await;
    crate::run_one_with(&bench.ledger, &bench.objects, "w", &settings)
        .await
        .unwrap();
    let left = bench.ledger.unsorted_pages("s", Some(1)).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    bench
        .execute("DELETE FROM jobs WHERE kind = 'Compact'", params![])
        .await;
    assert_eq!(bench.merged_with("s", &settings).await.rows, 500);
}
