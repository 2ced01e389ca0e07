//! Holds: why a scan does not go on, and what lets it go on again.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    scan::{
        edit::{self, BUDGET_EXHAUSTED, BUDGET_TOO_SMALL},
        source::Source,
        summary::{Hold, Stage},
    },
    wire::Mode,
};
use jiff::Timestamp;

use super::{
    LedgerError, ScanRequest, ScanRow, months, permits,
    restart::{self, CURSOR_EXPIRED},
};
use crate::{db::Tx, params};

/// After a user changed the Scan or its Credential: what a hold waits on may be there now. Before the first page
/// budgets are checked again.
pub(super) async fn review(
    tx: &mut Tx,
    row: &mut ScanRow,
    earlier: &ScanRequest,
    now: Timestamp,
) -> Result<(), LedgerError> {
    row.purse.budget = row.request.budget;
    let wanted = &row.request;
    for (source, hold) in [
        (Source::Api, &mut row.hold),
        (Source::Browser, &mut row.browser_hold),
    ] {
        *hold = hold
            .take()
            .filter(|hold| !edit::lifts(earlier, wanted, source, hold, now));
    }
    // A page that is under way is part of the plan, and what it costs is reserved already.
    let begins = row.lines == 0 && row.stage == Stage::Scanning;
    if begins && !permits::has_open_page(tx, &row.request.uid).await? {
        check_budget(row);
        months::check(tx, row, now).await?;
    }
    Ok(())
}

/// Before the first page: the whole plan has to fit into the budget. Later the purse alone decides.
pub(super) fn check_budget(row: &mut ScanRow) {
    let Some(plan) = row
        .plan
        .as_ref()
        .filter(|plan| row.lines == 0 && row.stage == Stage::Scanning && !plan.has_browser())
    else {
        return;
    };
    let missing = plan.price.minus(row.purse.spent);
    if missing > row.purse.left() {
        // What a lost look-up may have cost is part of it.
        let needed = plan.price.plus(row.purse.reserved).plus(row.purse.ambiguous);
        row.hold = Some(Hold {
            reason: BUDGET_TOO_SMALL.to_owned(),
            message: format!(
                "the scan would cost about ${} ({} followers), its budget is ${}: raise spec.budget.maxUsd (--budget {}), \
                 or create a scan of fewer rows (--max-followers)",
                plan.price, plan.rows, row.purse.budget, needed
            ),
            until: None,
        });
    }
}

/// The purse buys no further row.
pub(super) fn exhaust(row: &mut ScanRow) {
    let surplus = match row.purse.surplus {
        Usd::ZERO => String::new(),
        surplus => format!(", ${surplus} charged for rows that were not requested"),
    };
    row.hold = Some(Hold {
        reason: BUDGET_EXHAUSTED.to_owned(),
        message: format!(
            "the budget of ${} is used up (${} spent, ${} perhaps charged{surplus}): raise spec.budget.maxUsd to go on, \
             nothing of what was read is lost",
            row.purse.budget, row.purse.spent, row.purse.ambiguous
        ),
        until: None,
    });
}

/// After dollars came free, beyond the `before` that were left: a budget that was too small may suffice. The next request
/// decides; before the first page, the whole plan.
pub(super) fn relieve(row: &mut ScanRow, before: Usd) {
    let left = row.purse.left();
    let Some(hold) = row
        .hold
        .as_ref()
        .filter(|hold| hold.until.is_none() && left > before)
    else {
        return;
    };
    match hold.reason.as_str() {
        BUDGET_EXHAUSTED if left >= row.next_price() || mutants::on(Mutant::ReliefUnpriced) => {
            row.hold = None;
        }
        BUDGET_TOO_SMALL => {
            row.hold = None;
            check_budget(row);
            if row.hold.is_none() && row.monthly_budget().is_some() {
                row.hold = Some(months::reached(row, None));
            }
        }
        CURSOR_EXPIRED if left >= restart::price(row) => row.hold = None,
        _ => {}
    }
}

/// Ends a scan that can never succeed, or that was cancelled. What was read is merged only after a failure.
pub(super) async fn end_early(tx: &mut Tx, row: &mut ScanRow, now: Timestamp) -> Result<(), LedgerError> {
    if !matches!(row.stage, Stage::Resolving | Stage::Scanning) {
        return Ok(());
    }
    let uid = row.request.uid.clone();
    tx.execute(
        "UPDATE ranges SET holder = NULL, lease_until = NULL, leased_at = NULL, epoch = epoch + 1, \
           state = CASE WHEN state = 'Open' THEN 'Failed' ELSE state END WHERE scan = $1",
        params![&uid],
    )
    .await?;
    if row.failure.is_some() && row.lines > 0 && row.request.mode != Mode::Cancel {
        row.stage = Stage::Merging;
        super::jobs::enqueue_merge(tx, &uid, now).await?;
    } else {
        row.stage = Stage::Ended;
        row.ended = Some(now);
    }
    Ok(())
}
