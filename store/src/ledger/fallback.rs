//! Fallback: a source gives out, or turns out not to be entered in its middle, and the scan goes on otherwise.

use followlytics_core::{
    platform::{Family, Seek},
    scan::{
        entry::{Entry, enter_anew},
        fallback::takes_over,
        lease,
        plan::{Plan, Planned, Sharing},
        range::{Kind, NEWEST, Place, Range},
        source::{Choice, Source, share_out as choose},
    },
};
use jiff::Timestamp;

use super::{LedgerError, ScanRow, found, months, ranges};
use crate::{db::Tx, params};

/// Most ranges that are entered by stored cursors.
const STORED: usize = 64;

/// Which sources a planned scan begins with.
pub(super) async fn share_out(
    tx: &mut Tx,
    scan: &ScanRow,
    plan: Plan,
    now: Timestamp,
) -> Result<Plan, LedgerError> {
    let request = &scan.request;
    if request.browser.is_none() {
        return Ok(plan);
    }
    let platform = request.account.platform;
    let page = platform.price(Family::Followers, i64::from(plan.page_rows).min(plan.rows));
    let money = (plan.price.minus(scan.purse.spent), scan.purse.left(), page);
    let month = months::of_api(tx, scan, now).await?;
    let api_is_out = scan
        .held(Source::Api, now)
        .is_some_and(|hold| hold.until.is_none());
    // Refused to the look-up, the API would be to the list.
    let web_alone = api_is_out && relief(scan, Source::Api, now).is_some();
    let choice = match choose(request.source, money, month, request.browser()) {
        _ if web_alone => Choice::Only(Source::Browser),
        Ok(Choice::Both) if !plan.can_meet() => Choice::Only(Source::Browser),
        Ok(choice) => choice,
        // What no money is left for is told when the API is asked.
        Err(_) => Choice::Only(Source::Api),
    };
    Ok(match sharing(scan, now) {
        Some(sharing) => plan.shared_out(choice, &sharing),
        None => plan,
    })
}

/// The range's source gave out: the other one takes over, where that is allowed and paid for. Its hold stays.
pub(super) async fn fall_back(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let Some(other) = relief(scan, range.source, now) else {
        return Ok(());
    };
    if range.kind == Kind::Resolve {
        range.source = other;
        // Whoever holds it asks again, and is told of the other source.
        lease::give_back(range);
        return Ok(());
    }
    help(tx, scan, other, now).await
}

/// After a page of a browser: where it is too slow, the API helps.
pub(super) async fn watch_speed(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &Range,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let thresholds = scan.plan.as_ref().and_then(|plan| plan.thresholds);
    // Under one lease nobody paused the scan, and nothing was held: what is slow then is the browser.
    let (Some(thresholds), Some(since), Source::Browser) = (thresholds, range.leased_at, range.source) else {
        return Ok(());
    };
    let elapsed = now.duration_since(since);
    if !thresholds.is_due(elapsed) {
        return Ok(());
    }
    let sql = "SELECT CAST(COALESCE(SUM(p.lines), 0) AS BIGINT) FROM pages p \
               JOIN ranges r ON r.scan = p.scan AND r.id = p.range_id \
               WHERE p.scan = $1 AND r.source = 'Browser' AND p.committed_at >= $2";
    let rows = tx.find(sql, params![&scan.request.uid, since]).await?;
    let rows: i64 = rows.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    if !thresholds.is_slow(rows, scan.page_rows(), elapsed, scan.rules()) {
        return Ok(());
    }
    match relief(scan, range.source, now) {
        Some(other) => help(tx, scan, other, now).await,
        None => Ok(()),
    }
}

/// The source that takes over from this one, if it may and does not wait itself.
fn relief(scan: &ScanRow, from: Source, now: Timestamp) -> Option<Source> {
    let request = &scan.request;
    let money_left = scan.purse.left() >= request.account.platform.price(Family::Followers, 1);
    let other = takes_over(from, request.source, request.browser(), money_left);
    other.filter(|other| scan.held(*other, now).is_none())
}

/// Adds the other source's side to a scan, once.
async fn help(tx: &mut Tx, scan: &mut ScanRow, other: Source, now: Timestamp) -> Result<(), LedgerError> {
    let there = |range: &Range| range.kind == Kind::Listing && range.source == other;
    let all = ranges::all(tx, &scan.request.uid).await?;
    let plan = scan.plan.clone().filter(|_| !all.iter().any(there));
    let (Some(mut plan), Some(sharing)) = (plan, sharing(scan, now)) else {
        return Ok(());
    };
    let added = match other {
        Source::Browser => {
            let choice = if plan.can_meet() {
                Choice::Both
            } else {
                Choice::Only(Source::Browser)
            };
            let shared = plan.clone().shared_out(choice, &sharing);
            plan.root = shared.root;
            let web = |range: &Planned| range.source == Source::Browser;
            shared.ranges.into_iter().filter(web).collect()
        }
        Source::Api => {
            plan.seek = Seek::Chain;
            plan.page_rows = scan.request.account.platform.facts().page_rows;
            vec![Planned {
                span: None,
                rows: plan.rows,
                source: Source::Api,
            }]
        }
    };
    found::add_ranges(tx, scan, &plan, &added).await?;
    plan.ranges.extend(added);
    scan.plan = Some(plan);
    Ok(())
}

/// What became of a place that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// The list is read otherwise from now on.
    Anew,
    /// It is to be tried as it is, after a while.
    Later,
}

/// Refusals without a page in between after which a list that could be entered once is taken to be closed.
const REFUSALS: u32 = 3;

/// A browser's list refused to be entered where it was: by stored cursors then, or from its newest end.
pub(super) async fn refuse_entry(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
) -> Result<Entered, LedgerError> {
    let Some(mut plan) = scan.plan.clone() else {
        return Ok(Entered::Later);
    };
    if range.place.cursor.take().is_some() && plan.entry == Entry::Computed {
        // The platform's own cursor has expired: one that is computed may still do.
        return Ok(Entered::Anew);
    }
    let uid = scan.request.uid.clone();
    let was_entered = |other: &Range| {
        other.source == Source::Browser
            && other.rows > 0
            && other
                .span
                .is_some_and(|span| span.hi < NEWEST && !span.is_empty())
    };
    if plan.entry == Entry::Computed
        && scan.hold_rounds < REFUSALS
        && ranges::all(tx, &uid).await?.iter().any(was_entered)
    {
        return Ok(Entered::Later);
    }
    // Who begins at the newest end again and again gets no further: later, then.
    let entered = match plan.entry {
        Entry::Computed | Entry::Stored => Entered::Anew,
        Entry::Newest => Entered::Later,
    };
    let stored = match plan.entry {
        // Where only the first rows are wanted, one reader goes from the newest on.
        Entry::Computed if plan.can_meet() => stored(tx, scan).await?,
        Entry::Computed | Entry::Stored | Entry::Newest => Vec::new(),
    };
    plan.entry = if stored.is_empty() {
        Entry::Newest
    } else {
        Entry::Stored
    };
    // One reader a stretch, and none may be cut where no cursor is known.
    plan.seek = Seek::Chain;
    scan.plan = Some(plan);
    ranges::put(tx, &uid, range).await?;
    let mut all = ranges::all(tx, &uid).await?;
    scan.requests.refetched_rows += enter_anew(&mut all, range.id, &stored);
    for changed in &all {
        ranges::put(tx, &uid, changed).await?;
        if changed.id == range.id {
            *range = changed.clone();
        }
    }
    Ok(entered)
}

/// How often the range was read from the newest end of the list.
pub(super) async fn passes(tx: &mut Tx, scan: &ScanRow, range: &Range) -> Result<u32, LedgerError> {
    let sql = "SELECT COUNT(*) FROM pages WHERE scan = $1 AND range_id = $2 AND input_position = $3";
    let row = tx.find(sql, params![&scan.request.uid, range.id, NEWEST]).await?;
    let count: i64 = row.map(|row| row.get(0)).transpose()?.unwrap_or(0);
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Places that the platform led earlier scans of this account to, the oldest first and evenly chosen.
async fn stored(tx: &mut Tx, scan: &ScanRow) -> Result<Vec<Place>, LedgerError> {
    let account = &scan.request.account;
    let rows = tx
        .query(
            "SELECT p.output_position, MAX(p.output_cursor) FROM pages p \
             JOIN ranges r ON r.scan = p.scan AND r.id = p.range_id JOIN scans s ON s.uid = p.scan \
             WHERE s.platform = $1 AND s.handle = $2 AND s.namespace = $3 AND s.uid <> $4 \
               AND r.source = 'Browser' AND p.output_cursor IS NOT NULL AND p.exhausted = $5 \
             GROUP BY p.output_position ORDER BY p.output_position",
            params![
                <&str>::from(account.platform),
                &account.handle,
                &scan.request.namespace,
                &scan.request.uid,
                false,
            ],
        )
        .await?;
    let step = rows.len().div_ceil(STORED).max(1);
    rows.iter()
        .step_by(step)
        .map(|row| {
            Ok(Place {
                position: row.get(0)?,
                cursor: row.get(1)?,
            })
        })
        .collect()
}

fn sharing(scan: &ScanRow, now: Timestamp) -> Option<Sharing<'_>> {
    Some(Sharing {
        platform: scan.request.account.platform,
        report: scan.report.as_ref()?,
        wishes: &scan.request.wishes,
        rules: scan.request.rules_of(Source::Browser),
        spent: scan.purse.spent,
        now: scan.started.unwrap_or(now),
    })
}
