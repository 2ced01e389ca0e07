//! Holds: why a scan does not go on, and what lets it go on again.

use followlytics_core::{
    scan::summary::{Hold, Stage},
    wire::Mode,
};
use jiff::Timestamp;

use super::{LedgerError, ScanRequest, ScanRow};
use crate::{db::Tx, params};

/// The plan costs more than the budget: nothing is listed.
pub(super) const BUDGET_TOO_SMALL: &str = "BudgetTooSmall";
/// The budget is used up in mid-scan.
pub(super) const BUDGET_EXHAUSTED: &str = "BudgetExhausted";

/// After a person changed the spec: holds that wait for a person are tried again, budgets are checked anew.
pub(super) fn review(row: &mut ScanRow, earlier: &ScanRequest, now: Timestamp) {
    row.purse.budget = row.request.budget;
    let edited = row.request.generation != earlier.generation;
    let resumed = earlier.mode == Mode::Suspend && row.request.mode == Mode::Run;
    if edited || resumed || row.request.credential != earlier.credential {
        for hold in [&mut row.hold, &mut row.browser_hold] {
            *hold = hold
                .take()
                .filter(|hold| hold.until.is_some_and(|until| until > now) && !resumed);
        }
        check_budget(row);
    }
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
        row.hold = Some(Hold {
            reason: BUDGET_TOO_SMALL.to_owned(),
            message: format!(
                "the scan would cost about ${} ({} followers), its budget is ${}: raise spec.budget.maxUsd (--budget {}), \
                 or list fewer with spec.maxFollowers (--max-followers)",
                plan.price, plan.rows, row.purse.budget, plan.price
            ),
            until: None,
        });
    }
}

/// The purse buys no further row.
pub(super) fn exhaust(row: &mut ScanRow) {
    row.hold = Some(Hold {
        reason: BUDGET_EXHAUSTED.to_owned(),
        message: format!(
            "the budget of ${} is used up (${} spent, ${} perhaps charged): raise spec.budget.maxUsd to go on, \
             nothing of what was read is lost",
            row.purse.budget, row.purse.spent, row.purse.ambiguous
        ),
        until: None,
    });
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
    if row.failure.is_some() && row.lines > 0 {
        row.stage = Stage::Merging;
        super::jobs::enqueue_merge(tx, &uid, now).await?;
    } else {
        row.stage = Stage::Ended;
        row.ended = Some(now);
    }
    Ok(())
}
