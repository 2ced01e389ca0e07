//! Leases of consent: an attached command allows its scan to spend for as long as it lives.

use followlytics_core::scan::consent;

use super::{Ledger, LedgerError};
use crate::{db::Scope, params};

impl Ledger {
    /// Gives `holder`'s consent to the cost of a scan, for [`consent::LEASE`] from now. The scan may be unknown yet.
    pub async fn give_consent(&self, scan: &str, holder: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let until = now.saturating_add(consent::LEASE).unwrap_or(now);
        tx.execute(
            "INSERT INTO consents (scan, holder, until) VALUES ($1, $2, $3) \
             ON CONFLICT (scan) DO UPDATE SET holder = $2, until = $3",
            params![scan, holder, until],
        )
        .await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    /// Renews `holder`'s consent, also one that has ended meanwhile; `false` once it was withdrawn or is another's.
    pub async fn renew_consent(&self, scan: &str, holder: &str) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let until = now.saturating_add(consent::LEASE).unwrap_or(now);
        let found = tx
            .find(
                "SELECT until FROM consents WHERE scan = $1 AND holder = $2",
                params![scan, holder],
            )
            .await?;
        let renewed = tx
            .execute(
                "UPDATE consents SET until = $3 WHERE scan = $1 AND holder = $2",
                params![scan, holder, until],
            )
            .await?;
        tx.commit().await?;
        let had_ended = match found {
            Some(row) => row.get::<jiff::Timestamp>(0)? <= now,
            None => false,
        };
        if had_ended {
            self.notify();
        }
        Ok(renewed > 0)
    }

    /// Withdraws `holder`'s consent. No permit is granted on its strength once this has returned.
    pub async fn withdraw_consent(&self, scan: &str, holder: &str) -> Result<(), LedgerError> {
        // Alone in the scan: a grant that has read the lease is committed before.
        let mut tx = self.begin_scan(scan).await?;
        tx.execute(
            "DELETE FROM consents WHERE scan = $1 AND holder = $2",
            params![scan, holder],
        )
        .await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    /// Withdraws every consent: for a control plane that has just become the only one of this ledger, because every
    /// command that held one had a control plane of its own.
    pub async fn withdraw_all_consents(&self) -> Result<(), LedgerError> {
        // Most starts find none: those write nothing, so that they work on a full disk.
        if self.db.find("SELECT 1 FROM consents", params![]).await?.is_none() {
            return Ok(());
        }
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        tx.execute("DELETE FROM consents", params![]).await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }
}
