//! Permits as rows: granted before a request, settled after it, ambiguous when no outcome comes.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    platform::Family,
    scan::{
        permit::{SETTLE, START},
        range::{Place, Range},
    },
    wire::{Held, Permit},
};
use jiff::{SignedDuration, Timestamp};
use strum::{Display, EnumString, IntoStaticStr};

use super::{Ledger, LedgerError, ScanRow, holds, ranges, windows};
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
    /// The credential that it was granted with: settled, charged and released there, whatever the scan names by now.
    pub(super) credential: String,
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
    /// When its holder sent the request whose answer brought it last, by the holder's clock.
    pub(super) asked_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, range_id, epoch, seq, family, position, cursor, max_rows, price, state, granted_at, start_by, settle_by, credential, asked_at";

impl PermitRow {
    /// Whether a request that its holder sent at `sent` shows that no request was started with it: the holder sends one
    /// message at a time and reports what it started before it asks again, so it never received the permit. An earlier
    /// message, delivered late, shows nothing.
    pub(super) fn is_unused(&self, sent: Option<Timestamp>) -> bool {
        matches!((self.asked_at, sent), (Some(asked), Some(sent)) if sent > asked)
            || mutants::on(Mutant::UsedPermitReturned)
    }

    /// Whether a message that its holder sent at `sent` is older than the one whose answer brought it last: what that says
    /// of the permit may have changed since.
    pub(super) fn is_newer_than(&self, sent: Option<Timestamp>) -> bool {
        matches!((self.asked_at, sent), (Some(asked), Some(sent)) if sent < asked)
            && !mutants::on(Mutant::StaleMessageTaken)
    }

    /// As its holder hears of it at this instant.
    pub(super) fn to_wire(&self, now: Timestamp) -> Permit {
        Permit {
            id: self.id.clone(),
            seq: self.seq,
            family: self.family,
            place: self.place.clone(),
            max_rows: self.max_rows,
            // By a clock that was set back since it would be more.
            start_within_ms: ms_until(now, self.start_by).min(ms(START)),
            settle_within_ms: ms_until(now, self.settle_by).min(ms(START) + ms(SETTLE)),
            seen_at: self.granted_at,
        }
    }
}

/// Whole milliseconds of a duration.
pub(super) fn ms(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Whole milliseconds until an instant; 0 once it has passed.
pub(super) fn ms_until(now: Timestamp, instant: Timestamp) -> i64 {
    ms(instant.duration_since(now)).max(0)
}

/// Keeps a permit that is granted.
pub(super) async fn insert(tx: &mut Tx, scan: &ScanRow, row: &PermitRow) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO permits (id, scan, range_id, epoch, seq, family, credential, position, cursor, max_rows, price, \
           state, granted_at, start_by, settle_by, asked_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'Open', $12, $13, $14, $15)",
        params![
            &row.id,
            &scan.request.uid,
            row.range,
            i64::try_from(row.epoch).unwrap_or(i64::MAX),
            row.seq,
            <&str>::from(row.family),
            &row.credential,
            row.place.position,
            row.place.cursor.as_deref(),
            row.max_rows,
            row.price.nanos(),
            row.granted_at,
            row.start_by,
            row.settle_by,
            row.asked_at,
        ],
    )
    .await?;
    Ok(())
}

/// The holder's own open permit for the range's next request.
pub(super) async fn find_open(
    tx: &mut Tx,
    scan: &str,
    range: &Range,
) -> Result<Option<PermitRow>, LedgerError> {
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

/// Whether a page of this scan may be under way.
pub(super) async fn has_open_page(tx: &mut Tx, scan: &str) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM permits WHERE scan = $1 AND family = $2 AND state = 'Open' LIMIT 1";
    let row = tx
        .find(sql, params![scan, <&str>::from(Family::Followers)])
        .await?;
    Ok(row.is_some())
}

/// A permit of this scan by its name.
pub(super) async fn get(tx: &mut Tx, scan: &str, id: &str) -> Result<PermitRow, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM permits WHERE scan = $1 AND id = $2");
    let row = tx.find(&sql, params![scan, id]).await?;
    read(&row.ok_or_else(unknown)?)
}

/// The permit of this name, if one is named.
pub(super) async fn find(
    tx: &mut Tx,
    scan: &str,
    id: Option<&str>,
) -> Result<Option<PermitRow>, LedgerError> {
    match id {
        Some(id) => get(tx, scan, id).await.map(Some),
        None => Ok(None),
    }
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

/// Permits that nobody can use any more and whose outcome is still waited for: their holder is gone.
pub(super) async fn abandoned(tx: &mut Tx, scan: &str) -> Result<i64, LedgerError> {
    let sql = "SELECT COUNT(*) FROM permits p JOIN ranges r ON r.scan = p.scan AND r.id = p.range_id \
               WHERE p.scan = $1 AND p.state = 'Open' AND (r.epoch > p.epoch OR r.state <> 'Open')";
    let count = tx.find(sql, params![scan]).await?;
    Ok(count.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

/// A request whose outcome came after its permit had been counted as unanswered.
pub(super) fn answered_late(scan: &mut ScanRow, permit: &PermitRow) {
    if permit.state == PermitState::Ambiguous {
        scan.requests.unanswered = scan.requests.unanswered.saturating_sub(1).max(0);
    }
}

/// Whether a request of this range may be under way.
pub(super) async fn is_under_way(tx: &mut Tx, scan: &str, range: u32) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM permits WHERE scan = $1 AND range_id = $2 AND state = 'Open'";
    Ok(tx.find(sql, params![scan, range]).await?.is_some())
}

/// Notes that a permit which was not used is handed out again, in answer to a request sent at `sent`.
pub(super) async fn hand_out_again(
    tx: &mut Tx,
    row: &PermitRow,
    sent: Option<Timestamp>,
) -> Result<(), LedgerError> {
    if sent > row.asked_at {
        tx.execute(
            "UPDATE permits SET asked_at = $2 WHERE id = $1",
            params![&row.id, sent],
        )
        .await?;
    }
    Ok(())
}

/// Takes a permit back whose holder says that its request never started; one that was settled already stays so.
pub(super) async fn return_unused(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &Range,
    permit: &PermitRow,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if permit.range != range.id || permit.epoch != range.epoch || permit.state != PermitState::Open {
        return Ok(());
    }
    take_back(tx, scan, permit, now).await
}

/// Takes a permit back whose holder has lost its lease meanwhile, and says that its request never started.
pub(super) async fn return_late(
    tx: &mut Tx,
    scan: &mut ScanRow,
    held: Held,
    permit: &PermitRow,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let is_waited_for = matches!(permit.state, PermitState::Open | PermitState::Ambiguous);
    if permit.range != held.range || permit.epoch != held.epoch || !is_waited_for {
        return Ok(());
    }
    answered_late(scan, permit);
    take_back(tx, scan, permit, now).await
}

/// Frees the money and the slot of a permit whose request never started.
async fn take_back(
    tx: &mut Tx,
    scan: &mut ScanRow,
    permit: &PermitRow,
    now: Timestamp,
) -> Result<(), LedgerError> {
    settle(tx, scan, permit, PermitState::Returned, Usd::ZERO).await?;
    if mutants::on(Mutant::UnusedSlotKept) {
        return Ok(());
    }
    let credential = if mutants::on(Mutant::NamedSlotFreed) {
        scan.credential()
    } else {
        permit.credential.as_str()
    };
    let used = (credential, permit.family);
    windows::release(tx, scan, used, permit.granted_at, now).await
}

/// Moves a permit to its final state and its dollars with it. `charged` counts only when it is settled.
pub(super) async fn settle(
    tx: &mut Tx,
    scan: &mut ScanRow,
    row: &PermitRow,
    state: PermitState,
    charged: Usd,
) -> Result<(), LedgerError> {
    let before = scan.purse.left();
    close(tx, scan, row, state, charged).await?;
    holds::relieve(scan, before);
    Ok(())
}

async fn close(
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
        PermitState::Ambiguous if mutants::on(Mutant::AmbiguityKept) => {}
        PermitState::Ambiguous => purse.ambiguous = purse.ambiguous.minus(row.price),
        PermitState::Settled | PermitState::Returned | PermitState::Failed => return Ok(()),
    }
    match state {
        PermitState::Settled => purse.charge(row.price, charged),
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

/// Lowers the price of a permit to what its page costs, before the page is settled: the broker has counted the rows of
/// a page that cannot be stored, or that nobody may commit any more. Where its lease is gone, nobody reports it again:
/// its dollars are ambiguous at once, and it counts as unanswered until the page is adopted.
pub(super) async fn weigh(
    tx: &mut Tx,
    scan: &mut ScanRow,
    row: &PermitRow,
    charged: Usd,
    is_held: bool,
) -> Result<(), LedgerError> {
    let state = match row.state {
        PermitState::Open if !is_held => PermitState::Ambiguous,
        PermitState::Open | PermitState::Ambiguous => row.state,
        PermitState::Settled | PermitState::Returned | PermitState::Failed => return Ok(()),
    };
    if state != row.state {
        scan.requests.unanswered += 1;
    } else if row.price <= charged {
        // Sent again, and known.
        return Ok(());
    }
    let before = scan.purse.left();
    close(tx, scan, row, PermitState::Failed, Usd::ZERO).await?;
    let price = row.price.min(charged);
    match state {
        PermitState::Ambiguous => scan.purse.ambiguous = scan.purse.ambiguous.plus(price),
        _ => scan.purse.reserved = scan.purse.reserved.plus(price),
    }
    holds::relieve(scan, before);
    tx.execute(
        "UPDATE permits SET state = $2, price = $3 WHERE id = $1",
        params![&row.id, <&str>::from(state), price.nanos()],
    )
    .await?;
    Ok(())
}

/// One row of usage for a settled permit; a second one for the same permit is nothing. A page that arrives late was charged
/// while its permit was due: it counts in the month of then.
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
            if mutants::on(Mutant::NamedCredentialCharged) {
                scan.credential()
            } else {
                row.credential.as_str()
            },
            <&str>::from(row.family),
            lines,
            price.nanos(),
            now.min(row.settle_by),
        ],
    )
    .await?;
    Ok(())
}

/// What is past its end. What was granted in the future was granted by a clock that was set back since, and nobody knows
/// how long ago.
fn overdue() -> String {
    let end = if mutants::on(Mutant::AmbiguousAtStart) {
        "start_by"
    } else {
        "settle_by"
    };
    format!("state = 'Open' AND ({end} <= $1 OR granted_at > $2)")
}

fn soon(now: Timestamp) -> Timestamp {
    now.saturating_add(START).unwrap_or(now)
}

/// Permits of this scan past `settle_by`: their slot stays used, their dollars become ambiguous.
pub(super) async fn sweep(tx: &mut Tx, scan: &mut ScanRow, now: Timestamp) -> Result<bool, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM permits WHERE {} AND scan = $3 ORDER BY id",
        overdue()
    );
    let overdue = tx.query(&sql, params![now, soon(now), &scan.request.uid]).await?;
    for row in &overdue {
        settle(tx, scan, &read(row)?, PermitState::Ambiguous, Usd::ZERO).await?;
        scan.requests.unanswered += 1;
    }
    Ok(!overdue.is_empty())
}

/// What cannot be read of one scan keeps no other waiting.
pub(super) fn unless_unreadable(uid: &str, swept: Result<(), LedgerError>) -> Result<(), LedgerError> {
    match swept {
        Err(error @ LedgerError::Stored { .. }) => {
            tracing::error!(
                scan.uid = uid,
                error = &error as &dyn std::error::Error,
                "a scan could not be swept"
            );
            Ok(())
        }
        swept => swept,
    }
}

impl Ledger {
    /// The credential that a permit of this scan was granted under, as `namespace/name`, and when.
    pub async fn permit_credential(&self, scan: &str, id: &str) -> Result<(String, Timestamp), LedgerError> {
        let sql = "SELECT credential, granted_at FROM permits WHERE scan = $1 AND id = $2";
        let row = self.db.find(sql, params![scan, id]).await?;
        let row = row.ok_or_else(unknown)?;
        Ok((row.get(0)?, row.get(1)?))
    }

    /// Settles what is overdue in every scan, and lets those go on whose month has money again. Called now and then, so
    /// that pauses become true by themselves.
    pub async fn sweep_permits(&self) -> Result<(), LedgerError> {
        let overdue = self.list_overdue().await?;
        for uid in &overdue {
            // Each scan by itself: none waits for another's.
            unless_unreadable(uid, self.sweep_scan(uid).await)?;
        }
        if !overdue.is_empty() {
            self.notify();
        }
        self.review_months().await
    }

    async fn sweep_scan(&self, uid: &str) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(uid).await?;
        let Some(mut scan) = super::scans::find(&mut tx, uid).await? else {
            return Ok(());
        };
        let now = self.now_in(&tx);
        sweep(&mut tx, &mut scan, now).await?;
        super::meetings::review(&mut tx, &mut scan, now).await?;
        super::scans::put(&mut tx, &scan).await?;
        Ok(tx.commit().await?)
    }

    /// Scans that have an open permit past its end.
    async fn list_overdue(&self) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        let sql = format!(
            "SELECT DISTINCT scan FROM permits WHERE {} ORDER BY scan",
            overdue()
        );
        let rows = tx.query(&sql, params![now, soon(now)]).await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }
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
        credential: row.get(13)?,
        asked_at: row.get(14)?,
    })
}
