//! Steps on PostgreSQL; the version is the one row of a table of its own.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _, error::DatabaseError, raw_sql};

use super::{STEPS, missing};
use crate::db::{DbError, Keys};

/// Brings the schema up to date and answers its name. Several processes may start at once: each step and its
/// version number are one transaction, under a lock.
pub(crate) async fn apply(connection: &mut PgConnection) -> Result<String, DbError> {
    apply_steps(connection, STEPS).await
}

pub(super) async fn apply_steps(
    connection: &mut PgConnection,
    steps: &'static [&'static str],
) -> Result<String, DbError> {
    let row = connection.fetch_one(raw_sql("SELECT current_schema()")).await?;
    let schema: String = row.try_get::<Option<String>, _>(0)?.unwrap_or_default();
    let lock = Keys::migrations(&schema);
    loop {
        // Left open by an error, the transaction ends with its connection.
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({lock})");
        connection.execute(raw_sql(AssertSqlSafe(begin))).await?;
        let version = version(connection).await?;
        let Some((next, step)) = missing(version, steps)?.into_iter().next() else {
            connection.execute(raw_sql("ROLLBACK")).await?;
            return Ok(schema);
        };
        let step = format!(
            "{}; UPDATE followlytics_schema SET version = {next}; COMMIT",
            translate(step)
        );
        connection.execute(raw_sql(AssertSqlSafe(step))).await?;
    }
}

/// The version, and the table that keeps it.
async fn version(connection: &mut PgConnection) -> Result<i64, DbError> {
    let known = "SELECT to_regclass('followlytics_schema') IS NOT NULL";
    if !connection
        .fetch_one(raw_sql(known))
        .await?
        .try_get::<bool, _>(0)?
    {
        let create = "CREATE TABLE followlytics_schema \
             (id BIGINT PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL); \
             INSERT INTO followlytics_schema (id, version) VALUES (1, 0)";
        connection.execute(raw_sql(create)).await.map_err(forbidden)?;
    }
    let row = connection
        .fetch_one(raw_sql("SELECT version FROM followlytics_schema WHERE id = 1"))
        .await?;
    Ok(row.try_get(0)?)
}

/// Since PostgreSQL 15 only its owner may create tables in `public`.
fn forbidden(error: sqlx::Error) -> DbError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.as_deref() {
        Some("42501" | "3F000") => DbError::Forbidden(error.into()),
        _ => error.into(),
    }
}

/// TEXT sorts by its bytes, as in SQLite, whatever the database's language. The one word the two databases do
/// not share is BLOB.
pub(super) fn translate(step: &str) -> String {
    let words = step.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .map(|word| {
            let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let rest = word.strip_prefix(name).unwrap_or_default();
            match name {
                "TEXT" => format!("TEXT COLLATE \"C\"{rest}"),
                "BLOB" => format!("BYTEA{rest}"),
                _ => word.to_owned(),
            }
        })
        .collect()
}
