//! Durability: settings of the server without which a commit that was answered can be lost.

use followlytics_core::mutants::{self, Mutant};
use sqlx::{Executor as _, PgConnection, Row as _};

use crate::db::DbError;

/// The setting of a session that decides whether COMMIT waits for the disk.
pub(super) const COMMITS: &str = "synchronous_commit";
/// Settings of the whole server that decide whether what was written survives a crash of its machine.
const MACHINE: [&str; 2] = ["fsync", "full_page_writes"];

/// Returns the session's `synchronous_commit`, for all later sessions to keep: a server that is reloaded with another
/// default does not weaken them.
///
/// # Errors
/// [`DbError::NotDurable`] if it is off.
pub(super) async fn required(connection: &mut PgConnection) -> Result<String, DbError> {
    let value = current(connection, COMMITS).await?;
    if value == "off" && !mutants::on(Mutant::UnsafeCommitsTaken) {
        return Err(DbError::NotDurable { setting: COMMITS });
    }
    for setting in off(connection).await? {
        tracing::warn!(
            setting,
            "off: a crash of the server's machine can damage the database"
        );
    }
    Ok(value)
}

/// Returns the settings of the server that are off although the ledger needs them.
pub(super) async fn off(connection: &mut PgConnection) -> Result<Vec<&'static str>, DbError> {
    let mut found = Vec::new();
    for setting in MACHINE {
        if current(connection, setting).await? == "off" {
            found.push(setting);
        }
    }
    Ok(found)
}

async fn current(connection: &mut PgConnection, setting: &'static str) -> Result<String, DbError> {
    let query = sqlx::query("SELECT current_setting($1)").bind(setting);
    Ok(connection.fetch_one(query).await?.try_get(0)?)
}
