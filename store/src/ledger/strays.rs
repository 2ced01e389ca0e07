//! Strays: objects that no row names. A writer that lost its job, or died, leaves them behind.
//!
//! A stray is noted when it is first seen and deleted a day later: an object is durable before its row, and whoever
//! is to write that row may take its time. Pages of a scan that goes on are never strays: they are paid for, and the
//! next holder of their range may adopt them.

use followlytics_core::{layout, scan::summary::Stage};
use jiff::SignedDuration;

use super::{Ledger, LedgerError};
use crate::{
    db::{Scope, Tx, Value},
    params,
};

/// How long a stray is left alone.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

impl Ledger {
    /// Of these keys, those that were strays a day ago and still are. Notes which are strays now; call it with about
    /// a thousand keys at a time.
    pub async fn find_strays(&self, keys: &[String]) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let mut old = Vec::new();
        for key in keys {
            let known = tx
                .find("SELECT seen_at FROM strays WHERE key = $1", params![key])
                .await?;
            if is_named(&mut tx, key).await? {
                if known.is_some() {
                    tx.execute("DELETE FROM strays WHERE key = $1", params![key])
                        .await?;
                }
                continue;
            }
            match known {
                Some(row) if now.duration_since(row.get(0)?) >= GRACE => old.push(key.clone()),
                Some(_) => {}
                None => {
                    let sql =
                        "INSERT INTO strays (key, seen_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
                    tx.execute(sql, params![key, now]).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(old)
    }

    /// Forgets a stray whose object was deleted.
    pub async fn forget_stray(&self, key: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        tx.execute("DELETE FROM strays WHERE key = $1", params![key])
            .await?;
        Ok(tx.commit().await?)
    }
}

async fn is_named(tx: &mut Tx, key: &str) -> Result<bool, LedgerError> {
    let Some(scan) = layout::scan_of(key) else {
        // Nothing that is known here: not ours to delete.
        return Ok(true);
    };
    let sql = "SELECT stage FROM scans WHERE uid = $1";
    let stage: Option<String> = tx
        .find(sql, params![scan])
        .await?
        .map(|row| row.get(0))
        .transpose()?;
    let over = [Stage::Merged, Stage::Ended].map(<&str>::from);
    let goes_on = stage.is_some_and(|stage| !over.contains(&stage.as_str()));
    let found = if key.starts_with("pages/") {
        goes_on || exists(tx, "SELECT 1 FROM pages WHERE key = $1", params![key]).await?
    } else if key.starts_with("shards/") {
        exists(tx, "SELECT 1 FROM shards WHERE key = $1", params![key]).await?
    } else {
        // A part is named by its result, or by the run that becomes one.
        let part = format!("%\"{key}\"%").replace('_', "\\_");
        exists(tx, "SELECT 1 FROM shards WHERE key = $1", params![key]).await?
            || exists(
                tx,
                "SELECT 1 FROM results WHERE scan = $1 AND (manifest = $2 OR head = $2 OR parts LIKE $3 ESCAPE '\\')",
                params![scan, key, part],
            )
            .await?
    };
    Ok(found)
}

async fn exists(tx: &mut Tx, sql: &str, params: &[Value]) -> Result<bool, LedgerError> {
    Ok(tx.find(sql, params).await?.is_some())
}
