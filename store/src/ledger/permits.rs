//! Permits as rows: granted before a request, settled after it, ambiguous when no outcome comes.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    platform::Family,
    scan::{
        permit::{self, Ask, Purse},
        plan,
        range::{Kind, Place, Range, State},
        summary::Stage,
        window::Slot,
    },
    wire::{Mode, Permit, Step},
};
use jiff::{SignedDuration, Timestamp};
use strum::{Display, EnumString, IntoStaticStr};

use super::{Ledger, LedgerError, ScanRow, fallback, found, holds, months, ranges, windows};
use crate::{
    db::{Row, Tx},
    params,
};

/// Where a permit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
pub enum PermitState {
    /// Its request may be under way.
    Open,
    /// Paid for what was returned.
    Settled,
    /// Never started: slot and dollars are free again.
    Returned,
    /// Its request failed without a charge; the slot stays used.
    Failed,
    /// No outcome came: perhaps charged, never billed.
    Ambiguous,
}

/// A permit, as the ledger keeps it.
#[derive(Debug, Clone)]
pub(super) struct PermitRow {
    pub(super) id: String,
    pub(super) range: u32,
    pub(super) epoch: u64,
    pub(super) seq: u32,
    pub(super) family: Family,
    pub(super) place: Place,
    pub(super) max_rows: u32,
    pub(super) price: Usd,
    pub(super) state: PermitState,
    pub(super) granted_at: Timestamp,
    pub(super) start_by: Timestamp,
    pub(super) settle_by: Timestamp,
}

const COLUMNS: &str = "id, range_id, epoch, seq, family, position, cursor, max_rows, price, state, granted_at, start_by, settle_by";

/// How long a runner is told to wait on something only a person can change.
const PERSON: SignedDuration = SignedDuration::from_mins(10);

impl Ledger {
    /// What the holder of a range does next; grants the permit if it is a request.
    pub(super) async fn next_step(
        &self,
        tx: &mut Tx,
        scan: &mut ScanRow,
        range: &mut Range,
        now: Timestamp,
    ) -> Result<Step, LedgerError> {
        match scan.request.mode {
            Mode::Suspend if !mutants::on(Mutant::SuspendIgnored) => return Ok(Step::Suspend),
            Mode::Cancel => return Ok(Step::Cancel),
            Mode::Run | Mode::Suspend => {}
        }
        let over = range.state != State::Open || range.holder.is_none();
        if !matches!(scan.stage, Stage::Resolving | Stage::Scanning) || over {
            return Ok(Step::Done);
        }
        if super::meetings::is_needless(tx, scan, range, now).await? {
            return Ok(Step::Done);
        }
        if let Some(hold) = scan.held(scan.source, now) {
            let until = hold.until.unwrap_or_else(|| later(now, PERSON));
            return Ok(Step::Wait {
                until,
                reason: hold.reason.clone(),
                held: true,
            });
        }
        if let Some(until) = range.not_before.filter(|at| *at > now) {
            return Ok(Step::Wait {
                until,
                reason: "Retry".to_owned(),
                held: false,
            });
        }
        if let Some(open) = find_open(tx, &scan.request.uid, range).await? {
            return Ok(Step::Permit(open.to_wire()));
        }
        sweep(tx, scan, now).await?;
        self.grant(tx, scan, range, now).await
    }

    async fn grant(
        &self,
        tx: &mut Tx,
        scan: &mut ScanRow,
        range: &mut Range,
        now: Timestamp,
    ) -> Result<Step, LedgerError> {
        let Some((family, place)) = request_of(scan, range, now) else {
            // Not only after the last finding: the scan may have been suspended just then.
            found::finish(tx, scan, range, now).await?;
            return Ok(Step::Done);
        };
        let month = months::month(tx, scan, now).await?;
        let (max_rows, price) = match asked(scan, range, family, &months::purse(scan, month)) {
            Ask::Rows { rows, .. } if mutants::on(Mutant::NothingReserved) => (rows, Usd::ZERO),
            Ask::Rows { rows, price } => (rows, price),
            Ask::Exhausted => {
                if months::is_short(scan, month) {
                    months::exhaust(scan, now);
                } else {
                    holds::exhaust(scan);
                }
                fallback::fall_back(tx, scan, range, now).await?;
                let reason = scan
                    .hold_mut()
                    .as_ref()
                    .map(|hold| hold.reason.clone())
                    .unwrap_or_default();
                return Ok(Step::Wait {
                    until: later(now, PERSON),
                    reason,
                    held: true,
                });
            }
        };
        let start_by = match windows::slot(tx, scan, family, now).await? {
            Slot::Free { start_by } => start_by,
            Slot::Full { until } => {
                return Ok(Step::Wait {
                    until,
                    reason: "RateLimitWindow".to_owned(),
                    held: false,
                });
            }
        };
        let row = PermitRow {
            id: (self.ids)(),
            range: range.id,
            epoch: range.epoch,
            seq: range.seq,
            family,
            place,
            max_rows,
            price,
            state: PermitState::Open,
            granted_at: now,
            start_by,
            settle_by: permit::settle_by(start_by),
        };
        insert(tx, scan, &row).await?;
        scan.purse.reserved = scan.purse.reserved.plus(price);
        scan.started.get_or_insert(now);
        range.claimed = permit::claimed(range, scan.seek(), scan.page_rows(), scan.grain().floor);
        Ok(Step::Permit(row.to_wire()))
    }
}

impl PermitRow {
    fn to_wire(&self) -> Permit {
        Permit {
            id: self.id.clone(),
            seq: self.seq,
            family: self.family,
            place: self.place.clone(),
            max_rows: self.max_rows,
            start_by: self.start_by,
            settle_by: self.settle_by,
            seen_at: self.granted_at,
        }
    }
}

/// What the range's next request is.
fn request_of(scan: &ScanRow, range: &Range, now: Timestamp) -> Option<(Family, Place)> {
    match (range.kind, &scan.report) {
        (Kind::Resolve, None) => Some((Family::Lookup, Place::default())),
        (Kind::Resolve, Some(report)) => {
            let request = &scan.request;
            // The last probe's clock would move the places of the earlier ones: all look from the first request.
            let from = scan.started.unwrap_or(now);
            plan::probe_at(
                request.account.platform,
                report,
                &request.wishes,
                &scan.probes,
                from,
            )
            .map(|place| (Family::Followers, place))
        }
        (Kind::Listing | Kind::Seam, _) => Some((Family::Followers, range.place.clone())),
    }
}

fn asked(scan: &ScanRow, range: &Range, family: Family, purse: &Purse) -> Ask {
    let from = (range.source, scan.request.account.platform);
    match (family, range.kind) {
        (Family::Lookup, _) => permit::ask_lookup(from, purse),
        (Family::Followers, Kind::Resolve | Kind::Seam) => permit::ask(from, scan.page_rows(), 0, 0, purse),
        (Family::Followers, Kind::Listing) => {
            let cap = scan.plan.as_ref().map_or(0, |plan| plan.row_cap);
            permit::ask(from, scan.page_rows(), cap, range.rows, purse)
        }
    }
}

async fn insert(tx: &mut Tx, scan: &ScanRow, row: &PermitRow) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO permits (id, scan, range_id, epoch, seq, family, credential, position, cursor, max_rows, price, \
           state, granted_at, start_by, settle_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'Open', $12, $13, $14)",
        params![
            &row.id,
            &scan.request.uid,
            row.range,
            i64::try_from(row.epoch).unwrap_or(i64::MAX),
            row.seq,
            <&str>::from(row.family),
            scan.credential(),
            row.place.position,
            row.place.cursor.as_deref(),
            row.max_rows,
            row.price.nanos(),
            row.granted_at,
            row.start_by,
            row.settle_by,
        ],
    )
    .await?;
    Ok(())
}

/// The holder's own open permit for the range's next request.
async fn find_open(tx: &mut Tx, scan: &str, range: &Range) -> Result<Option<PermitRow>, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM permits WHERE scan = $1 AND range_id = $2 AND seq = $3 AND epoch = $4 AND state = 'Open'"
    );
    let epoch = i64::try_from(range.epoch).unwrap_or(i64::MAX);
    tx.find(&sql, params![scan, range.id, range.seq, epoch])
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// A permit of this scan by its name.
pub(super) async fn get(tx: &mut Tx, scan: &str, id: &str) -> Result<PermitRow, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM permits WHERE scan = $1 AND id = $2");
    let row = tx.find(&sql, params![scan, id]).await?;
    read(&row.ok_or_else(unknown)?)
}

fn unknown() -> LedgerError {
    LedgerError::invalid("permit: this scan granted no such permit")
}

/// A permit of this scan that was granted under the range's present lease.
pub(super) async fn get_current(
    tx: &mut Tx,
    scan: &str,
    range: &Range,
    id: &str,
) -> Result<PermitRow, LedgerError> {
    let permit = get(tx, scan, id).await?;
    if permit.range != range.id || permit.epoch != range.epoch {
        return Err(LedgerError::invalid("permit: it was granted for another request"));
    }
    Ok(permit)
}

/// Permits of a range and page whose outcome is not known, other than `except`.
pub(super) async fn unsettled(
    tx: &mut Tx,
    scan: &str,
    range: u32,
    seq: u32,
    except: &str,
) -> Result<Vec<PermitRow>, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM permits WHERE scan = $1 AND range_id = $2 AND seq = $3 AND id <> $4 \
           AND state IN ('Open', 'Ambiguous') ORDER BY granted_at, id"
    );
    tx.query(&sql, params![scan, range, seq, except])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Whether a request of this range may be under way.
pub(super) async fn is_under_way(tx: &mut Tx, scan: &str, range: u32) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM permits WHERE scan = $1 AND range_id = $2 AND state = 'Open'";
    Ok(tx.find(sql, params![scan, range]).await?.is_some())
}

/// Takes a permit back whose holder says that its request never started; one that was settled already stays so.
pub(super) async fn return_unused(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &Range,
    id: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let permit = get(tx, &scan.request.uid, id).await?;
    if permit.range != range.id || permit.epoch != range.epoch || permit.state != PermitState::Open {
        return Ok(());
    }
    settle(tx, scan, &permit, PermitState::Returned, Usd::ZERO).await?;
    windows::release(tx, scan, permit.family, permit.granted_at, now).await
}

/// Moves a permit to its final state and its dollars with it. `charged` counts only when it is settled.
pub(super) async fn settle(
    tx: &mut Tx,
    scan: &mut ScanRow,
    row: &PermitRow,
    state: PermitState,
    charged: Usd,
) -> Result<(), LedgerError> {
    let released = mutants::on(Mutant::AmbiguousReleased) && state == PermitState::Ambiguous;
    let state = if released { PermitState::Failed } else { state };
    let purse = &mut scan.purse;
    match row.state {
        PermitState::Open => purse.reserved = purse.reserved.minus(row.price),
        PermitState::Ambiguous => purse.ambiguous = purse.ambiguous.minus(row.price),
        PermitState::Settled | PermitState::Returned | PermitState::Failed => return Ok(()),
    }
    match state {
        PermitState::Settled => purse.spent = purse.spent.plus(charged),
        PermitState::Ambiguous => purse.ambiguous = purse.ambiguous.plus(row.price),
        PermitState::Open => purse.reserved = purse.reserved.plus(row.price),
        PermitState::Returned | PermitState::Failed => {}
    }
    tx.execute(
        "UPDATE permits SET state = $2 WHERE id = $1",
        params![&row.id, <&str>::from(state)],
    )
    .await?;
    Ok(())
}

/// One row of usage for a settled permit; a second one for the same permit is nothing.
pub(super) async fn charge(
    tx: &mut Tx,
    scan: &ScanRow,
    row: &PermitRow,
    lines: i64,
    price: Usd,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO usage (permit, scan, credential, kind, lines, price, at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (permit) DO NOTHING",
        params![
            &row.id,
            &scan.request.uid,
            scan.credential(),
            <&str>::from(row.family),
            lines,
            price.nanos(),
            now,
        ],
    )
    .await?;
    Ok(())
}

/// Permits of this scan past `settle_by`: their slot stays used, their dollars become ambiguous.
pub(super) async fn sweep(tx: &mut Tx, scan: &mut ScanRow, now: Timestamp) -> Result<bool, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM permits WHERE scan = $1 AND state = 'Open' AND settle_by <= $2 ORDER BY id"
    );
    let overdue = tx.query(&sql, params![&scan.request.uid, now]).await?;
    for row in &overdue {
        settle(tx, scan, &read(row)?, PermitState::Ambiguous, Usd::ZERO).await?;
        scan.requests.unanswered += 1;
    }
    Ok(!overdue.is_empty())
}

impl Ledger {
    /// When a permit of this scan was granted.
    pub async fn permit_granted_at(&self, scan: &str, id: &str) -> Result<Timestamp, LedgerError> {
        let sql = "SELECT granted_at FROM permits WHERE scan = $1 AND id = $2";
        let row = self.db.find(sql, params![scan, id]).await?;
        Ok(row.ok_or_else(unknown)?.get(0)?)
    }

    /// Settles what is overdue in every scan; called now and then, so that pauses become true by themselves.
    pub async fn sweep_permits(&self) -> Result<(), LedgerError> {
        let overdue = self.list_overdue().await?;
        for uid in &overdue {
            // Each scan by itself: none waits for another's.
            let mut tx = self.begin_scan(uid).await?;
            let Some(mut scan) = super::scans::find(&mut tx, uid).await? else {
                continue;
            };
            let now = self.now_in(&tx);
            sweep(&mut tx, &mut scan, now).await?;
            super::meetings::review(&mut tx, &mut scan, now).await?;
            super::scans::put(&mut tx, &scan).await?;
            tx.commit().await?;
        }
        if !overdue.is_empty() {
            self.notify();
        }
        Ok(())
    }

    /// Scans that have an open permit past its end.
    async fn list_overdue(&self) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        let sql = "SELECT DISTINCT scan FROM permits WHERE state = 'Open' AND settle_by <= $1 ORDER BY scan";
        let rows = tx.query(sql, params![now]).await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn read(row: &Row) -> Result<PermitRow, LedgerError> {
    Ok(PermitRow {
        id: row.get(0)?,
        range: row.get(1)?,
        epoch: row.get(2)?,
        seq: row.get(3)?,
        family: ranges::parse("permits.family", &row.get::<String>(4)?)?,
        place: Place {
            position: row.get(5)?,
            cursor: row.get(6)?,
        },
        max_rows: row.get(7)?,
        price: Usd::from_nanos(row.get(8)?),
        state: ranges::parse("permits.state", &row.get::<String>(9)?)?,
        granted_at: row.get(10)?,
        start_by: row.get(11)?,
        settle_by: row.get(12)?,
    })
}
