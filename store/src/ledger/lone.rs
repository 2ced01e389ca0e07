//! Failures of one place: the platform brings every page but this one.

use followlytics_core::{
    retry::Class,
    scan::range::{Kind, Range, State},
};
use jiff::{SignedDuration, Timestamp};

use super::{LedgerError, ScanRow, ranges};
use crate::{db::Tx, params};

/// Whether a range's failure is about its page alone, so that its tries are counted over all holds.
///
/// What looks like an outage is about the page if others of the same source were requested and read since the last few
/// tries of this one. Once that was so, it stays so while nothing else is left to read.
pub(super) async fn is_about_the_page(
    tx: &mut Tx,
    scan: &ScanRow,
    range: &Range,
    class: Class,
) -> Result<bool, LedgerError> {
    if class.is_unreadable() {
        return Ok(true);
    }
    if !class.may_be_the_page() || !range.source.is_api() || range.kind == Kind::Resolve {
        return Ok(false);
    }
    let tries = class.policy().tries;
    let others_were_read = others_were_read(tx, scan, range, tries).await?;
    if others_were_read || range.attempts <= tries {
        return Ok(others_were_read);
    }
    let all = ranges::all(tx, &scan.request.uid).await?;
    let is_other = |other: &Range| other.id != range.id && other.source == range.source;
    Ok(!all
        .iter()
        .any(|other| is_other(other) && other.state == State::Open))
}

/// Whether a page of another range was requested, and read, since so many tries of this page ago.
async fn others_were_read(
    tx: &mut Tx,
    scan: &ScanRow,
    range: &Range,
    tries: u32,
) -> Result<bool, LedgerError> {
    let uid = &scan.request.uid;
    let sql = "SELECT granted_at FROM permits WHERE scan = $1 AND range_id = $2 AND seq = $3 \
                 AND state IN ('Failed', 'Ambiguous') ORDER BY granted_at DESC, id LIMIT $4";
    let failed = tx
        .query(sql, params![uid, range.id, range.seq, tries + 1])
        .await?;
    let Some(first) = failed.last() else {
        return Ok(false);
    };
    let since: Timestamp = first.get(0)?;
    let sql = "SELECT 1 FROM pages p JOIN ranges r ON r.scan = p.scan AND r.id = p.range_id \
               WHERE p.scan = $1 AND p.range_id <> $2 AND r.source = $3 AND p.seen_at >= $4 LIMIT 1";
    let source = <&str>::from(range.source);
    let row = tx.find(sql, params![uid, range.id, source, since]).await?;
    Ok(row.is_some())
}

/// When a range is due again that waits until others were tried: long enough for a runner to be started for them.
pub(super) fn after_the_others(until: Timestamp) -> Timestamp {
    until
        .saturating_add(SignedDuration::from_secs(30))
        .unwrap_or(until)
}
