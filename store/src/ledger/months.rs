//! Monthly budgets of credentials: what all scans together have spent in the running UTC month.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    scan::{
        edit::MONTHLY_BUDGET,
        permit::Purse,
        plan::Plan,
        source::{Browser, Month, Source, Wish, choose, month_of},
        summary::Hold,
    },
};
use jiff::Timestamp;

use super::{Ledger, LedgerError, ScanRow, permits, ranges, scans};
use crate::{db::Tx, params};

/// The month of the credential that is asked now; `None` without a monthly budget.
pub(super) async fn month(tx: &mut Tx, scan: &ScanRow, now: Timestamp) -> Result<Option<Month>, LedgerError> {
    if !scan.source.is_api() {
        return Ok(None);
    }
    of_api(tx, scan, now).await
}

/// The month of the credential for the API, whatever source is asked now.
pub(super) async fn of_api(
    tx: &mut Tx,
    scan: &ScanRow,
    now: Timestamp,
) -> Result<Option<Month>, LedgerError> {
    let Some(budget) = scan.monthly_budget() else {
        return Ok(None);
    };
    let used = used(tx, credential(scan), now).await?;
    Ok(Some(Month { budget, used }))
}

/// What a scan may reserve once every request under way has ended without a charge: what is short of it may be there in
/// a minute.
pub(super) async fn settled(tx: &mut Tx, scan: &ScanRow, now: Timestamp) -> Result<Purse, LedgerError> {
    let month = settled_month(tx, scan, now).await?;
    let free = Purse {
        reserved: Usd::ZERO,
        ..scan.purse
    };
    Ok(within(free, month))
}

async fn settled_month(tx: &mut Tx, scan: &ScanRow, now: Timestamp) -> Result<Option<Month>, LedgerError> {
    let Some(month) = month(tx, scan, now).await? else {
        return Ok(None);
    };
    let sql = "SELECT CAST(SUM(price) AS BIGINT) FROM permits WHERE credential = $1 AND state = 'Open'";
    let row = tx.find(sql, params![credential(scan)]).await?;
    let open: Option<i64> = row.map(|row| row.get(0)).transpose()?.flatten();
    Ok(Some(Month {
        used: month.used.minus(Usd::from_nanos(open.unwrap_or(0))),
        ..month
    }))
}

fn credential(scan: &ScanRow) -> &str {
    match &scan.terms {
        Some(terms) => &terms.credential,
        None => &scan.request.credential,
    }
}

async fn used(tx: &mut Tx, credential: &str, now: Timestamp) -> Result<Usd, LedgerError> {
    let (from, _) = month_of(now);
    let settled = "SELECT CAST(SUM(price) AS BIGINT) FROM usage WHERE credential = $1 AND at >= $2";
    // A request without a known outcome was charged by `settle_by`, if at all.
    let held = if mutants::on(Mutant::OpenPermitsUncounted) {
        "SELECT CAST(SUM(price) AS BIGINT) FROM permits \
         WHERE credential = $1 AND state = 'Ambiguous' AND settle_by >= $2"
    } else {
        "SELECT CAST(SUM(price) AS BIGINT) FROM permits \
         WHERE credential = $1 AND state IN ('Open', 'Ambiguous') AND (state = 'Open' OR settle_by >= $2)"
    };
    let deleted =
        "SELECT CAST(SUM(price) AS BIGINT) FROM ambiguous_charges WHERE credential = $1 AND at >= $2";
    let mut total = Usd::ZERO;
    for sql in [settled, held, deleted] {
        let row = tx.find(sql, params![credential, from]).await?;
        let sum: Option<i64> = row.map(|row| row.get(0)).transpose()?.flatten();
        total = total.plus(Usd::from_nanos(sum.unwrap_or(0)));
    }
    Ok(total)
}

/// What a scan may reserve: its own money, and no more than its credential's month has left.
pub(super) fn purse(scan: &ScanRow, month: Option<Month>) -> Purse {
    within(scan.purse, month)
}

fn within(mut purse: Purse, month: Option<Month>) -> Purse {
    let over = month.map_or(Usd::ZERO, |month| purse.left().minus(month.left()));
    if over > Usd::ZERO {
        purse.budget = purse.budget.minus(over);
    }
    purse
}

/// Whether the month, and not the scan's own budget, is what is used up.
pub(super) fn is_short(scan: &ScanRow, month: Option<Month>) -> bool {
    month.is_some_and(|month| month.left() < scan.purse.left())
}

/// Keeps the possible charges of a scan that is deleted: they count in their month.
pub(super) async fn keep_ambiguous(tx: &mut Tx, scan: &str) -> Result<(), LedgerError> {
    if mutants::on(Mutant::DeletedChargesForgotten) {
        return Ok(());
    }
    // Its runners have ended: no outcome of an open permit comes any more.
    tx.execute(
        "INSERT INTO ambiguous_charges (permit, scan, credential, kind, price, at) \
         SELECT id, scan, credential, family, price, settle_by FROM permits \
         WHERE scan = $1 AND state IN ('Open', 'Ambiguous') AND price > 0 \
         ON CONFLICT (permit) DO NOTHING",
        params![scan],
    )
    .await?;
    Ok(())
}

/// Holds the scan until the next month begins.
pub(super) fn exhaust(scan: &mut ScanRow, now: Timestamp) {
    let (_, until) = month_of(now);
    scan.hold = Some(reached(scan, Some(until)));
}

/// A hold for the month; one without an end is reviewed before anybody waits for it.
pub(super) fn reached(scan: &ScanRow, until: Option<Timestamp>) -> Hold {
    let credential = scan.credential();
    let message = format!(
        "the monthly budget of credential {credential} is used up: raise spec.monthlyBudgetUsd of the Credential, or wait for \
         the next UTC month; nothing of what was read is lost"
    );
    Hold {
        reason: MONTHLY_BUDGET.to_owned(),
        message,
        until,
    }
}

/// Whether the scan waits for the month, or did until now.
pub(super) fn has_waited(scan: &ScanRow) -> bool {
    scan.hold
        .as_ref()
        .is_some_and(|hold| hold.reason == MONTHLY_BUDGET)
}

/// Before the first page: a plan that the month can't pay for is not begun, also not in the next month.
pub(super) async fn check(tx: &mut Tx, scan: &mut ScanRow, now: Timestamp) -> Result<(), LedgerError> {
    if scan.lines > 0 || scan.monthly_budget().is_none() {
        return Ok(());
    }
    let month = settled_month(tx, scan, now).await?;
    let is_held = scan.held(Source::Api, now).is_some();
    let begins = |plan: &&Plan| !is_held && !plan.has_browser();
    let Some(plan) = scan.plan.as_ref().filter(begins) else {
        return Ok(());
    };
    let price = plan.price.minus(scan.purse.spent);
    if choose(Wish::Api, price, month, Browser::Off).is_err() {
        exhaust(scan, now);
    }
    Ok(())
}

/// Whether a scan that its credential's month holds can pay for what comes next by now: for its plan, or for a row.
async fn has_money(tx: &mut Tx, scan: &mut ScanRow, now: Timestamp) -> Result<bool, LedgerError> {
    let uid = scan.request.uid.clone();
    let open = ranges::open(tx, &uid).await?;
    if let Some(range) = open.iter().find(|range| range.source.is_api()) {
        scan.turn_to(range);
    }
    let month = month(tx, scan, now).await?;
    let begins = |plan: &Plan| {
        let price = plan.price.minus(scan.purse.spent);
        scan.lines > 0 || plan.has_browser() || choose(Wish::Api, price, month, Browser::Off).is_ok()
    };
    let next = purse(scan, month).left() >= scan.next_price();
    Ok(next && scan.plan.as_ref().is_none_or(begins))
}

impl Ledger {
    /// Lets scans go on whose month has money again: another scan's request may have ended without a charge.
    pub(super) async fn review_months(&self) -> Result<(), LedgerError> {
        let sql =
            "SELECT uid FROM scans WHERE stage IN ('Resolving', 'Scanning') AND hold LIKE $1 ORDER BY uid";
        let pattern = format!("%\"{MONTHLY_BUDGET}\"%");
        let mut tx = self.db.read().await?;
        let rows = tx.query(sql, params![pattern.as_str()]).await?;
        drop(tx);
        for row in rows {
            let uid: String = row.get(0)?;
            permits::unless_unreadable(&uid, self.review_month(&uid).await)?;
        }
        Ok(())
    }

    async fn review_month(&self, uid: &str) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(uid).await?;
        let now = self.now_in(&tx);
        let Some(mut scan) = scans::find(&mut tx, uid).await?.filter(has_waited) else {
            return Ok(());
        };
        if has_money(&mut tx, &mut scan, now).await? {
            scan.hold = None;
        } else if scan.hold.as_ref().is_some_and(|hold| hold.until.is_none()) {
            exhaust(&mut scan, now);
        } else {
            return Ok(());
        }
        scans::put(&mut tx, &scan).await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    /// What a credential (`namespace/name`) has used of the running UTC month, over all scans.
    pub async fn month_used(&self, credential: &str) -> Result<Usd, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        used(&mut tx, credential, now).await
    }
}
