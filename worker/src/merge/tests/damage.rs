//! What is not as the ledger says is refused, and nothing of it is published.

use followlytics_core::{account::Platform, scan::summary::Stage};
use followlytics_store::params;

use super::*;

/// Changes the stored pages of a scan and checks that its merge is refused with the key's name.
async fn refused(damage: impl AsyncFnOnce(&Bench, &str), said: &str) {
    let bench = Bench::new();
    bench
        .scan(
            "s",
            "x:nasa",
            0,
            &[
                chain(0, vec![row(1, "a")]),
                chain(1, vec![row(2, "b"), row(3, "c")]),
            ],
        )
        .await;
    let key = bench.ledger.list_pages("s", 1, 1, 1).await.unwrap()[0]
        .key
        .clone();
    damage(&bench, &key).await;
    assert!(run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
    let summary = bench.ledger.summary("s").await.unwrap().unwrap();
    assert_eq!((summary.stage, summary.result), (Stage::Ended, None));
    let failure = summary.failure.unwrap().message;
    assert!(failure.contains(&key) && failure.contains(said), "{failure}");
    assert!(bench.objects.list("results/").await.unwrap().is_empty());
    bench.wait(100_000);
    assert!(!run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
}

async fn replace(bench: &Bench, key: &str, bytes: Vec<u8>) {
    bench.objects.delete(key).await.unwrap();
    bench.objects.create(key, bytes).await.unwrap();
}

#[tokio::test]
async fn a_changed_page_is_refused() {
    refused(
        async |bench, key| {
            let mut bytes = bench.objects.get(key).await.unwrap().to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            replace(bench, key, bytes).await;
        },
        "it was changed or cut off",
    )
    .await;
}

#[tokio::test]
async fn a_page_that_was_cut_off_is_refused() {
    refused(
        async |bench, key| {
            let bytes = bench.objects.get(key).await.unwrap();
            replace(bench, key, bytes[..bytes.len() / 2].to_vec()).await;
        },
        "it was changed or cut off",
    )
    .await;
}

#[tokio::test]
async fn a_missing_page_is_refused() {
    refused(
        async |bench, key| bench.objects.delete(key).await.unwrap(),
        "failed to find object",
    )
    .await;
}

#[tokio::test]
async fn a_row_that_names_another_page_is_refused() {
    refused(
        async |bench, key| {
            bench
                .execute("UPDATE pages SET seq = 5 WHERE key = $1", params![key])
                .await;
        },
        "the ledger says",
    )
    .await;
}

#[tokio::test]
async fn a_row_that_counts_other_lines_is_refused() {
    refused(
        async |bench, key| {
            bench
                .execute("UPDATE pages SET lines = 1 WHERE key = $1", params![key])
                .await;
        },
        "it has 2 lines, the ledger says 1",
    )
    .await;
}

#[tokio::test]
async fn a_tampered_result_is_not_read() {
    let bench = Bench::new();
    bench.scan("s", "x:nasa", 0, &[chain(0, vec![row(1, "a")])]).await;
    let record = bench.merged("s").await;
    let mut part = bench.objects.get(&record.parts[0]).await.unwrap().to_vec();
    part[10] ^= 1;
    replace(&bench, &record.parts[0], part).await;
    let error = result_ids(&bench.objects, &record).await.unwrap_err();
    assert!(
        matches!(&error, WorkerError::Damaged { key, .. } if *key == record.parts[0]),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_key_with_other_bytes_is_left_alone_and_the_next_try_takes_another() {
    let bench = Bench::new();
    bench.scan("s", "x:nasa", 0, &[chain(0, vec![row(1, "a")])]).await;
    let prefix = layout::result_of_scan("team", Platform::X, "42", "s");
    let taken = layout::result_part(&prefix, 1, 0);
    bench.objects.create(&taken, "other").await.unwrap();
    assert!(run_one(&bench.ledger, &bench.objects, "w").await.unwrap());
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), None);
    bench.wait(1);
    let record = bench.merged("s").await;
    assert_eq!(record.parts, [layout::result_part(&prefix, 2, 0)]);
    assert_eq!(bench.objects.get(&taken).await.unwrap(), "other");
}
