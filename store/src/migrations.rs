//! The schema, one numbered file a step; a step that was released is never edited.

use rusqlite::Connection;

use crate::db::DbError;

/// Every step in order; the position (from 1) is the schema's version, kept in `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_ledger.sql"),
    include_str!("../migrations/sqlite/0002_resources.sql"),
    include_str!("../migrations/sqlite/0003_jobs.sql"),
    include_str!("../migrations/sqlite/0004_shares.sql"),
];

/// Brings the schema up to date; each step and its version number are one transaction.
pub(crate) fn apply(connection: &Connection) -> Result<(), DbError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(DbError::Newer { found, known });
    }
    for (version, step) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step}; PRAGMA user_version = {version}; COMMIT"
        ))?;
    }
    Ok(())
}
