//! The ledger: scans, ranges, leases, permits, pages, windows, money.
//!
//! ## What do we store?
//! Everything a scan needs to go on after any crash. A page is durable as an object *before* its row names
//! it; a dollar is reserved *before* its request starts; a lease's epoch is raised *before* its holder hears
//! of it. Each method is one transaction: it reads rows, lets `core` decide, writes what it said, and is alone
//! in what it decides by (`db/scope.rs`): mostly one scan, sometimes its credential, rarely the whole ledger.
//! Calling a method again after a lost answer changes nothing and answers the same.

mod claim;
mod commit;
mod consents;
mod credentials;
mod cursors;
mod erasures;
mod error;
mod failed;
mod fallback;
mod found;
mod heartbeat;
mod holds;
mod jobs;
mod locks;
mod lone;
mod meetings;
mod months;
mod permits;
mod ranges;
mod restart;
mod results;
mod sandboxes;
mod scans;
mod shards;
mod share;
mod step;
mod strays;
mod summary;
mod windows;

use std::{collections::BTreeSet, sync::Arc};

use followlytics_core::mutants::{self, Mutant};
use jiff::Timestamp;
use tokio::sync::watch;

pub use followlytics_core::scan::request::ScanRequest;

pub use claim::{Claimed, Orphan};
pub use commit::NewPage;
pub use credentials::{CredentialUse, WindowUse};
pub use error::{Class, LedgerError};
pub use jobs::{Job, JobKind, Retry};
pub use locks::LockTaken;
pub use meetings::{Meeting, Sides};
pub use permits::PermitState;
pub use results::{Account, MergeInput, NewResult, PageRow};
pub use sandboxes::{Contact, Sandbox, SandboxIdentity, Sent};
pub use scans::ScanRow;
pub use shards::{NewRun, OpenRun, PagesOfRange, Run, Shard, Span};

use crate::db::{Db, DbError, Key, Scope, Tx};

/// Where the ledger takes the time from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Where the ledger takes new names from.
pub type Ids = Arc<dyn Fn() -> String + Send + Sync>;

/// The ledger; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    db: Db,
    clock: Clock,
    ids: Ids,
    changes: watch::Sender<u64>,
}

impl Ledger {
    /// A ledger in this database.
    pub fn new(db: Db, clock: Clock, ids: Ids) -> Self {
        Self {
            db,
            clock,
            ids,
            changes: watch::Sender::new(0),
        }
    }

    /// The monitor that observes the ledger's database and the objects beside it.
    pub fn monitor(&self) -> Option<&crate::health::Monitor> {
        self.db.monitor()
    }

    /// A number that grows with every change made through this value; a hint, polled as a floor.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Says that another process may have changed something: its changes are not announced by themselves.
    pub fn announce_changes(&self) {
        self.notify();
    }

    pub(crate) fn notify(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Starts a transaction that is alone in one scan.
    pub(crate) async fn begin_scan(&self, uid: &str) -> Result<Tx, DbError> {
        self.db.begin_within(Scope::Scan(uid)).await
    }

    /// Makes the transaction alone in the credentials of the scan and of this permit: windows, months, shares. What
    /// it answers is the time from then on. Before the first write, or two transactions wait for each other.
    pub(in crate::ledger) async fn lock_credential(
        &self,
        tx: &mut Tx,
        scan: &ScanRow,
        permit: Option<&permits::PermitRow>,
    ) -> Result<Timestamp, DbError> {
        // Without a window or a month nothing is shared: scans of an open server need not wait for each other.
        let own = (!scan.rules().is_empty() || scan.monthly_budget().is_some()).then(|| scan.credential());
        // A permit may be another credential's, of before an edit. In one order, or two transactions wait for each other.
        let other = permit.map(|permit| permit.credential.as_str());
        let names: BTreeSet<&str> = own
            .into_iter()
            .chain(other.filter(|other| *other != scan.credential()))
            .collect();
        for name in names
            .into_iter()
            .filter(|_| !mutants::on(Mutant::CredentialUnlocked))
        {
            tx.lock(Key::Credential(name)).await?;
        }
        Ok(self.now_in(tx))
    }

    /// The time of a transaction: PostgreSQL's own, read after its locks were taken, so that processes whose
    /// clocks differ agree on which lease has run out; with SQLite the ledger's clock.
    pub(crate) fn now_in(&self, tx: &Tx) -> Timestamp {
        tx.time().unwrap_or_else(|| self.now())
    }

    /// The time by the ledger's clock, in whole microseconds; outside of a transaction.
    pub fn now(&self) -> Timestamp {
        // Whole microseconds, as every column keeps them: a time that is written and read back is equal.
        let now = (self.clock)();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests;
