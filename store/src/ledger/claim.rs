//! Claims: a sandbox asks for work and gets a lease.

use followlytics_core::{
    mutants::{self, Mutant},
    scan::{
        lease::{self, Claim},
        plan::Plan,
        range::{Range, RangeId},
        source::Source,
        split,
        summary::Stage,
    },
    wire::{Held, Lease, MOST_TABS, Mode, Release},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Ledger, LedgerError, Sandbox, ScanRow,
    permits::{self, PermitRow, PermitState},
    ranges, scans,
    step::save,
};
use crate::{db::Tx, params};

/// A page object that an earlier holder may have left behind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// Epoch of the lease it was fetched under.
    pub epoch: u64,
    /// Its number.
    pub seq: u32,
}

/// What a claim brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// A lease. Its orphans are looked for and adopted before [`Ledger::open_lease`].
    Range {
        /// The range and its epoch.
        held: Held,
        /// Unsettled permits of earlier holders.
        orphans: Vec<Orphan>,
    },
    /// Nothing now.
    Wait {
        /// Milliseconds until the next claim.
        wait_ms: i64,
        /// Why.
        reason: String,
    },
    /// The scan needs this sandbox no more.
    Finished,
}

/// Longest a sandbox is kept waiting; beyond it the sandbox is given back.
const KEEP: SignedDuration = SignedDuration::from_secs(60);
/// How long one waits that has nothing to do while others have.
const OTHERS: SignedDuration = SignedDuration::from_secs(1);
/// How long a sandbox waits while another one resolves the account.
const RESOLVING: SignedDuration = SignedDuration::from_millis(100);

impl Ledger {
    /// Gives the sandbox a range of its scan. Raises the range's epoch before anybody hears of it.
    pub async fn claim(&self, sandbox: &Sandbox) -> Result<Claimed, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let now = self.now_in(&tx);
        let Some(mut scan) = scans::find(&mut tx, &sandbox.scan).await? else {
            return Ok(Claimed::Finished);
        };
        if scan.mode(now) != Mode::Run || !matches!(scan.stage, Stage::Resolving | Stage::Scanning) {
            return Ok(Claimed::Finished);
        }
        let all = ranges::open(&mut tx, &sandbox.scan).await?;
        let serves = serves(sandbox, &all, now);
        let holder = sandbox.holder();
        let is_mine = |range: &Range| range.is_held(now) && range.holder.as_deref() == Some(&holder);
        // The answer of an earlier claim may be lost: whoever holds a range hears of it before it gets another one, also
        // where it can only wait there or give it back.
        let (waiting, open): (Vec<Range>, Vec<Range>) = all.into_iter().partition(|range| {
            let is_held_back = scan.held(range.source, now).is_some();
            is_held_back && (!is_mine(range) || mutants::on(Mutant::ClaimAnsweredTwice))
        });
        let mut mine: Vec<Range> = open
            .iter()
            .filter(|range| serves(range.source))
            .cloned()
            .collect();
        if mine.is_empty() {
            // A tab that has nothing to do asks again by itself, as long as its sandbox works.
            let others = if sandbox.tab > 0 { &[][..] } else { &open };
            return Ok(held_back(&scan, others, &waiting, now));
        }
        // What a tab cannot read goes first: tabs read the rest.
        let is_free = |range: &Range| range.source == Source::Api && !range.is_held(now) && range.is_due(now);
        if mine.iter().any(is_free) && !mine.iter().any(is_mine) {
            mine.retain(|range| range.source == Source::Api);
        }
        let splittable = scan.plan.as_ref().is_some_and(Plan::is_splittable);
        // Where ranges may be split at all, they are of one source.
        scan.source = mine.first().map(|range| range.source).unwrap_or_default();
        let mut claim = lease::claim(&mine, &holder, scan.grain(), now);
        if matches!(claim, Claim::Split(..)) && !splittable {
            claim = Claim::Wait(now.saturating_add(KEEP).unwrap_or(now));
        } else if splittable && matches!(claim, Claim::Split(..) | Claim::Wait(_)) {
            // What was read shows how densely rows lie beside what is not.
            mine = ranges::all(&mut tx, &sandbox.scan).await?;
            mine.retain(|range| range.source == scan.source);
            claim = lease::claim(&mine, &holder, scan.grain(), now);
        }
        let (index, cut) = match claim {
            Claim::Nothing => return Ok(Claimed::Finished),
            Claim::Wait(until) => return Ok(wait(&scan, until, now)),
            Claim::Keep(index) => {
                let Some(range) = mine.get_mut(index) else {
                    return Ok(Claimed::Finished);
                };
                lease::extend(range, now);
                ranges::put(&mut tx, &sandbox.scan, range).await?;
                // The answer of the first claim may be lost, and with it the adoption.
                let orphans = orphans(&mut tx, &sandbox.scan, range).await?;
                let held = held(range);
                tx.commit().await?;
                return Ok(Claimed::Range { held, orphans });
            }
            Claim::Take(index) => (index, None),
            Claim::Split(index, cut) => (index, Some(cut)),
        };
        let Some(range) = mine.get_mut(index) else {
            return Ok(Claimed::Finished);
        };
        let taken = match cut {
            None => range.clone(),
            Some(cut) => split(&mut tx, &mut scan, range, &cut).await?,
        };
        let claimed = self.lease_to(&mut tx, &scan, taken, sandbox, now).await?;
        scans::put(&mut tx, &scan).await?;
        tx.commit().await?;
        self.notify();
        Ok(claimed)
    }

    async fn lease_to(
        &self,
        tx: &mut Tx,
        scan: &ScanRow,
        mut range: Range,
        sandbox: &Sandbox,
        now: Timestamp,
    ) -> Result<Claimed, LedgerError> {
        lease::grant(&mut range, &sandbox.holder(), now);
        let orphans = orphans(tx, &sandbox.scan, &range).await?;
        // A page that is adopted brings a token of the credential that it was requested by.
        let may_keep = range.keeps_terms() || range.is_chain() && !orphans.is_empty();
        if range.terms.is_none() || !may_keep {
            range.terms = Some(scan.request.terms_of(range.source));
        }
        ranges::put(tx, &sandbox.scan, &range).await?;
        Ok(Claimed::Range {
            held: held(&range),
            orphans,
        })
    }

    /// The lease as its holder hears of it, with the first step.
    pub async fn open_lease(&self, sandbox: &Sandbox, held: Held) -> Result<Lease, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let (mut scan, mut range) = current(&mut tx, sandbox, held).await?;
        let open = permits::find_open(&mut tx, &scan.request.uid, &range).await?;
        let now = self.lock_credential(&mut tx, &scan, open.as_ref()).await?;
        // Nothing was adopted. The lease begins again under its new terms: a late copy of this claim may find the first one
        // in use.
        if open.is_none() && range.has_outdated_terms(&scan.request) {
            lease::grant(&mut range, &sandbox.holder(), now);
            range.terms = Some(scan.request.terms_of(range.source));
        }
        let step = self
            .next_step(&mut tx, &mut scan, &mut range, (sandbox.sent_at(), now))
            .await?;
        save(tx, &scan, &range).await?;
        let page_rows = scan.page_rows();
        Ok(Lease {
            range: range.id,
            epoch: range.epoch,
            kind: range.kind,
            heartbeat_ms: permits::ms(lease::HEARTBEAT),
            account_id: scan.report.as_ref().map(|report| report.id.clone()),
            source: range.source,
            tabs: if scan.request.browser.is_some() {
                MOST_TABS
            } else {
                0
            },
            base_url: scan.request.base_url_of(range.source).to_owned(),
            auth: scan.auth(),
            account: scan.request.account,
            token: None,
            page_rows,
            walk: range.walk,
            span: range.span,
            place: range.place,
            scan: scan.request.uid,
            step,
        })
    }

    /// Takes a lease back, and a permit whose request never started.
    pub async fn release(&self, sandbox: &Sandbox, release: &Release) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let (mut scan, mut range) = match current(&mut tx, sandbox, release.held).await {
            Err(LedgerError::Fenced) => {
                self.return_late(tx, sandbox, release).await?;
                return Err(LedgerError::Fenced);
            }
            current => current?,
        };
        let unused = permits::find(&mut tx, &sandbox.scan, release.unused.as_deref()).await?;
        if unused
            .as_ref()
            .is_some_and(|unused| unused.is_newer_than(sandbox.sent_at()))
        {
            // It was handed out again since, and may be in use.
            return Ok(());
        }
        let now = self.lock_credential(&mut tx, &scan, unused.as_ref()).await?;
        if let Some(unused) = &unused {
            permits::return_unused(&mut tx, &mut scan, &range, unused, now).await?;
        }
        lease::give_back(&mut range);
        save(tx, &scan, &range).await?;
        self.notify();
        Ok(())
    }

    /// Takes back the unused permit of a holder that lost its lease; nothing else is changed by it.
    pub(super) async fn return_late(
        &self,
        mut tx: Tx,
        sandbox: &Sandbox,
        release: &Release,
    ) -> Result<(), LedgerError> {
        let (Some(mut scan), Some(unused)) = (scans::find(&mut tx, &sandbox.scan).await?, &release.unused)
        else {
            return Ok(());
        };
        let unused = permits::get(&mut tx, &sandbox.scan, unused).await?;
        if unused.is_newer_than(sandbox.sent_at()) || mutants::on(Mutant::LatePermitKept) {
            return Ok(());
        }
        let now = self.lock_credential(&mut tx, &scan, Some(&unused)).await?;
        permits::return_late(&mut tx, &mut scan, release.held, &unused, now).await?;
        scans::put(&mut tx, &scan).await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }
}

/// Cuts a range, and returns the part that its holder loses.
async fn split(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    cut: &split::Cut,
) -> Result<Range, LedgerError> {
    let uid = &scan.request.uid;
    let taken = range.split_off(next_id(tx, uid).await?, cut);
    ranges::put(tx, uid, range).await?;
    scan.requests.splits += 1;
    Ok(taken)
}

/// Permits of earlier holders whose outcome is not known: their pages may lie in the object store.
async fn orphans(tx: &mut Tx, scan: &str, range: &Range) -> Result<Vec<Orphan>, LedgerError> {
    let unsettled = permits::unsettled(tx, scan, range.id, range.seq, "").await?;
    let is_earlier = |permit: &PermitRow| {
        permit.epoch < range.epoch
            && !(mutants::on(Mutant::LastEpochAdopted) && permit.epoch + 1 < range.epoch)
            && !(mutants::on(Mutant::OpenPermitsAdopted) && permit.state != PermitState::Open)
    };
    Ok(unsettled
        .into_iter()
        .filter(is_earlier)
        .map(|permit| Orphan {
            epoch: permit.epoch,
            seq: permit.seq,
        })
        .collect())
}

/// Which sources this caller may read from now. A web session is one browser's at a time: more would only share its
/// few slots, and look like nobody's. A tab of a browser reads from nowhere else.
fn serves(sandbox: &Sandbox, open: &[Range], now: Timestamp) -> impl Fn(Source) -> bool + use<> {
    let holder = open
        .iter()
        .filter(|range| range.source == Source::Browser && range.is_held(now))
        .find_map(|range| range.holder.as_deref());
    let has_browser = holder.is_none_or(|holder| sandbox.is_holder(holder));
    let is_tab = sandbox.tab > 0;
    move |source| match source {
        Source::Api => !is_tab,
        Source::Browser => has_browser,
    }
}

/// Nothing can be read now: others do, or the first hold that ends soon is waited for.
fn held_back(scan: &ScanRow, open: &[Range], waiting: &[Range], now: Timestamp) -> Claimed {
    if !open.is_empty() {
        return wait(scan, now.saturating_add(OTHERS).unwrap_or(now), now);
    }
    let soon = waiting
        .iter()
        .filter_map(|range| scan.held(range.source, now))
        .filter_map(|hold| Some((hold.until?, &hold.reason)))
        .filter(|(until, _)| now.duration_until(*until) <= KEEP)
        .min();
    soon.map_or(Claimed::Finished, |(until, reason)| Claimed::Wait {
        wait_ms: permits::ms_until(now, until),
        reason: reason.clone(),
    })
}

/// The scan and the range, if the sandbox's lease is current.
pub(super) async fn current(
    tx: &mut Tx,
    sandbox: &Sandbox,
    held: Held,
) -> Result<(ScanRow, Range), LedgerError> {
    let mut scan = scans::find(tx, &sandbox.scan).await?.ok_or(LedgerError::Fenced)?;
    let range = ranges::get(tx, &sandbox.scan, held.range).await?;
    scan.turn_to(&range);
    if !lease::is_current(&range, &sandbox.holder(), held.epoch) {
        return Err(LedgerError::Fenced);
    }
    Ok((scan, range))
}

/// The next free number of a range.
pub(super) async fn next_id(tx: &mut Tx, scan: &str) -> Result<RangeId, LedgerError> {
    let row = tx
        .find("SELECT MAX(id) FROM ranges WHERE scan = $1", params![scan])
        .await?;
    let largest: Option<u32> = row.map(|row| row.get(0)).transpose()?.flatten();
    Ok(largest.map_or(0, |id| id + 1))
}

fn held(range: &Range) -> Held {
    Held {
        range: range.id,
        epoch: range.epoch,
    }
}

fn wait(scan: &ScanRow, until: Timestamp, now: Timestamp) -> Claimed {
    if now.duration_until(until) > KEEP {
        return Claimed::Finished;
    }
    // While the account is looked up there is nothing to split, but there soon will be.
    let until = if scan.stage == Stage::Resolving {
        now.saturating_add(RESOLVING).unwrap_or(until)
    } else {
        until
    };
    Claimed::Wait {
        wait_ms: permits::ms_until(now, until),
        reason: "RunnerIdle".to_owned(),
    }
}
