//! Summaries: what the controller, the command line and `why` read of a scan.

use followlytics_core::{
    platform::Family,
    scan::{
        plan::Plan,
        range::{Kind, Range, State},
        summary::{Hold, RangeTally, Stage, Summary},
    },
    wire::Mode,
};
use jiff::{SignedDuration, Timestamp};

use super::{Ledger, LedgerError, ScanRow, ranges, scans, windows};
use crate::params;

/// A window that opens later than this gives the runners back meanwhile.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

impl Ledger {
    /// What the ledger knows of a scan.
    pub async fn summary(&self, uid: &str) -> Result<Option<Summary>, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        let Some(scan) = scans::find(&mut tx, uid).await? else {
            return Ok(None);
        };
        let ranges = ranges::all(&mut tx, uid).await?;
        let open = tx
            .find(
                "SELECT COUNT(*) FROM permits WHERE scan = $1 AND state = 'Open'",
                params![uid],
            )
            .await?;
        let window = windows::full_until(&mut tx, &scan, Family::Followers, now).await?;
        let result = super::results::find(&mut tx, uid).await?;
        Ok(Some(Summary {
            stage: scan.stage,
            hold: scan
                .held(now)
                .cloned()
                .or_else(|| window_hold(&scan, &ranges, window)),
            failure: scan.failure.clone(),
            account_id: scan.report.as_ref().map(|report| report.id.clone()),
            expected: scan.plan.as_ref().map_or(0, |plan| plan.rows),
            plan: scan.plan.clone(),
            scanned: scan.lines,
            ranges: tally(&ranges, now),
            requests: scan.requests,
            spent: scan.purse.spent,
            reserved: scan.purse.reserved,
            ambiguous: scan.purse.ambiguous,
            open_permits: open.map(|row| row.get(0)).transpose()?.unwrap_or(0),
            wanted_runners: wanted(&scan, &ranges, window, now),
            started: scan.started,
            ended: scan.ended,
            result,
        }))
    }

    /// Uids of scans that may still change, in order.
    pub async fn list_active_scans(&self) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.read().await?;
        let rows = tx
            .query(
                "SELECT uid FROM scans WHERE stage IN ('Resolving', 'Scanning', 'Merging') ORDER BY uid",
                params![],
            )
            .await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }

    /// All ranges of a scan, in order of their ids.
    pub async fn list_ranges(&self, uid: &str) -> Result<Vec<Range>, LedgerError> {
        let mut tx = self.db.read().await?;
        ranges::all(&mut tx, uid).await
    }
}

fn tally(ranges: &[Range], now: Timestamp) -> RangeTally {
    let mut tally = RangeTally::default();
    for range in ranges.iter().filter(|range| range.kind != Kind::Resolve) {
        tally.total += 1;
        match range.state {
            State::Done => tally.done += 1,
            State::Failed => tally.failed += 1,
            State::Open if range.is_held(now) => tally.active += 1,
            State::Open => tally.waiting += 1,
        }
    }
    tally
}

/// A full window is what a scan without another hold waits on.
fn window_hold(scan: &ScanRow, ranges: &[Range], until: Option<Timestamp>) -> Option<Hold> {
    let waiting = scan.stage == Stage::Scanning && ranges.iter().any(|range| range.state == State::Open);
    until.filter(|_| waiting).map(|until| Hold {
        reason: "RateLimitWindow".to_owned(),
        message: format!(
            "the rate-limit window of {} has nothing left for this scan now; it goes on by itself",
            scan.request.credential
        ),
        until: Some(until),
    })
}

/// Runners that would find work now: as many as there are parts worth a request, no more than are allowed.
fn wanted(scan: &ScanRow, ranges: &[Range], window: Option<Timestamp>, now: Timestamp) -> u32 {
    let most = scan.request.wishes.max_runners;
    let far = |until: Timestamp| now.duration_until(until) > PATIENCE;
    let blocked = scan.held(now).is_some_and(|hold| hold.until.is_none_or(far)) || window.is_some_and(far);
    if scan.request.mode != Mode::Run || blocked {
        return 0;
    }
    match scan.stage {
        Stage::Resolving => 1,
        Stage::Scanning => {
            let page = i64::from(scan.page_rows());
            let splittable = scan.plan.as_ref().is_some_and(Plan::is_splittable);
            let floor = scan.grain().floor;
            let parts: i64 = ranges
                .iter()
                .filter(|range| range.state == State::Open)
                .map(|range| {
                    if splittable {
                        (range.rows_left(floor) / (4 * page)).max(1)
                    } else {
                        1
                    }
                })
                .fold(0, i64::saturating_add);
            u32::try_from(parts).unwrap_or(u32::MAX).min(most)
        }
        Stage::Merging | Stage::Merged | Stage::Ended => 0,
    }
}
