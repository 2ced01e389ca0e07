use followlytics_core::scan::certificate::Guarantee;

use super::*;
use crate::ledger::jobs::tests::Bench;

fn result(scan: &str) -> NewResult {
    NewResult {
        manifest: format!("results/{scan}/manifest-000001.json"),
        parts: vec![format!("results/{scan}/part-000001-00000.parquet")],
        sha256: format!("hash of {scan}"),
        rows: 3,
        duplicates: 1,
        unread: 2,
        head: None,
        certificate: Certificate {
            guarantee: Guarantee::Exact,
            complete: true,
            current: true,
            extends: None,
            grade: followlytics_core::platform::evidence::Grade::Source,
            basis: String::new(),
            support: Vec::new(),
            list_total: None,
            unexplained: 0,
            evidence: Vec::new(),
            seams: Vec::new(),
            scanned: 6,
            unique: 3,
            platform_count: 3,
            hidden: 0,
            drift: None,
        },
    }
}

#[tokio::test]
async fn publishing_is_the_moment_a_result_exists_and_its_scan_ends() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("a").await;
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), None);
    bench.wait(7);
    let record = bench.ledger.publish_result(&job, &result("s")).await.unwrap();
    assert_eq!(
        (record.version, record.parts.len(), record.rows, record.unread),
        (1, 1, 3, 2)
    );
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), Some(record.clone()));
    let list = bench
        .ledger
        .list_results("team", Platform::Gitea, "4@git.example.org")
        .await
        .unwrap();
    assert_eq!(list, [record]);
    let scan = bench.scan("s").await;
    assert_eq!(
        (scan.stage, scan.ended),
        (Stage::Merged, Some(Timestamp::from_second(7).unwrap()))
    );
    bench.wait(1000);
    assert_eq!(bench.ledger.claim_job("b").await.unwrap(), None);
}

#[tokio::test]
async fn a_frozen_workers_publish_changes_nothing() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let frozen = bench.claim("a").await;
    bench.wait(30);
    let second = bench.claim("b").await;
    let refused = bench.ledger.publish_result(&frozen, &result("frozen")).await;
    assert!(matches!(refused, Err(LedgerError::Fenced)));
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), None);
    assert_eq!(bench.scan("s").await.stage, Stage::Merging);
    let record = bench
        .ledger
        .publish_result(&second, &result("second"))
        .await
        .unwrap();
    // Nor does it after the other one has published.
    assert!(matches!(
        bench.ledger.publish_result(&frozen, &result("frozen")).await,
        Err(LedgerError::Fenced)
    ));
    assert_eq!(bench.ledger.find_result("s").await.unwrap(), Some(record));
}

#[tokio::test]
async fn publishing_again_answers_the_first_record() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("a").await;
    let first = bench.ledger.publish_result(&job, &result("s")).await.unwrap();
    let again = bench.ledger.publish_result(&job, &result("other")).await.unwrap();
    assert_eq!(again, first);
}

#[tokio::test]
async fn a_job_that_was_given_up_publishes_nothing() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("a").await;
    assert!(
        bench
            .ledger
            .fail_job(&job, "page k is damaged", super::super::Retry::Never)
            .await
            .unwrap()
    );
    assert!(matches!(
        bench.ledger.publish_result(&job, &result("s")).await,
        Err(LedgerError::Fenced)
    ));
    assert_eq!(bench.scan("s").await.stage, Stage::Ended);
}

#[tokio::test]
async fn versions_of_an_account_count_from_one_without_holes() {
    let bench = Bench::new();
    for uid in ["a", "b", "c", "d"] {
        bench.merging(uid, "nasa").await;
    }
    bench.merging("e", "other").await;
    let mut given = Vec::new();
    for _ in 0..5 {
        let job = bench.claim("w").await;
        // A failed attempt between two versions leaves no hole.
        bench
            .ledger
            .fail_job(&job, "later", super::super::Retry::Later)
            .await
            .unwrap();
    }
    bench.wait(60);
    for _ in 0..5 {
        let job = bench.claim("w").await;
        let record = bench
            .ledger
            .publish_result(&job, &result(&job.scan))
            .await
            .unwrap();
        given.push((job.scan, record.version));
    }
    let given: Vec<_> = given
        .iter()
        .map(|(scan, version)| (scan.as_str(), *version))
        .collect();
    assert_eq!(given, [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 1)]);
    let third = bench
        .ledger
        .get_result("team", Platform::Gitea, "4@git.example.org", 3)
        .await
        .unwrap();
    assert_eq!(third.sha256, "hash of c");
    let missing = bench
        .ledger
        .get_result("team", Platform::Gitea, "4@git.example.org", 9)
        .await
        .unwrap_err();
    assert!(missing.to_string().contains("the newest is 4"), "{missing}");
}

#[tokio::test]
async fn the_number_of_a_deleted_version_is_never_used_again() {
    let bench = Bench::new();
    for (uid, version) in [("a", 1), ("b", 2), ("c", 3)] {
        bench.merging(uid, "nasa").await;
        let job = bench.claim("w").await;
        let record = bench.ledger.publish_result(&job, &result(uid)).await.unwrap();
        assert_eq!(record.version, version);
        bench.ledger.forget_scan(uid, uid == "a").await.unwrap();
    }
    let left = bench
        .ledger
        .list_results("team", Platform::Gitea, "4@git.example.org")
        .await
        .unwrap();
    assert_eq!(left.iter().map(|record| record.version).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_scan_that_was_never_resolved_has_nothing_to_merge() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let mut tx = bench.ledger.db.begin().await.unwrap();
    tx.execute("UPDATE scans SET report = NULL", params![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let error = bench.ledger.merge_input("s").await.unwrap_err();
    assert!(error.to_string().contains("not looked up"), "{error}");
    assert!(matches!(
        bench.ledger.merge_input("none").await,
        Err(LedgerError::NoScan { .. })
    ));
}
