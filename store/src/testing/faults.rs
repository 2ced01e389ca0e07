//! Bad input and bad luck: each ends in one clear sentence, and nothing is lost.

use std::{error::Error, time::Duration};

use followlytics_testbed::postgres::{Options, PASSWORD, Postgres};

use crate::{
    db::{Db, DbError, Scope},
    params, testing,
};

/// An error and everything behind it: none of it may hold a password.
fn told(error: &DbError) -> String {
    let mut told = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told} {error} {error:?}");
        source = error.source();
    }
    assert!(!told.contains(PASSWORD), "{told}");
    told
}

async fn refused(url: &str) -> DbError {
    Db::connect(url).await.err().unwrap()
}

#[tokio::test]
async fn an_address_that_is_none_is_named_without_its_password() {
    for url in [
        "mysql://u:correct-horse@h/d",
        "ledger.db",
        "postgres://u:correct-horse@h:notaport/d",
    ] {
        let error = refused(url).await;
        assert!(matches!(error, DbError::Address { .. }), "{error:?}");
        assert!(told(&error).contains("postgres://USER:PASSWORD@HOST:5432/DATABASE"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_its_port() {
    let error = refused(&format!("postgres://u:{PASSWORD}@127.0.0.1:1/ledger")).await;
    assert!(matches!(error, DbError::Unreachable { .. }), "{error:?}");
    assert!(told(&error).contains("at 127.0.0.1:1/ledger: is it running"));
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_wrong_password_a_wrong_database_and_a_user_without_rights_are_told_apart() {
    let server = Postgres::shared().unwrap();
    let url = server.create_database().unwrap();
    let name = url.rsplit('/').next().unwrap();
    let error = refused(&url.replace(PASSWORD, "guess")).await;
    assert!(
        told(&error).contains("as followlytics: give the right user and password"),
        "{error}"
    );
    let error = refused(&server.url("nowhere")).await;
    assert!(
        told(&error).contains("there is no such database: create it"),
        "{error}"
    );
    let error = refused(&format!("{url}?sslmode=require")).await;
    assert!(
        told(&error).contains("encryption failed: name the authority"),
        "{error:?}"
    );
    let guest = format!("CREATE ROLE guest_{name} LOGIN PASSWORD '{PASSWORD}'");
    server.run_sql(name, &guest).unwrap();
    let error = refused(&url.replace("followlytics:", &format!("guest_{name}:"))).await;
    assert!(matches!(error, DbError::Forbidden(_)), "{error:?}");
    assert!(
        told(&error).contains("run `GRANT CREATE ON SCHEMA public TO`"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_server_refuses_is_named_by_what_it_means() {
    let db = testing::postgres();
    for (code, variant) in [
        ("53100", "Full"),
        ("40P01", "Locked"),
        ("55P03", "Locked"),
        ("57P01", "Gone"),
        ("08006", "Gone"),
        ("22012", "Statement"),
    ] {
        let mut tx = db.begin().await.unwrap();
        let sql = format!("DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{code}''; END'");
        let error = tx.execute(&sql, params![]).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(variant), "{code}: {error:?}");
        // PostgreSQL answers such a COMMIT with a ROLLBACK, and no error.
        tx.commit().await.unwrap_err();
    }
}

#[tokio::test]
async fn a_locked_sqlite_file_is_told_after_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (first, second) = (Db::open(&path).unwrap(), Db::open(&path).unwrap());
    let held = first.begin().await.unwrap();
    let error = second.begin().await.err().unwrap();
    assert!(matches!(error, DbError::Locked(_)), "{error:?}");
    assert!(
        error.to_string().contains("stop the other `followlytics`"),
        "{error}"
    );
    // Reading waits for nobody.
    let mut tx = second.read().await.unwrap();
    tx.query("SELECT name FROM locks", params![]).await.unwrap();
    drop((held, tx));
    second.begin().await.unwrap();
}

#[tokio::test]
async fn a_lock_that_postgresql_does_not_give_is_told() {
    let url = testing::postgres_url();
    let first = Db::prepared(&url);
    let second = Db::prepared(&format!("{url}?options[lock_timeout]=200ms"));
    let held = first.begin_within(Scope::Scan("a")).await.unwrap();
    let error = second.begin_within(Scope::Scan("a")).await.err().unwrap();
    assert!(matches!(error, DbError::Locked(_)), "{error:?}");
    second.begin_within(Scope::Scan("b")).await.unwrap();
    drop(held);
    second.begin_within(Scope::Scan("a")).await.unwrap();
}

#[tokio::test]
async fn a_process_that_stands_still_in_mid_transaction_loses_its_locks() {
    let url = testing::postgres_url();
    let frozen = Db::prepared(&format!(
        "{url}?options[idle_in_transaction_session_timeout]=200ms"
    ));
    let other = Db::prepared(&url);
    let mut tx = frozen.begin().await.unwrap();
    let sql = "INSERT INTO locks (name, holder, until) VALUES ('a', 'frozen', 1)";
    tx.execute(sql, params![]).await.unwrap();
    let mut mine = tokio::time::timeout(Duration::from_secs(10), other.begin())
        .await
        .unwrap()
        .unwrap();
    assert!(
        mine.find("SELECT 1 FROM locks", params![])
            .await
            .unwrap()
            .is_none()
    );
    drop(mine);
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, DbError::Gone(_)), "{error:?}");
    // The next transaction has a connection of its own.
    frozen.begin().await.unwrap();
}

#[tokio::test]
async fn a_paused_server_is_waited_for() {
    let server = Postgres::start(Options { fsync: false }).unwrap();
    let db = Db::connect(&server.create_database().unwrap()).await.unwrap();
    server.pause().unwrap();
    let mut begin = Box::pin(db.begin());
    assert!(
        tokio::time::timeout(Duration::from_millis(200), &mut begin)
            .await
            .is_err()
    );
    server.resume().unwrap();
    begin.await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_neither_lock_nor_row() {
    let url = testing::postgres_url();
    let (db, other) = (Db::prepared(&url), Db::prepared(&url));
    let held = other.begin_within(Scope::Scan("a")).await.unwrap();
    for _ in 0..20 {
        // Dropped while the server still makes it wait.
        let waiting = db.begin_within(Scope::Scan("a"));
        assert!(
            tokio::time::timeout(Duration::from_millis(5), waiting)
                .await
                .is_err()
        );
    }
    drop(held);
    let begun = tokio::time::timeout(Duration::from_secs(10), other.begin());
    begun.await.unwrap().unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn installations_share_a_database_when_each_has_a_schema() {
    let server = Postgres::shared().unwrap();
    let url = server.create_database().unwrap();
    let name = url.rsplit('/').next().unwrap();
    server
        .run_sql(name, "CREATE SCHEMA one; CREATE SCHEMA two")
        .unwrap();
    let one = Db::connect(&format!("{url}?options[search_path]=one"))
        .await
        .unwrap();
    let two = Db::connect(&format!("{url}?options[search_path]=two"))
        .await
        .unwrap();
    let sql = "INSERT INTO locks (name, holder, until) VALUES ('a', $1, 1)";
    let (mut first, mut second) = (one.begin().await.unwrap(), two.begin().await.unwrap());
    first.execute(sql, params!["one"]).await.unwrap();
    second.execute(sql, params!["two"]).await.unwrap();
    first.commit().await.unwrap();
    second.commit().await.unwrap();
    for (schema, db) in [("one", one), ("two", two)] {
        let row = db
            .find("SELECT holder FROM locks", params![])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), schema);
    }
}
