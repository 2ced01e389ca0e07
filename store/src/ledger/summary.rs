//! Summaries: what the controller, the command line and `why` read of a scan.

use followlytics_core::{
    mutants::{self, Mutant},
    platform::Family,
    scan::{
        density,
        plan::Plan,
        range::{Kind, Range, State},
        source::Source,
        summary::{Hold, RangeTally, Stage, Summary},
    },
    wire::Mode,
};
use jiff::{SignedDuration, Timestamp};

use super::{Ledger, LedgerError, ScanRow, ranges, scans, windows};
use crate::{db::Tx, params};

/// A browser is kept through a whole window: a new session costs requests.
const PATIENCE_WITH_A_BROWSER: SignedDuration = SignedDuration::from_mins(20);
/// A window that opens later than this gives the runners back meanwhile.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

impl Ledger {
    /// What the ledger knows of a scan.
    pub async fn summary(&self, uid: &str) -> Result<Option<Summary>, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        let Some(mut scan) = scans::find(&mut tx, uid).await? else {
            return Ok(None);
        };
        let ranges = ranges::all(&mut tx, uid).await?;
        let open = tx
            .find(
                "SELECT COUNT(*) FROM permits WHERE scan = $1 AND state = 'Open'",
                params![uid],
            )
            .await?;
        // Before their time is over too: a killed runner's request was made, also where the scan ends at once.
        if !mutants::on(Mutant::KilledUncounted) {
            scan.requests.unanswered += super::permits::abandoned(&mut tx, uid).await?;
        }
        let waits = waits(&mut tx, &mut scan, &ranges, now).await?;
        let result = super::results::find(&mut tx, uid).await?;
        Ok(Some(Summary {
            stage: scan.stage,
            // Once nothing is left to read it is the merge that may be held.
            hold: held_by(&scan, &waits, now),
            failure: scan.failure.clone(),
            account_id: scan.report.as_ref().map(|report| report.id.clone()),
            expected: scan.plan.as_ref().map_or(0, Plan::rows_to_read),
            plan: scan.plan.clone(),
            scanned: scan.lines,
            ranges: tally(&ranges, now),
            requests: scan.requests,
            spent: scan.purse.spent,
            reserved: scan.purse.reserved,
            ambiguous: scan.purse.ambiguous,
            surplus: scan.purse.surplus,
            kept_credential: kept_credential(&scan, &ranges),
            open_permits: open.map(|row| row.get(0)).transpose()?.unwrap_or(0),
            wanted_runners: wanted(&mut scan, &ranges, &waits, now),
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

/// The credential of a chain that the scan does not name any more.
fn kept_credential(scan: &ScanRow, ranges: &[Range]) -> Option<String> {
    let open = ranges.iter().filter(|range| range.state == State::Open);
    let mut kept = open.filter_map(|range| range.kept_terms(&scan.request));
    kept.next().map(|terms| terms.credential.clone())
}

/// What the scan waits on. What a user has to mend is said before the lack of consent, which a command mends.
fn held_by(scan: &ScanRow, waits: &[Wait], now: Timestamp) -> Option<Hold> {
    // Once nothing is left to read it is the merge that may be held.
    let found = if waits.is_empty() {
        scan.held(Source::Api, now).cloned()
    } else {
        hold(waits)
    };
    match found {
        Some(hold) if hold.until.is_none() => Some(hold),
        other => scan.interruption(now).or(other),
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

/// A source with something left to read, and what it waits on.
struct Wait {
    source: Source,
    hold: Option<Hold>,
    /// How long its runners wait with it.
    patience: SignedDuration,
}

/// What each source with something left to read waits on: a hold, or a full window.
async fn waits(
    tx: &mut Tx,
    scan: &mut ScanRow,
    ranges: &[Range],
    now: Timestamp,
) -> Result<Vec<Wait>, LedgerError> {
    let mut waits = Vec::new();
    for source in [Source::Api, Source::Browser] {
        let is_open = |range: &&Range| range.source == source && range.state == State::Open;
        // A chain is alone with its source: the first one speaks for all.
        let Some(first) = ranges.iter().find(is_open) else {
            continue;
        };
        scan.turn_to(first);
        // A runner that is told of a hold gives its lease back; only a full window is waited for with it.
        let (hold, patience) = match scan.held(source, now).cloned() {
            None => {
                // Before it lists it looks the account up, and then probes the list.
                let family = match (scan.stage, &scan.report) {
                    (Stage::Resolving, None) => Family::Lookup,
                    _ => Family::Followers,
                };
                let until = windows::full_until(tx, scan, family, now).await?;
                let hold = until.map(|until| window_hold(scan.credential(), until));
                (hold, patience(scan.stage, source))
            }
            hold => (hold, PATIENCE),
        };
        waits.push(Wait {
            source,
            hold,
            patience,
        });
    }
    Ok(waits)
}

/// What the scan as a whole waits on: nothing, while one of its sources goes on; what ends by itself before what a
/// person has to end.
fn hold(waits: &[Wait]) -> Option<Hold> {
    let holds: Option<Vec<&Hold>> = waits.iter().map(|wait| wait.hold.as_ref()).collect();
    holds?
        .into_iter()
        .min_by_key(|hold| (hold.until.is_none(), hold.until))
        .cloned()
}

fn window_hold(credential: &str, until: Timestamp) -> Hold {
    Hold {
        reason: "RateLimitWindow".to_owned(),
        message: format!(
            "the rate-limit window of {credential} has nothing left for this scan now; it goes on by itself"
        ),
        until: Some(until),
    }
}

/// Runners that would find work now: as many as there are parts worth a request, no more than are allowed.
fn wanted(scan: &mut ScanRow, ranges: &[Range], waits: &[Wait], now: Timestamp) -> u32 {
    if scan.mode(now) != Mode::Run {
        return 0;
    }
    let goes_on = |wait: &&Wait| match &wait.hold {
        None => true,
        Some(hold) => hold
            .until
            .is_some_and(|until| now.duration_until(until) <= wait.patience),
    };
    let mut parts: i64 = 0;
    for wait in waits.iter().filter(goes_on) {
        (scan.source, scan.terms) = (wait.source, None);
        parts = parts.max(match (scan.stage, wait.source) {
            (Stage::Merging | Stage::Merged | Stage::Ended, _) => 0,
            // One browser reads all there is, beside whatever else its sandbox does.
            (Stage::Resolving, _) | (Stage::Scanning, Source::Browser) => 1,
            (Stage::Scanning, Source::Api) => parts_of(scan, ranges),
        });
    }
    u32::try_from(parts)
        .unwrap_or(u32::MAX)
        .min(scan.request.wishes.max_runners)
}

/// Parts of the scan's source that are worth a runner.
fn parts_of(scan: &ScanRow, ranges: &[Range]) -> i64 {
    let page = i64::from(scan.page_rows());
    let splittable = scan.plan.as_ref().is_some_and(Plan::is_splittable);
    let grain = scan.grain();
    let outlook = density::outlook(ranges, grain.bounds());
    ranges
        .iter()
        .zip(&outlook)
        .filter(|(range, _)| range.state == State::Open && range.source == scan.source)
        .map(|(range, stretch)| {
            if splittable && !range.place.is_unread() {
                (stretch.expected() / (4 * page)).max(1)
            } else {
                1
            }
        })
        .fold(0, i64::saturating_add)
}

/// How long a window may take to open before its runners are given back.
const fn patience(stage: Stage, source: Source) -> SignedDuration {
    match (stage, source) {
        // What is left to be found out may need no request at all.
        (Stage::Resolving, _) => SignedDuration::MAX,
        (_, Source::Api) => PATIENCE,
        (_, Source::Browser) => PATIENCE_WITH_A_BROWSER,
    }
}
