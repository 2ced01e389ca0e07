//! Erasures: objects that nobody needs any more, named before they are deleted, so that a crash forgets none.

use jiff::Timestamp;

use super::{Ledger, LedgerError};
use crate::{
    db::{Scope, Tx},
    params,
};

/// Names a prefix whose objects are to be deleted.
pub(super) async fn ask(tx: &mut Tx, prefix: &str, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO erasures (prefix, asked_at) VALUES ($1, $2) ON CONFLICT (prefix) DO NOTHING",
        params![prefix, now],
    )
    .await?;
    Ok(())
}

impl Ledger {
    /// Prefixes whose objects are to be deleted, the oldest first.
    pub async fn list_erasures(&self) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.read().await?;
        let rows = tx
            .query("SELECT prefix FROM erasures ORDER BY asked_at, prefix", params![])
            .await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }

    /// Forgets a prefix under which nothing is left.
    pub async fn finish_erasure(&self, prefix: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        tx.execute("DELETE FROM erasures WHERE prefix = $1", params![prefix])
            .await?;
        Ok(tx.commit().await?)
    }
}
