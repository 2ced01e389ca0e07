//! Meetings: ranges that end where what they read is known already.

use followlytics_core::scan::{
    ends, lease,
    meeting::{self, End},
    plan::Plan,
    range::{NEWEST, Range, RangeId, Walk},
    seam,
    since::{Base, is_keyed},
    source::Source,
    summary::Stage,
};
use jiff::Timestamp;

use super::{Ledger, LedgerError, ScanRow, commit, permits, ranges, scans};
use crate::{db::Tx, params};

/// What a range's reader may meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing: it is read to its end.
    Nobody,
    /// A seam: rows that the ranges behind it had read themselves.
    Behind {
        /// Direction of reading.
        walk: Walk,
        /// The ranges, the nearest first.
        ranges: Vec<RangeId>,
    },
    /// A list that goes on from a result: the newest rows of that.
    Base {
        /// The result.
        base: Base,
        /// Whether positions of this list are keys.
        is_keyed: bool,
        /// Rows of a page of this list.
        page_rows: u32,
    },
    /// A chain: the newest rows of what was finished from the oldest end.
    Region(Sides),
}

/// A chain from the newest end, and what was finished from the oldest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// The chain.
    pub chain: RangeId,
    /// Number of its next page.
    pub seq: u32,
    /// The finished ranges without a gap from the oldest end, the newest first.
    pub finished: Vec<RangeId>,
    /// Where they end.
    pub region: i64,
}

/// The result that a stored plan goes on from.
fn of_base(plan: &str) -> Result<Meeting, LedgerError> {
    let plan: Plan = scans::from_json("scans.plan", plan)?;
    let (is_keyed, page_rows) = (is_keyed(plan.seek), plan.page_rows);
    Ok(plan.since.map_or(Meeting::Nobody, |base| Meeting::Base {
        base,
        is_keyed,
        page_rows,
    }))
}

impl Ledger {
    /// What this range's reader may meet.
    pub async fn meeting(&self, scan: &str, range: RangeId) -> Result<Meeting, LedgerError> {
        let sql = "SELECT r.kind, CASE WHEN s.since IS NULL THEN NULL ELSE s.plan END, \
                     CASE WHEN r.source = 'Api' AND r.lo IS NULL AND EXISTS \
                       (SELECT 1 FROM ranges b WHERE b.scan = r.scan AND b.source = 'Browser') THEN 1 ELSE 0 END \
                   FROM ranges r JOIN scans s ON s.uid = r.scan WHERE r.scan = $1 AND r.id = $2";
        let Some(row) = self.db.find(sql, params![scan, range]).await? else {
            return Ok(Meeting::Nobody);
        };
        let plan: Option<String> = row.get(1)?;
        if row.get::<i64>(2)? == 1
            && let Some(sides) = self.sides(scan).await?.filter(|sides| sides.chain == range)
        {
            return Ok(Meeting::Region(sides));
        }
        let plan = plan.as_deref();
        Ok(match (row.get::<String>(0)?.as_str(), plan) {
            ("Seam", _) => {
                let all = ranges::all(&mut self.db.read().await?, scan).await?;
                match (all.iter().find(|other| other.id == range), plan) {
                    (Some(check), Some(plan)) if ends::is_check(check) => of_base(plan)?,
                    (Some(seam), _) if !ends::is_check(seam) => Meeting::Behind {
                        walk: seam.walk,
                        ranges: seam::behind(&all, seam),
                    },
                    _ => Meeting::Nobody,
                }
            }
            ("Listing", Some(plan)) => of_base(plan)?,
            _ => Meeting::Nobody,
        })
    }

    /// Both sides of a scan that is read from both ends and where they have not met; `None` while nothing is finished
    /// from the oldest end.
    pub async fn sides(&self, scan: &str) -> Result<Option<Sides>, LedgerError> {
        let all = ranges::all(&mut self.db.read().await?, scan).await?;
        Ok(sides(&all))
    }

    /// Records that both sides touch: what either need not read any more is over. Nothing happens while a request of
    /// the chain may be under way, for its page is paid for and will be the chain's last.
    pub async fn record_meeting(&self, scan: &str, seen: &Sides) -> Result<bool, LedgerError> {
        let mut tx = self.begin_scan(scan).await?;
        let now = self.now_in(&tx);
        let Some(mut row) = scans::find(&mut tx, scan).await? else {
            return Ok(false);
        };
        let mut all = ranges::all(&mut tx, scan).await?;
        // A region only grows, and a chain's pages only add to it: what touched then touches now.
        let current = sides(&all).is_some_and(|now| now.chain == seen.chain && now.region >= seen.region);
        if row.stage != Stage::Scanning
            || !current
            || permits::is_under_way(&mut tx, scan, seen.chain).await?
        {
            return Ok(false);
        }
        close(&mut tx, scan, &mut all, End::Met).await?;
        commit::merge_if_read(&mut tx, &mut row, &all, now).await?;
        scans::put(&mut tx, &row).await?;
        tx.commit().await?;
        self.notify();
        Ok(true)
    }

    /// Keys of a range's first pages, in order.
    pub async fn first_page_keys(
        &self,
        scan: &str,
        range: RangeId,
        most: u32,
    ) -> Result<Vec<String>, LedgerError> {
        let sql = "SELECT key FROM pages WHERE scan = $1 AND range_id = $2 ORDER BY seq LIMIT $3";
        self.keys(sql, scan, range, most).await
    }

    /// Keys of a range's last pages, the last one first.
    pub async fn last_page_keys(
        &self,
        scan: &str,
        range: RangeId,
        most: u32,
    ) -> Result<Vec<String>, LedgerError> {
        let sql = "SELECT key FROM pages WHERE scan = $1 AND range_id = $2 ORDER BY seq DESC LIMIT $3";
        self.keys(sql, scan, range, most).await
    }

    async fn keys(
        &self,
        sql: &str,
        scan: &str,
        range: RangeId,
        most: u32,
    ) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.read().await?;
        let rows = tx.query(sql, params![scan, range, most]).await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }
}

fn sides(all: &[Range]) -> Option<Sides> {
    let chain = meeting::chain(all)?;
    Some(Sides {
        chain: chain.id,
        seq: chain.seq,
        finished: meeting::finished_ranges(all),
        region: meeting::region(all)?,
    })
}

/// After a range was read to its end, in a scan that is read from both ends: what is over on one side is over on the
/// other.
pub(super) async fn close_after(
    tx: &mut Tx,
    scan: &str,
    all: &mut [Range],
    done: &mut Range,
    end: End,
) -> Result<(), LedgerError> {
    let Some(chain) = meeting::chain(all).map(|chain| chain.id) else {
        return Ok(());
    };
    if chain == done.id {
        close(tx, scan, all, end).await?;
    } else {
        close_if_covered(tx, scan, all).await?;
    }
    if let Some(range) = all.iter().find(|range| range.id == done.id) {
        *done = range.clone();
    }
    Ok(())
}

/// Ends the chain once the other side holds the whole list.
async fn close_if_covered(tx: &mut Tx, scan: &str, all: &mut [Range]) -> Result<(), LedgerError> {
    let Some(chain) = meeting::chain(all).map(|chain| chain.id) else {
        return Ok(());
    };
    if is_covered(tx, scan, all, chain).await? {
        close(tx, scan, all, End::Covered).await?;
    }
    Ok(())
}

/// Whether the other side holds the chain's whole list. A request of the chain that may be under way is waited for: it
/// is paid for.
async fn is_covered(tx: &mut Tx, scan: &str, all: &[Range], chain: RangeId) -> Result<bool, LedgerError> {
    Ok(meeting::region(all) == Some(NEWEST) && !permits::is_under_way(tx, scan, chain).await?)
}

fn is_shared(scan: &ScanRow) -> bool {
    scan.plan.as_ref().is_some_and(Plan::has_browser)
}

/// Whether this range is a chain whose list the other side holds whole by now; it is over then.
pub(super) async fn is_needless(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    if !is_shared(scan) || !range.is_chain() || range.source == Source::Browser {
        return Ok(false);
    }
    let uid = scan.request.uid.clone();
    let all = ranges::all(tx, &uid).await?;
    if !is_covered(tx, &uid, &all, range.id).await? {
        return Ok(false);
    }
    // Its holder is being answered: nobody has to be fenced. What else changed of it is not written yet.
    lease::give_back(range);
    ranges::put(tx, &uid, range).await?;
    let mut all = ranges::all(tx, &uid).await?;
    close(tx, &uid, &mut all, End::Covered).await?;
    if let Some(own) = all.iter().find(|other| other.id == range.id) {
        *range = own.clone();
    }
    commit::merge_if_read(tx, scan, &all, now).await?;
    Ok(true)
}

/// After the last request of a chain was given up: nobody may be left who would end it.
pub(super) async fn review(tx: &mut Tx, scan: &mut ScanRow, now: Timestamp) -> Result<(), LedgerError> {
    if !is_shared(scan) || scan.stage != Stage::Scanning {
        return Ok(());
    }
    let uid = scan.request.uid.clone();
    let mut all = ranges::all(tx, &uid).await?;
    close_if_covered(tx, &uid, &mut all).await?;
    commit::merge_if_read(tx, scan, &all, now).await
}

async fn close(tx: &mut Tx, scan: &str, all: &mut [Range], end: End) -> Result<(), LedgerError> {
    let changed = meeting::close(all, end);
    for range in all.iter().filter(|range| changed.contains(&range.id)) {
        ranges::put(tx, scan, range).await?;
    }
    Ok(())
}
