use sqlx::{AssertSqlSafe, ConnectOptions as _, postgres::PgConnectOptions};

use super::*;
use crate::{params, testing};

#[tokio::test]
async fn placeholders_are_positional() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    let rows = tx
        .query("SELECT $2, $1", params!["first", "second"])
        .await
        .unwrap();
    assert_eq!(rows[0].get::<String>(0).unwrap(), "second");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let db = testing::database();
    {
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, "a", None).await.unwrap();
        assert!(holder(&mut tx, "a").await.is_some());
    }
    let mut tx = db.begin().await.unwrap();
    assert!(holder(&mut tx, "a").await.is_none());
}

#[tokio::test]
async fn a_column_of_another_type_is_an_error_that_names_it() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    let row = tx.find("SELECT 1, 'x'", params![]).await.unwrap().unwrap();
    let error = row.get::<i64>(1).unwrap_err();
    assert_eq!(error.to_string(), "failed to read column 1: stored as TEXT");
}

#[tokio::test]
async fn every_type_is_read_back_as_it_was_written_and_a_null_fits_each() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    let first = "CREATE TABLE kinds (i BIGINT, r DOUBLE PRECISION, t TEXT)";
    tx.execute(first, params![]).await.unwrap();
    // NULLs first: the statement stays prepared as they declared it.
    for (int, real, text) in [
        (None, None, None),
        (Some(i64::MIN), Some(-0.25), Some("ä\u{1F600}")),
        (Some(7), None, Some("")),
    ] {
        let insert = "INSERT INTO kinds (i, r, t) VALUES ($1, $2, $3)";
        tx.execute(insert, params![int, real, text]).await.unwrap();
        let select = "SELECT i, r, t FROM kinds WHERE COALESCE(i, -1) = COALESCE(CAST($1 AS BIGINT), -1) \
                      AND COALESCE(t, '-') = COALESCE(CAST($2 AS TEXT), '-')";
        let row = tx.find(select, params![int, text]).await.unwrap().unwrap();
        assert_eq!(row.get::<Option<i64>>(0).unwrap(), int);
        assert_eq!(row.get::<Option<f64>>(1).unwrap(), real);
        assert_eq!(row.get::<Option<String>>(2).unwrap().as_deref(), text);
    }
}

#[tokio::test]
async fn text_is_sorted_by_its_bytes() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    for name in ["b", "a-2", "B", "a", "a1", "ä"] {
        insert(&mut tx, name, None).await.unwrap();
    }
    let rows = tx
        .query(
            "SELECT name FROM locks WHERE name > $1 ORDER BY name",
            params!["B"],
        )
        .await
        .unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(names, ["a", "a-2", "a1", "b", "ä"]);
}

#[tokio::test]
async fn a_taken_key_is_refused_and_the_transaction_cannot_succeed_by_silence() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    insert(&mut tx, "a", Some("x")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let refused = insert(&mut tx, "a", Some("y")).await;
    assert!(matches!(refused, Err(DbError::Exists(_))), "{refused:?}");
    drop(tx);
    let row = db
        .find("SELECT holder FROM locks WHERE name = $1", params!["a"])
        .await;
    assert_eq!(row.unwrap().unwrap().get::<String>(0).unwrap(), "x");
}

async fn insert(tx: &mut Tx, name: &str, holder: Option<&str>) -> Result<u64, DbError> {
    let sql = "INSERT INTO locks (name, holder, until) VALUES ($1, $2, 1)";
    tx.execute(sql, params![name, holder.unwrap_or("nobody")]).await
}

async fn holder(tx: &mut Tx, name: &str) -> Option<String> {
    let sql = "SELECT holder FROM locks WHERE name = $1";
    let row = tx.find(sql, params![name]).await.unwrap();
    row.map(|row| row.get(0).unwrap())
}

#[tokio::test]
async fn a_server_that_confirms_commits_too_early_is_refused_with_the_setting_and_the_remedy() {
    let url = crate::testing::postgres_url();
    let off = format!(
        "{url}{}options[synchronous_commit]=off",
        if url.contains('?') { '&' } else { '?' }
    );
    let refused = Db::connect(&off).await.err().unwrap();
    assert!(
        matches!(
            refused,
            DbError::NotDurable {
                setting: "synchronous_commit"
            }
        ),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("set synchronous_commit to on"),
        "{refused}"
    );
    // The default of the database, as an administrator sets it.
    let default = |value: &'static str| {
        let url = url.clone();
        async move {
            let mut connection = url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
            let name: String = sqlx::query_scalar("SELECT current_database()")
                .fetch_one(&mut connection)
                .await
                .unwrap();
            let sql = format!("ALTER DATABASE \"{name}\" SET synchronous_commit = {value}");
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .unwrap();
        }
    };
    default("remote_apply").await;
    let db = Db::connect(&url).await.unwrap();
    default("off").await;
    assert!(Db::connect(&url).await.is_err());
    // Sessions that begin later keep what was found at the start.
    let row = db
        .find("SELECT current_setting('synchronous_commit')", &[])
        .await
        .unwrap();
    assert_eq!(row.unwrap().get::<String>(0).unwrap(), "remote_apply");
    // The shared server of the tests runs without fsync.
    assert_eq!(db.unsafe_settings().await.unwrap(), ["fsync"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_the_right_ended_until_it_is_extended() {
    use tokio::time::{Duration, Instant, advance};

    let minute = Duration::from_mins(1);
    let right = Right::until(Instant::now() + minute);
    let db = Db::memory().unwrap().guarded_by(right.clone());
    let sql = "INSERT INTO locks (name, holder, until) VALUES ('a', '', 1)";
    let mut late = db.begin().await.unwrap();
    late.execute(sql, &[]).await.unwrap();
    advance(minute).await;
    let error = late.commit().await.unwrap_err();
    assert!(
        matches!(error, DbError::Gone(_)) && error.is_transient(),
        "{error:?}"
    );
    assert!(db.begin().await.is_err());
    let count = "SELECT count(*) FROM locks";
    let row = db.find(count, &[]).await.unwrap().unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 0, "what is read needs no right");
    right.extend(Instant::now() + minute);
    let mut tx = db.begin().await.unwrap();
    tx.execute(sql, &[]).await.unwrap();
    tx.commit().await.unwrap();
}
