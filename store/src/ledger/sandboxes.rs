//! Sandboxes as the broker knows them: a token's hash, and the scan it may work for.

use followlytics_core::{
    clock::TOLERANCE,
    page::sha256,
    scan::{lease, window::Told},
};
use jiff::{SignedDuration, Timestamp};

use super::{Ledger, LedgerError, permits::ms};
use crate::{
    db::{Row, Scope, Tx},
    params,
};

/// Which sandbox a token is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxIdentity {
    /// Uid of the Sandbox object.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Uid of the Scan it works for.
    pub scan_uid: String,
}

/// A sandbox that showed its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// Uid of the Sandbox object.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Uid of the Scan it works for.
    pub scan: String,
    /// Which tab of its browser calls; 0 = the sandbox itself.
    pub tab: u32,
    /// When it sent the request that is being served; `None` if it did not say.
    pub sent: Option<Sent>,
}

/// What the broker knows of a sandbox that reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// When it first did.
    pub first: Timestamp,
    /// By how much its clock is ahead of the ledger's ([`Ledger::now`]); `None` if it did not say.
    pub clock_ahead: Option<SignedDuration>,
}

/// When a request was sent, by two clocks that may disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The sender's clock when it sent the request.
    pub at: Timestamp,
    /// The ledger's clock ([`Ledger::now`]) when the request arrived.
    pub arrived: Timestamp,
}

impl Sandbox {
    /// Under which name it holds a lease: each tab holds one of its own.
    pub(super) fn holder(&self) -> String {
        lease::holder(&self.uid, self.tab)
    }

    /// What the caller read by its own clock, by the clock that shows `now` in this transaction.
    pub(super) fn translate(&self, told: Option<Told>, ledger: &Ledger, now: Timestamp) -> Option<Told> {
        let (told, Some(sent)) = (told?, self.sent) else {
            return told;
        };
        // Between arrival and transaction it may have waited for locks.
        let waited = ledger
            .now()
            .duration_since(sent.arrived)
            .max(SignedDuration::ZERO);
        let arrived = now.saturating_sub(waited).unwrap_or(now);
        Some(told.moved(arrived.duration_since(sent.at)))
    }

    /// The caller's clock when it sent its request.
    pub(super) fn sent_at(&self) -> Option<Timestamp> {
        self.sent.map(|sent| sent.at)
    }

    /// Whether a lease's holder is this sandbox or one of its tabs.
    pub(super) fn is_holder(&self, holder: &str) -> bool {
        lease::is_held_by(holder, &self.uid)
    }
}

impl Ledger {
    /// A new token for the sandbox; an earlier one is void. Only its hash is kept.
    pub async fn issue_sandbox_token(&self, identity: &SandboxIdentity) -> Result<String, LedgerError> {
        // Whoever had the earlier token may have started requests under its leases: the next claim needs a new epoch.
        self.release_sandbox(&identity.uid).await?;
        let token = format!("{}{}", (self.ids)(), (self.ids)()).replace('-', "");
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        tx.execute(
            "INSERT INTO sandboxes (uid, name, scan, token_sha256, issued_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (uid) DO UPDATE SET token_sha256 = $4, issued_at = $5, seen_at = NULL",
            params![
                &identity.uid,
                &identity.name,
                &identity.scan_uid,
                sha256(token.as_bytes()),
                now,
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// The sandbox that a token was issued for. The look-up is by hash: its time says nothing of the token.
    pub async fn find_sandbox(
        &self,
        token: &str,
        sent: Option<Sent>,
    ) -> Result<Option<Sandbox>, LedgerError> {
        let sql = "SELECT uid, name, scan, seen_at, skew_ms FROM sandboxes WHERE token_sha256 = $1";
        let row = self.db.find(sql, params![sha256(token.as_bytes())]).await?;
        let Some(row) = row else { return Ok(None) };
        let sandbox = Sandbox { sent, ..read(&row)? };
        let (seen, known): (Option<Timestamp>, Option<i64>) = (row.get(3)?, row.get(4)?);
        let ahead = sent.map(|sent| ms(sent.at.duration_since(sent.arrived)));
        let tolerance = ms(TOLERANCE).unsigned_abs();
        let is_news = ahead.is_some_and(|ahead| known.is_none_or(|known| known.abs_diff(ahead) >= tolerance));
        if seen.is_none() || is_news {
            let mut tx = self.db.begin_within(Scope::Rows).await?;
            let now = self.now_in(&tx);
            let sql = "UPDATE sandboxes SET seen_at = COALESCE(seen_at, $2), skew_ms = COALESCE($3, skew_ms) \
                       WHERE uid = $1";
            tx.execute(sql, params![&sandbox.uid, now, ahead]).await?;
            tx.commit().await?;
            self.notify();
        }
        Ok(Some(sandbox))
    }

    /// What the broker knows of the sandbox; `None` before it first reached the broker.
    pub async fn sandbox_contact(&self, uid: &str) -> Result<Option<Contact>, LedgerError> {
        let sql = "SELECT seen_at, skew_ms FROM sandboxes WHERE uid = $1 AND seen_at IS NOT NULL";
        let row = self.db.find(sql, params![uid]).await?;
        row.map(|row| {
            Ok(Contact {
                first: row.get(0)?,
                clock_ahead: row.get::<Option<i64>>(1)?.map(SignedDuration::from_millis),
            })
        })
        .transpose()
    }

    /// Makes the sandbox's token void and gives its leases back.
    pub async fn revoke_sandbox(&self, uid: &str) -> Result<(), LedgerError> {
        self.release_sandbox(uid).await?;
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        tx.execute("DELETE FROM sandboxes WHERE uid = $1", params![uid])
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(super) async fn find(tx: &mut Tx, uid: &str) -> Result<Option<Sandbox>, LedgerError> {
    tx.find(
        "SELECT uid, name, scan FROM sandboxes WHERE uid = $1",
        params![uid],
    )
    .await?
    .as_ref()
    .map(read)
    .transpose()
}

fn read(row: &Row) -> Result<Sandbox, LedgerError> {
    Ok(Sandbox {
        uid: row.get(0)?,
        name: row.get(1)?,
        scan: row.get(2)?,
        tab: 0,
        sent: None,
    })
}
