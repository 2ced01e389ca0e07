//! Heartbeats: the holder is alive; the answer carries what changed meanwhile.

use followlytics_core::{
    mutants::{self, Mutant},
    scan::lease,
    wire::{Beat, Held},
};

use super::{Ledger, LedgerError, Sandbox, claim, ranges};

impl Ledger {
    /// Extends the lease.
    pub async fn heartbeat(&self, sandbox: &Sandbox, held: Held) -> Result<Beat, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let now = self.now_in(&tx);
        let (scan, mut range) = claim::current(&mut tx, sandbox, held).await?;
        if !mutants::on(Mutant::HeartbeatIgnored) {
            lease::extend(&mut range, now);
        }
        ranges::put(&mut tx, &sandbox.scan, &range).await?;
        tx.commit().await?;
        Ok(Beat {
            span: range.span.filter(|_| !mutants::on(Mutant::EndNotAnswered)),
            mode: scan.mode(now),
        })
    }
}
