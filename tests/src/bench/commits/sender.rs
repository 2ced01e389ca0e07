//! A holder of one chain that fetches nothing and commits page after page.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Result, bail};
use followlytics_core::{
    layout,
    page::sha256,
    wire::{Held, Permit, Step},
};
use followlytics_platforms::clock::{Clock as _, SystemClock};
use followlytics_store::{
    db::Db,
    ledger::{Claimed, Ledger, NewPage, Sandbox},
};
use jiff::Timestamp;

use crate::bench::chain::{self, ROWS};

/// Names are numbers of 18 digits, because pgbench has no other variables that differ between its clients.
pub(super) const SCAN: u64 = 100_000_000_000_000_000;
pub(super) const CREDENTIAL: u64 = 200_000_000_000_000_000;
pub(super) const HOLDER: u64 = 300_000_000_000_000_000;
/// What pgbench's clients find as their first permits.
pub(super) const PERMIT: u64 = 400_000_000_000_000_000;
const CURSOR: u64 = 500_000_000_000_000_000;

/// A ledger of one database, whose permits have names without order. Copies of a database go on with its `count`.
pub(super) async fn open(url: &str, count: &Arc<AtomicU64>) -> Result<Ledger> {
    let db = Db::connect(url).await?;
    let count = Arc::clone(count);
    let ids = move || spread(count.fetch_add(1, Ordering::Relaxed)).to_string();
    Ok(Ledger::new(db, Arc::new(|| SystemClock.now()), Arc::new(ids)))
}

/// A number of 18 digits from 6 on, without order.
fn spread(number: u64) -> u64 {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    600_000_000_000_000_000 + (state ^ (state >> 31)) % 400_000_000_000_000_000
}

/// What was different in one commit.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) seq: u32,
    pub(super) permit: String,
    pub(super) next: String,
    /// When the permit was granted.
    pub(super) before: Timestamp,
    /// The commit's own time.
    pub(super) now: Timestamp,
}

#[derive(Clone)]
pub(super) struct Sender {
    sandbox: Sandbox,
    held: Held,
    next: Permit,
    account: String,
    sha256: String,
}

impl Sender {
    /// Looks the account up and claims its chain.
    pub(super) async fn start(ledger: &Ledger, number: u32) -> Result<Self> {
        let mut scan = chain::scan(usize::try_from(number)?)?;
        scan.uid = (SCAN + u64::from(number)).to_string();
        scan.credential = (CREDENTIAL + u64::from(number)).to_string();
        ledger.ensure_scan(&scan).await?;
        let holder = (HOLDER + u64::from(number)).to_string();
        let sandbox = Sandbox {
            uid: holder.clone(),
            name: holder,
            scan: scan.uid,
            tab: 0,
            sent: None,
        };
        let (held, lookup) = claim(ledger, &sandbox).await?;
        let account = number.to_string();
        let found = chain::found(held, lookup.id, &account)?;
        ledger.record_finding(&sandbox, &found).await?;
        let (held, next) = claim(ledger, &sandbox).await?;
        Ok(Self {
            sandbox,
            held,
            next,
            sha256: sha256(account.as_bytes()),
            account,
        })
    }

    /// Commits pages until then; how many.
    pub(super) async fn run(mut self, ledger: Arc<Ledger>, until: Timestamp) -> Result<u32> {
        let mut commits = 0;
        while SystemClock.now() < until {
            self.commit(&ledger).await?;
            commits += 1;
        }
        Ok(commits)
    }

    pub(super) async fn commit(&mut self, ledger: &Ledger) -> Result<Commit> {
        let reply = ledger.commit_page(&self.sandbox, &self.page()).await?;
        let Step::Permit(next) = reply.step else {
            bail!("no further page was granted: {:?}", reply.step)
        };
        let before = std::mem::replace(&mut self.next, next);
        Ok(Commit {
            seq: before.seq,
            permit: before.id,
            next: self.next.id.clone(),
            before: before.seen_at,
            now: self.next.seen_at,
        })
    }

    fn page(&self) -> NewPage {
        let (Held { range, epoch }, seq) = (self.held, self.next.seq);
        let cursor = (CURSOR + u64::from(seq) + 1).to_string();
        let scan = &self.sandbox.scan;
        NewPage {
            header: chain::header(scan, &self.account, self.held, &self.next, cursor),
            lines: i64::from(ROWS),
            bytes: 100_000,
            key: layout::page(scan, range, epoch, seq, &self.sha256),
            sha256: self.sha256.clone(),
            met: false,
            again: 0,
            told: None,
        }
    }
}

async fn claim(ledger: &Ledger, sandbox: &Sandbox) -> Result<(Held, Permit)> {
    let Claimed::Range { held, .. } = ledger.claim(sandbox).await? else {
        bail!("no range was claimed")
    };
    let Step::Permit(permit) = ledger.open_lease(sandbox, held).await?.step else {
        bail!("no request was granted")
    };
    Ok((held, permit))
}
