//! Restarts: the platform refuses the token of a place, and the range goes on without it as long as that leads further.

use followlytics_core::{
    money::Usd,
    platform::Family,
    retry::{self, Failure, MOST_UNREADABLE},
    scan::{
        permit::{Ask, ask},
        range::{Kind, Place, Range},
        summary::Hold,
    },
};
use jiff::Timestamp;

use super::{
    LedgerError, ScanRow, failed,
    failed::{again_at, give_up, others_go_on, wait},
    fallback,
};
use crate::{db::Tx, params};

/// Reason of a chain that could start again if the budget paid for it.
pub(super) const CURSOR_EXPIRED: &str = "CursorExpired";
/// Why a range is given up that would read the same pages without an end.
const NO_FURTHER: &str = "given up where it was refused before";

/// Where places are also positions the range goes on without the token. A chain starts again from its newest end, if
/// the money left pays for what is read twice. What was refused no further than before is given up.
pub(super) async fn restart(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    failure: &Failure,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if range.span.is_some() {
        return go_on_by_position(tx, scan, range, failure, now).await;
    }
    if range.kind == Kind::Resolve || got_no_further(tx, scan, range).await? {
        return give_up(tx, scan, range, failure, NO_FURTHER, now).await;
    }
    range.attempts = 0;
    let from = (range.source, scan.request.account.platform);
    let again = price(scan);
    let pays = scan.purse.left() >= again && !matches!(ask(from, 1, 0, 0, &scan.purse), Ask::Exhausted);
    if pays {
        scan.requests.refetched_rows += range.rows;
        range.place = Place::at(0);
        range.pass_from = range.seq;
        range.claimed = 0;
        range.rows = 0;
        range.lease_rows = 0;
        Ok(())
    } else {
        let message = format!(
            "the platform refused the list's token; starting again from the newest end costs about ${again}, the budget \
             has ${} left: raise spec.budget.maxUsd and resume",
            scan.purse.left()
        );
        scan.hold = Some(Hold {
            reason: CURSOR_EXPIRED.to_owned(),
            message,
            until: None,
        });
        fallback::fall_back(tx, scan, range, now).await
    }
}

/// What a chain costs that is read again from its newest end.
pub(super) fn price(scan: &ScanRow) -> Usd {
    scan.price(Family::Followers, scan.plan.as_ref().map_or(0, |plan| plan.rows))
}

/// The position stands for the token. One that is refused too may only be so for now.
async fn go_on_by_position(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    failure: &Failure,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let had_token = range.place.cursor.is_some();
    if range.place.is_unread() || had_token && was_read_by_position(tx, scan, range).await? {
        return give_up(tx, scan, range, failure, NO_FURTHER, now).await;
    }
    if range.place.cursor.take().is_some() {
        range.attempts = 0;
        return Ok(());
    }
    if range.attempts >= MOST_UNREADABLE {
        let tries = failed::tries(range);
        return give_up(tx, scan, range, failure, &tries, now).await;
    }
    if others_go_on(tx, scan, range, now).await? {
        let delay = retry::hold(range.attempts.saturating_sub(1));
        range.wait_until(again_at(failure, delay, now), now);
    } else {
        wait(scan, failure, now);
    }
    Ok(())
}

/// Whether an earlier pass of the chain came as far as this one, or this one read nothing.
async fn got_no_further(tx: &mut Tx, scan: &ScanRow, range: &Range) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM pages WHERE scan = $1 AND range_id = $2 AND seq < $3 AND output_position >= $4";
    let uid = &scan.request.uid;
    let row = tx
        .find(sql, params![uid, range.id, range.pass_from, range.place.position])
        .await?;
    Ok(range.seq == range.pass_from || row.is_some())
}

/// Whether the range read a page by its position alone before: that page led to the same token.
async fn was_read_by_position(tx: &mut Tx, scan: &ScanRow, range: &Range) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM pages WHERE scan = $1 AND range_id = $2 AND input_position = $3 \
                 AND input_cursor IS NULL AND seq > 0";
    let row = tx
        .find(sql, params![&scan.request.uid, range.id, range.place.position])
        .await?;
    Ok(row.is_some())
}
