//! What must hold after every message. Names as in the design's list of invariants.

mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use followlytics_core::{
    money::Usd,
    scan::range::{Kind, Range, Span, tiles},
};
use followlytics_simulator::{Endpoint, World};
use followlytics_store::{
    db::Db,
    ledger::{Ledger, ScanRow},
    params,
};
use jiff::Timestamp;

use super::{net::Leg, scenario::Clocks, shared::Shared, world, worlds::ROW};

/// What was seen so far, to compare with.
#[derive(Default)]
pub(super) struct Invariants {
    pub(super) watched: Option<Watched>,
    /// The ranges as they were last seen.
    ranges: BTreeMap<(String, u32), Range>,
    /// (scan, range) → each grant: its epoch, when, and the page that was next.
    pub(super) grants: BTreeMap<(String, u32), Vec<Grant>>,
    /// (scan, range, epoch) → holder.
    holders: BTreeMap<(String, u32, u64), String>,
    /// (scan, range) → its last page.
    last_page: BTreeMap<(String, u32), LastPage>,
    last_page_number: i64,
    /// Rows that had been written when the ledger was last looked at.
    written: i64,
    last_request: u64,
    /// Requests of the platform that were refused for being too many, not counting faults.
    pub(super) too_many: u64,
    /// Scans that are suspended for good, and the platform's order when they became so.
    pub(super) suspended: BTreeMap<String, Pause>,
    /// Refreshes under way.
    pub(super) refreshing: u32,
    /// Fresh pairs that reached the refresher, and that the platform gave out.
    pub(super) pairs_delivered: u64,
    pairs_given: u64,
    /// Largest budget of each scan.
    pub(super) budgets: BTreeMap<String, Usd>,
    /// The most that X's Credential may hold in this month; none while it may spend everything.
    pub(super) month: Option<Usd>,
    /// Rows that X charged for and nobody had asked for.
    pub(super) surplus_rows: i64,
    /// How each scan is being read.
    reading: BTreeMap<String, sources::Reading>,
}

/// The page of a range that was committed last.
struct LastPage {
    seq: i64,
    epoch: i64,
    output: (i64, Option<String>),
}

/// A range's epoch was raised.
pub(super) struct Grant {
    pub(super) epoch: u64,
    pub(super) at: Timestamp,
    pub(super) seq: u32,
}

/// A pause that is true.
pub(super) struct Pause {
    pub(super) account: String,
    pub(super) since: u64,
}

/// Where to look.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) db: Db,
    pub(super) ledger: Ledger,
    pub(super) world: Arc<World>,
    /// Uids of the scans.
    pub(super) scans: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn uids(&self) -> Vec<String> {
        self.scans.lock().map(|scans| scans.clone()).unwrap_or_default()
    }
}

/// Checks everything that can be checked at any moment.
pub(super) async fn after_message(shared: &Shared, leg: Leg, path: &str, answered: bool) {
    let watched = {
        let mut state = shared.lock();
        state.hops += 1;
        if state.broken.is_some() {
            return;
        }
        state.invariants.watched.clone()
    };
    let Some(watched) = watched else { return };
    if leg == Leg::Platform {
        platform(shared, &watched);
        if let Err(what) = charged(shared, &watched).await {
            shared.report(what);
        }
        return;
    }
    match written(&watched).await {
        // Many messages write nothing, and what has not changed holds still.
        Ok(written) if written == shared.lock().invariants.written => return,
        Ok(written) => shared.lock().invariants.written = written,
        Err(what) => shared.report(what),
    }
    for uid in &watched.uids() {
        if let Err(what) = scan(shared, &watched, uid).await {
            shared.report(format!("{what} ({uid})"));
        }
    }
    // When a lease ends is not known once its clock was set.
    if shared.scenario.clocks.database.is_none()
        && let Err(what) = stolen(&watched).await
    {
        shared.report(what);
    }
    if let Err(what) = pages(shared, &watched, answered && path.ends_with("/pages")).await {
        shared.report(what);
    }
}

/// Rows that were written since the database was opened, over its one connection.
async fn written(watched: &Watched) -> Result<i64, String> {
    let row = watched.db.find("SELECT total_changes()", params![]).await;
    let row = row.map_err(|error| error.to_string())?;
    row.map_or(Ok(0), |row| row.get(0))
        .map_err(|error| error.to_string())
}

async fn scan(shared: &Shared, watched: &Watched, uid: &str) -> Result<(), String> {
    let Some(row) = watched
        .ledger
        .find_scan(uid)
        .await
        .map_err(|error| format!("unreadable: {error}"))?
    else {
        return Ok(());
    };
    let ranges = watched
        .ledger
        .list_ranges(uid)
        .await
        .map_err(|error| format!("unreadable: {error}"))?;
    cover(&row, &ranges)?;
    sources::one_session(&ranges, shared.ledger_now())?;
    sources::note(shared, &row, &ranges);
    let budget = {
        let mut state = shared.lock();
        fence(&mut state.invariants, uid, &ranges, shared.ledger_now())?;
        let largest = state
            .invariants
            .budgets
            .entry(uid.to_owned())
            .or_insert(row.purse.budget);
        *largest = (*largest).max(row.purse.budget);
        *largest
    };
    let held = row.purse.spent.plus(row.purse.reserved).plus(row.purse.ambiguous);
    if held > budget {
        return Err(format!("BUDGET: {held} held of {budget}"));
    }
    money(watched, uid, &row).await
}

/// Watches every single write: a live lease must be nobody else's, in whatever order things are looked at.
const WATCH: [&str; 4] = [
    "CREATE TABLE stolen (what TEXT)",
    "CREATE TRIGGER live_lease AFTER UPDATE ON ranges \
     WHEN OLD.holder <> NEW.holder AND OLD.lease_until > NEW.leased_at \
     BEGIN INSERT INTO stolen VALUES (OLD.scan || '/' || OLD.id || ' was still ' || OLD.holder); END",
    // The numbers of rows that were deleted are used again.
    "CREATE TABLE page_log (number INTEGER PRIMARY KEY AUTOINCREMENT, scan TEXT, range_id INTEGER, seq INTEGER, \
     epoch INTEGER, input_position INTEGER, input_cursor TEXT, output_position INTEGER, output_cursor TEXT)",
    "CREATE TRIGGER page_log AFTER INSERT ON pages BEGIN INSERT INTO page_log SELECT NULL, NEW.scan, NEW.range_id, \
     NEW.seq, NEW.epoch, NEW.input_position, NEW.input_cursor, NEW.output_position, NEW.output_cursor; END",
];

/// Prepares the database to be watched.
pub(super) async fn watch(db: &Db) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    for statement in WATCH {
        tx.execute(statement, params![]).await?;
    }
    Ok(tx.commit().await?)
}

/// ONE-HOLDER: no live lease was given to somebody else.
async fn stolen(watched: &Watched) -> Result<(), String> {
    let mut tx = watched.db.begin().await.map_err(|error| error.to_string())?;
    let found = tx
        .find("SELECT what FROM stolen", params![])
        .await
        .map_err(|error| error.to_string())?;
    found.map_or(Ok(()), |row| {
        Err(format!(
            "ONE-HOLDER: {}",
            row.get::<String>(0).unwrap_or_default()
        ))
    })
}

/// COVER and DISJOINT: the listing ranges tile the planned space.
fn cover(row: &ScanRow, ranges: &[Range]) -> Result<(), String> {
    let Some(root) = row.plan.as_ref().and_then(|plan| plan.root) else {
        return Ok(());
    };
    let spans: Vec<Span> = ranges
        .iter()
        .filter(|r| r.kind == Kind::Listing)
        .filter_map(|r| r.span)
        .collect();
    if tiles(root, &spans) {
        Ok(())
    } else {
        Err(format!("COVER/DISJOINT: {spans:?} do not tile {root:?}"))
    }
}

/// FENCE and ONE-HOLDER: epochs only grow, an epoch has one holder, a sandbox holds one range.
fn fence(seen: &mut Invariants, uid: &str, ranges: &[Range], now: Timestamp) -> Result<(), String> {
    let mut holding = BTreeSet::new();
    for range in ranges {
        let key = (uid.to_owned(), range.id);
        let before = seen.ranges.insert(key.clone(), range.clone());
        let epoch = before.as_ref().map_or(0, |before| before.epoch);
        if range.epoch < epoch {
            return Err(format!(
                "FENCE: range {} went from epoch {epoch} to {}",
                range.id, range.epoch
            ));
        }
        if range.epoch > epoch {
            let seq = before.as_ref().map_or(0, |before| before.seq);
            seen.grants.entry(key).or_default().push(Grant {
                epoch: range.epoch,
                at: now,
                seq,
            });
        }
        let Some(holder) = &range.holder else { continue };
        let first = seen
            .holders
            .entry((uid.to_owned(), range.id, range.epoch))
            .or_insert_with(|| holder.clone());
        if first != holder {
            return Err(format!(
                "ONE-HOLDER: range {} epoch {} was {first}'s and is {holder}'s",
                range.id, range.epoch
            ));
        }
        if range.is_held(now) && !holding.insert(holder.clone()) {
            return Err(format!("ONE-HOLDER: {holder} holds two ranges"));
        }
    }
    Ok(())
}

/// Whether nobody sets a clock that windows are counted by.
fn are_right(clocks: Clocks) -> bool {
    clocks.database.is_none() && clocks.runners.is_none()
}

/// BUDGET: what the platform charged is covered by what the ledger holds, at every instant, but for rows that nobody
/// asked for. MONTH: what its Credential holds is covered by its month.
async fn charged(shared: &Shared, watched: &Watched) -> Result<(), String> {
    let charged = Usd::from_nanos(watched.world.totals().charged_nano_usd);
    if charged == Usd::ZERO {
        return Ok(());
    }
    let sql = "SELECT (SELECT COALESCE(SUM(price), 0) FROM usage) \
               + (SELECT COALESCE(SUM(price), 0) FROM permits WHERE state IN ('Open', 'Ambiguous')) \
               + (SELECT COALESCE(SUM(price), 0) FROM ambiguous_charges WHERE scan NOT IN (SELECT uid FROM scans))";
    let row = watched.db.find(sql, params![]).await;
    let row = row.map_err(|error| error.to_string())?;
    let held = row
        .map_or(Ok(0), |row| row.get(0))
        .map_err(|error| error.to_string())?;
    let held = Usd::from_nanos(held);
    let surplus = ROW.times(shared.lock().invariants.surplus_rows);
    if charged > held.plus(surplus) {
        return Err(format!(
            "BUDGET: the platform charged {charged}, {surplus} of it for rows too many; the ledger holds {held}"
        ));
    }
    month(shared, watched, surplus).await
}

async fn month(shared: &Shared, watched: &Watched, surplus: Usd) -> Result<(), String> {
    let Some(month) = shared.lock().invariants.month else {
        return Ok(());
    };
    let held = watched.ledger.month_used(world::CREDENTIAL).await;
    let held = held.map_err(|error| error.to_string())?;
    if held > month.plus(surplus) {
        return Err(format!("MONTH: {held} held of {month}"));
    }
    Ok(())
}

/// The purse is the sum of its permits and charges.
async fn money(watched: &Watched, uid: &str, row: &ScanRow) -> Result<(), String> {
    let sum = async |sql: &str| -> Result<i64, String> {
        let mut tx = watched.db.begin().await.map_err(|error| error.to_string())?;
        let found = tx
            .find(sql, params![uid])
            .await
            .map_err(|error| error.to_string())?;
        found
            .map_or(Ok(0), |row| row.get(0))
            .map_err(|error| error.to_string())
    };
    for (name, kept, sql) in [
        (
            "reserved",
            row.purse.reserved,
            "SELECT COALESCE(SUM(price), 0) FROM permits WHERE scan = $1 AND state = 'Open'",
        ),
        (
            "ambiguous",
            row.purse.ambiguous,
            "SELECT COALESCE(SUM(price), 0) FROM permits WHERE scan = $1 AND state = 'Ambiguous'",
        ),
        (
            "spent",
            row.purse.spent.plus(row.purse.surplus),
            "SELECT COALESCE(SUM(price), 0) FROM usage WHERE scan = $1",
        ),
    ] {
        let counted = sum(sql).await?;
        if counted != kept.nanos() {
            return Err(format!(
                "BUDGET: {name} is {} and its rows add up to {counted}",
                kept.nanos()
            ));
        }
    }
    Ok(())
}

/// PAGE-ONCE and FENCE: pages follow one another, under epochs that never fall.
async fn pages(shared: &Shared, watched: &Watched, posted: bool) -> Result<(), String> {
    let last = shared.lock().invariants.last_page_number;
    let mut tx = watched.db.begin().await.map_err(|error| error.to_string())?;
    let rows = tx
        .query(
            "SELECT number, scan, range_id, seq, epoch, input_position, input_cursor, output_position, output_cursor \
             FROM page_log WHERE number > $1 ORDER BY number",
            params![last],
        )
        .await
        .map_err(|error| error.to_string())?;
    drop(tx);
    let mut state = shared.lock();
    for row in rows {
        let text = |error: followlytics_store::db::DbError| error.to_string();
        let (scan, range): (String, u32) = (row.get(1).map_err(text)?, row.get(2).map_err(text)?);
        let (seq, epoch): (i64, i64) = (row.get(3).map_err(text)?, row.get(4).map_err(text)?);
        let input: (i64, Option<String>) = (row.get(5).map_err(text)?, row.get(6).map_err(text)?);
        let output: (i64, Option<String>) = (row.get(7).map_err(text)?, row.get(8).map_err(text)?);
        let key = (scan, range);
        let current = state
            .invariants
            .ranges
            .get(&key)
            .map_or(0, |range| i64::try_from(range.epoch).unwrap_or(i64::MAX));
        if epoch < current && posted {
            return Err(format!(
                "FENCE: page {seq} of {key:?} was committed under epoch {epoch}, the range has {current}"
            ));
        }
        if epoch < current {
            *state.coverage.entry("adopted").or_insert(0) += 1;
        }
        state.invariants.last_page_number = row.get(0).map_err(text)?;
        if let Some(last) = state.invariants.last_page.get(&key) {
            // A cursor of the platform's that expired is left out, and the place stays; a list that cannot be entered
            // begins again at its newest end.
            let anew = input.1.is_none() && (input.0 == last.output.0 || input.0 == i64::MAX);
            let restart = input == (0, None) || anew;
            if seq != last.seq + 1 {
                return Err(format!(
                    "PAGE-ONCE: page {seq} of {key:?} follows page {}",
                    last.seq
                ));
            }
            if epoch < last.epoch {
                return Err(format!(
                    "FENCE: page {seq} of {key:?} has epoch {epoch} after {}",
                    last.epoch
                ));
            }
            if !restart && input != last.output {
                return Err(format!(
                    "PAGE-ONCE: page {seq} of {key:?} begins at {input:?}, the last ended at {:?}",
                    last.output
                ));
            }
        } else if seq != 0 {
            return Err(format!("PAGE-ONCE: the first page of {key:?} is {seq}"));
        }
        state
            .invariants
            .last_page
            .insert(key, LastPage { seq, epoch, output });
    }
    Ok(())
}

/// RATE, PAUSE: what the platform itself saw.
fn platform(shared: &Shared, watched: &Watched) {
    let mut state = shared.lock();
    let requests = watched.world.requests(state.invariants.last_request, 1000);
    let mut broken = None;
    for request in requests {
        state.invariants.last_request = request.number;
        if request.fault.as_deref() == Some("DuplicatedRow") && request.charged_nano_usd > 0 {
            state.invariants.surplus_rows += 1;
        }
        // Who sets the clock that windows are counted by may have a request refused, and no more than that.
        if request.status == 429 && request.fault.is_none() && are_right(shared.scenario.clocks) {
            state.invariants.too_many += 1;
            broken.get_or_insert_with(|| {
                format!("RATE: request {} was one too many in its window", request.number)
            });
        }
        if request.endpoint == Endpoint::Token {
            match request.status {
                200 => state.invariants.pairs_given += 1,
                400 if state.invariants.pairs_given == state.invariants.pairs_delivered => {
                    broken.get_or_insert_with(|| {
                        "TOKEN: a refresh token was used twice although no answer was lost".to_owned()
                    });
                }
                _ => {}
            }
        }
        let account = request
            .account
            .clone()
            .or(request.asked.clone())
            .unwrap_or_default();
        let paused = state
            .invariants
            .suspended
            .values()
            .find(|pause| pause.account == account && request.order > pause.since);
        if let Some(pause) = paused {
            broken.get_or_insert_with(|| {
                format!(
                    "PAUSE: request {} for {} after Suspended was true",
                    request.number, pause.account
                )
            });
        }
    }
    drop(state);
    if let Some(what) = broken {
        shared.report(what);
    }
}
