use followlytics_testbed::postgres::{Options, Postgres};

use super::*;
use crate::{db::Scope, objects::S3Options};

fn monitor() -> Monitor {
    Monitor::new(Timestamp::UNIX_EPOCH)
}

fn brief(monitor: &Monitor) -> Vec<String> {
    monitor.health().outages.iter().map(Outage::brief).collect()
}

async fn until(monitor: &Monitor, expected: &[&str]) {
    let mut changes = monitor.subscribe();
    let reached = async {
        while brief(monitor) != expected {
            changes.changed().await.unwrap();
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
    assert!(reached.is_ok(), "{:?}, not {expected:?}", brief(monitor));
}

async fn pragma(db: &Db, sql: &str) -> i64 {
    let mut tx = db.read().await.unwrap();
    let row = tx.find(sql, params![]).await.unwrap().unwrap();
    row.get(0).unwrap()
}

#[tokio::test]
async fn full_database_is_unavailable_until_it_stores_again() {
    let folder = tempfile::tempdir().unwrap();
    let monitor = monitor();
    let db = Db::open(&folder.path().join("ledger.db"))
        .unwrap()
        .observed_by(&monitor);
    let pages = pragma(&db, "PRAGMA page_count").await;
    pragma(&db, &format!("PRAGMA max_page_count = {pages}")).await;
    let long = "x".repeat(1 << 20);
    let sql = "INSERT INTO locks (name, holder, until) VALUES ('a', $1, 1)";
    let mut tx = db.begin().await.unwrap();
    tx.execute(sql, params![&long]).await.unwrap_err();
    drop(tx);
    assert_eq!(brief(&monitor), ["database: no space left"]);
    // Reads, and transactions that change nothing, prove nothing.
    db.find("SELECT 1", params![]).await.unwrap();
    db.begin_within(Scope::Rows)
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(brief(&monitor), ["database: no space left"]);
    pragma(&db, &format!("PRAGMA max_page_count = {}", pages + 1000)).await;
    let watching = tokio::spawn(monitor.clone().watch(db, None, None));
    until(&monitor, &[]).await;
    watching.abort();
}

#[tokio::test]
async fn refused_bucket_is_unavailable_long_before_its_call_fails() {
    let monitor = monitor();
    let options = S3Options::from_variables(
        [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "correct-horse"),
            ("AWS_REGION", "us-east-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let objects = Objects::s3("s3://bucket/part", &options)
        .unwrap()
        .observed_by(&monitor);
    let create = tokio::spawn(async move { objects.create("pages/a", "x").await });
    until(&monitor, &["objects: connection refused"]).await;
    assert!(!create.is_finished(), "the call still tries");
    let told = monitor.health().outages[0].message();
    assert!(
        !told.contains("127.0.0.1") && !told.contains("correct-horse"),
        "{told}"
    );
    create.abort();
}

#[tokio::test]
async fn frozen_database_is_unavailable_until_it_answers() {
    let server = Postgres::start(Options { fsync: false }).unwrap();
    let monitor = monitor();
    let db = Db::connect(&server.create_database().unwrap())
        .await
        .unwrap()
        .observed_by(&monitor);
    db.find("SELECT 1", params![]).await.unwrap();
    let watching = tokio::spawn(monitor.clone().watch(db.clone(), None, None));
    server.pause().unwrap();
    let reading = tokio::spawn(async move { db.find("SELECT 1", params![]).await });
    until(&monitor, &["database: timed out"]).await;
    server.resume().unwrap();
    until(&monitor, &[]).await;
    reading.await.unwrap().unwrap();
    assert_eq!(monitor.health().ended.len(), 1);
    watching.abort();
}

#[tokio::test]
async fn database_that_is_gone_is_probed_until_it_is_back() {
    let server = Postgres::start(Options { fsync: false }).unwrap();
    let monitor = monitor();
    let db = Db::connect(&server.create_database().unwrap())
        .await
        .unwrap()
        .observed_by(&monitor);
    let watching = tokio::spawn(monitor.clone().watch(db.clone(), None, None));
    server.kill().unwrap();
    db.find("SELECT 1", params![]).await.unwrap_err();
    assert_eq!(brief(&monitor), ["database: connection refused"]);
    server.restart().unwrap();
    until(&monitor, &[]).await;
    watching.abort();
}

#[tokio::test]
async fn full_data_directory_is_noted_and_cleared_by_a_probe() {
    let folder = tempfile::tempdir().unwrap();
    let monitor = monitor();
    monitor.note_disk(&io::Error::from(io::ErrorKind::NotFound));
    assert_eq!(brief(&monitor), [""; 0]);
    monitor.note_disk(&io::Error::from(io::ErrorKind::StorageFull));
    assert_eq!(brief(&monitor), ["disk: no space left"]);
    let db = Db::memory().unwrap();
    let watching = tokio::spawn(monitor.clone().watch(db, None, Some(folder.path().to_owned())));
    until(&monitor, &[]).await;
    watching.abort();
}

#[tokio::test]
async fn database_whose_clock_differs_is_noticed_and_one_without_a_clock_is_not() {
    let postgres = Postgres::shared().unwrap();
    let db = Db::connect(&postgres.create_database().unwrap()).await.unwrap();
    let began = (db.read().await.unwrap().time().unwrap(), Instant::now());
    for (behind, expected) in [(0, None), (20, Some(20)), (-20, Some(-20))] {
        let monitor = monitor();
        let clock: Clock = Arc::new(move || began.0 + began.1.elapsed() - SignedDuration::from_secs(behind));
        let comparing = tokio::spawn(monitor.clone().compare_clocks(db.clone(), clock));
        if expected.is_some() {
            let mut changes = monitor.subscribe();
            let skewed = changes.wait_for(|health| health.clock_ahead.is_some());
            tokio::time::timeout(Duration::from_secs(30), skewed)
                .await
                .unwrap()
                .unwrap();
        } else {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        comparing.abort();
        // The clocks are read one after the other.
        let ahead = monitor.health().clock_ahead;
        assert_eq!(ahead.is_some(), expected.is_some(), "{ahead:?}");
        assert!(
            ahead.unwrap_or(0).abs_diff(expected.unwrap_or(0)) <= 1,
            "{ahead:?}"
        );
    }
    let monitor = monitor();
    monitor
        .clone()
        .compare_clocks(Db::memory().unwrap(), Arc::new(|| Timestamp::UNIX_EPOCH))
        .await;
    assert_eq!(monitor.health(), Health::default());
}
