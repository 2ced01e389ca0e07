//! Locks with an end: one holder at a time, gone by themselves after a crash.

use jiff::SignedDuration;

use super::{Ledger, LedgerError};
use crate::params;

impl Ledger {
    /// Takes the lock for at most `longest`; the holder's name, or `None` while another holds it.
    pub async fn try_lock(&self, name: &str, longest: SignedDuration) -> Result<Option<String>, LedgerError> {
        let now = self.now();
        let holder = (self.ids)();
        let until = now.saturating_add(longest).unwrap_or(now);
        let mut tx = self.db.begin().await?;
        let taken = tx
            .execute(
                "INSERT INTO locks (name, holder, until) VALUES ($1, $2, $3) \
                 ON CONFLICT (name) DO UPDATE SET holder = $2, until = $3 WHERE locks.until <= $4",
                params![name, &holder, until, now],
            )
            .await?;
        tx.commit().await?;
        Ok((taken > 0).then_some(holder))
    }

    /// Gives the lock back, if `holder` still has it.
    pub async fn unlock(&self, name: &str, holder: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        tx.execute(
            "DELETE FROM locks WHERE name = $1 AND holder = $2",
            params![name, holder],
        )
        .await?;
        Ok(tx.commit().await?)
    }
}
