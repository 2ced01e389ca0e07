//! Cursors that lead back: a list whose tokens go round would be read, and paid for, without an end.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    page::Header,
    platform::Family,
    scan::{
        observed::Anomaly,
        range::{Kind, Place, Range, most_lines},
    },
};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{LedgerError, ScanRow, failed::end_range};
use crate::{db::Tx, params};

const CURSOR_REPEATED: &str = "CursorRepeated";

/// What the index knows a cursor by: itself it may be longer than an entry can be.
pub(super) fn hash(cursor: &str) -> i64 {
    let hash = Sha256::digest(cursor);
    let mut first = [0; 8];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    i64::from_be_bytes(first)
}

/// Whether the next page of this one was read before, since the range last started at its first place.
pub(super) async fn leads_back(
    tx: &mut Tx,
    scan: &ScanRow,
    header: &Header,
    pass_from: u32,
) -> Result<bool, LedgerError> {
    let Some(next) = header.output.cursor.as_deref().filter(|_| !header.exhausted) else {
        return Ok(false);
    };
    let sql = "SELECT 1 FROM pages WHERE scan = $1 AND range_id = $2 AND input_hash = $3 AND input_cursor = $4 \
                 AND seq >= $5";
    let uid = &scan.request.uid;
    let row = tx
        .find(sql, params![uid, header.range, hash(next), next, pass_from])
        .await?;
    Ok(row.is_some() && !mutants::on(Mutant::CycleUnseen))
}

const LIST_ENDLESS: &str = "ListEndless";

/// Followers of the account, where the range has more lines over all of its passes than such a list can have.
pub(super) async fn overrun(tx: &mut Tx, scan: &ScanRow, range: &Range) -> Result<Option<i64>, LedgerError> {
    let counted = scan.report.as_ref().map_or(0, |report| report.followers);
    let followers = counted.max(scan.plan.as_ref().map_or(0, |plan| plan.rows));
    let most = most_lines(followers);
    if scan.lines.saturating_add(range.seq.into()) <= most {
        return Ok(None);
    }
    // A page without rows counts as one: such pages cost nothing, and a list may name ever new ones.
    let sql = "SELECT CAST(COALESCE(SUM(CASE WHEN lines > 0 THEN lines ELSE 1 END), 0) AS BIGINT) FROM pages \
               WHERE scan = $1 AND range_id = $2";
    let row = tx.find(sql, params![&scan.request.uid, range.id]).await?;
    let lines: i64 = row.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    Ok((lines > most).then_some(followers))
}

/// Gives a range up whose list does not end. Its rows stay; the result of the scan is partial.
pub(super) async fn end_overrun(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    followers: i64,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let message = format!(
        "{}: the platform counts {followers} followers, and its list has more than {} rows and names ever new cursors; its \
         rows are kept. Create another Scan once the count is right",
        scan.request.account,
        most_lines(followers)
    );
    end_range(tx, scan, range, (LIST_ENDLESS, message), now).await
}

/// Times that a page is read which names itself as the next one, over about a minute; where each one is charged, fewer.
const MOST_TRIES: i64 = 12;
const MOST_PAID_TRIES: i64 = 3;

/// After a page of this place, with so many lines, that names itself as the next one: its rows are kept, and it is read
/// again a little later, for the next answer may lead on.
pub(super) async fn read_again(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    (place, lines): (&Place, i64),
    now: Timestamp,
) -> Result<(), LedgerError> {
    let readings = readings(tx, scan, range, place).await?;
    let is_paid = scan.price(Family::Followers, 1) > Usd::ZERO;
    if readings >= if is_paid { MOST_PAID_TRIES } else { MOST_TRIES } {
        return give_up(tx, scan, range, now).await;
    }
    let delay = SignedDuration::from_secs(readings);
    range.wait_until(now.saturating_add(delay).unwrap_or(now), now);
    scan.requests.refetched_pages += 1;
    scan.requests.refetched_rows += lines;
    Ok(())
}

/// How often this place was read since the range last started at its first place.
async fn readings(tx: &mut Tx, scan: &ScanRow, range: &Range, place: &Place) -> Result<i64, LedgerError> {
    let sql = "SELECT COUNT(*) FROM pages WHERE scan = $1 AND range_id = $2 AND seq >= $3 \
                 AND input_position = $4 AND input_cursor IS NULL";
    let of_token = "SELECT COUNT(*) FROM pages WHERE scan = $1 AND range_id = $2 AND seq >= $3 \
                      AND input_hash = $4 AND input_cursor = $5";
    let (uid, id, from) = (&scan.request.uid, range.id, range.pass_from);
    let row = if let Some(token) = place.cursor.as_deref() {
        tx.find(of_token, params![uid, id, from, hash(token), token])
            .await?
    } else {
        tx.find(sql, params![uid, id, from, place.position]).await?
    };
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

/// Gives the range up. Its rows stay; the result of the scan is partial.
pub(super) async fn give_up(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if range.kind != Kind::Resolve {
        scan.observed.add(Anomaly::CursorRepeated);
    }
    let message = format!(
        "{}: after page {} the list leads back to a page that was read; its rows are kept. Create another Scan to read \
         the list again",
        scan.request.account, range.seq
    );
    end_range(tx, scan, range, (CURSOR_REPEATED, message), now).await
}
