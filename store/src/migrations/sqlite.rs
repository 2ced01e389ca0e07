//! Steps on SQLite; the version is the file's `user_version`.

use rusqlite::Connection;

use super::{STEPS, missing};
use crate::db::DbError;

/// Brings the schema up to date; each step and its version number are one transaction.
pub(crate) fn apply(connection: &Connection) -> Result<(), DbError> {
    apply_steps(connection, STEPS)
}

pub(super) fn apply_steps(connection: &Connection, steps: &'static [&'static str]) -> Result<(), DbError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, step) in missing(found, steps)? {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step}; PRAGMA user_version = {version}; COMMIT"
        ))?;
    }
    Ok(())
}
