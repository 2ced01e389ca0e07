//! Rate-limit windows as rows, one a credential, family and length.

use followlytics_core::{
    mutants::{self, Mutant},
    platform::Family,
    scan::{
        permit::START,
        share::Turn,
        window::{self, Rule, Slot, Told, Window, give_back, take},
    },
};
use jiff::Timestamp;

use super::{LedgerError, ScanRow, share::Share};
use crate::{
    db::{Row, Tx},
    params,
};

/// The length of no window: the row of a pause.
const PAUSE: i64 = 0;

/// The length of the window that only the platform's headers speak of; its row keeps the true one as its requests.
const UNSTATED: i64 = -1;

/// Takes a slot of every window of this family, or none: none is left, or what is left is for scans that go
/// before this one.
pub(super) async fn slot(
    tx: &mut Tx,
    scan: &ScanRow,
    family: Family,
    now: Timestamp,
) -> Result<Slot, LedgerError> {
    let (mut windows, paused) = load(tx, scan, scan.credential(), family).await?;
    if let Some(until) = paused.filter(|until| *until > now) {
        return Ok(Slot::Full { until });
    }
    if windows.is_empty() {
        return Ok(take(&mut windows, now, START));
    }
    let share = Share::read(tx, scan, family, now).await?;
    if let Some(until) = held_back(share.as_ref(), scan, &windows, now) {
        return Ok(Slot::Full { until });
    }
    let before = windows.clone();
    let slot = take(&mut windows, now, START);
    if windows != before {
        store(tx, scan.credential(), &windows).await?;
    }
    if matches!(slot, Slot::Free { .. })
        && let Some(share) = share
    {
        share.took(tx, scan, family).await?;
    }
    Ok(slot)
}

/// When the next request of this family could start; `None` = now.
pub(super) async fn full_until(
    tx: &mut Tx,
    scan: &ScanRow,
    family: Family,
    now: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let (windows, paused) = load(tx, scan, scan.credential(), family).await?;
    if let Some(until) = paused.filter(|until| *until > now) {
        return Ok(Some(until));
    }
    match take(&mut windows.clone(), now, START) {
        Slot::Full { until } => return Ok(Some(until)),
        Slot::Free { .. } if windows.is_empty() => return Ok(None),
        Slot::Free { .. } => {}
    }
    let share = Share::read(tx, scan, family, now).await?;
    Ok(held_back(share.as_ref(), scan, &windows, now))
}

fn held_back(share: Option<&Share>, scan: &ScanRow, windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    match share?.turn(scan, windows, now) {
        Turn::Now => None,
        Turn::Later(until) => Some(until),
    }
}

/// Gives a slot back that was taken at `granted` and never used.
pub(super) async fn release(
    tx: &mut Tx,
    scan: &ScanRow,
    (credential, family): (&str, Family),
    granted: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (mut windows, _) = load(tx, scan, credential, family).await?;
    give_back(&mut windows, granted, now, START);
    store(tx, credential, &windows).await
}

/// Pauses the credential: nothing that this family is counted with starts before then, whatever its windows have
/// left. They keep their counts.
pub(super) async fn pause(
    tx: &mut Tx,
    scan: &ScanRow,
    (credential, family): (&str, Family),
    until: Timestamp,
) -> Result<(), LedgerError> {
    let family = scan.request.account.platform.counted_as(family);
    tx.execute(
        "INSERT INTO windows (credential, family, window_ms, requests, used, reset, told) \
         VALUES ($1, $2, $3, 0, 0, $4, $5) \
         ON CONFLICT (credential, family, window_ms) DO UPDATE SET reset = \
           CASE WHEN windows.reset > $4 THEN windows.reset ELSE $4 END",
        params![credential, <&str>::from(family), PAUSE, until, true],
    )
    .await?;
    Ok(())
}

/// Takes what the platform's headers said: they speak of the shortest window that can end as late as they say,
/// of those that the platform tells of at all.
pub(super) async fn learn(
    tx: &mut Tx,
    scan: &ScanRow,
    (credential, family): (&str, Family),
    told: Told,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (mut windows, _) = load(tx, scan, credential, family).await?;
    let platform = scan.request.account.platform;
    let published = platform.limits(scan.auth()).rules;
    window::learn(&mut windows, told, &published, platform.facts().told_from_ms, now);
    store(tx, credential, &windows).await
}

/// The windows, and when a pause of the credential ends. The limits of a credential that the scan does not name any
/// more are those that were stored with its windows.
async fn load(
    tx: &mut Tx,
    scan: &ScanRow,
    credential: &str,
    family: Family,
) -> Result<(Vec<Window>, Option<Timestamp>), LedgerError> {
    let family = scan.request.account.platform.counted_as(family);
    let is_own = credential == scan.credential();
    let published = scan.request.account.platform.limits(scan.auth()).rules;
    let mut windows: Vec<Window> = scan
        .rules()
        .iter()
        .filter(|rule| rule.family == family && is_own)
        .map(|rule| Window {
            is_published: !rule.is_stated && published.contains(rule),
            ..Window::new(*rule)
        })
        .collect();
    let rows = tx
        .query(
            "SELECT window_ms, requests, used, reset, told, reported FROM windows WHERE credential = $1 AND family = $2",
            params![credential, <&str>::from(family)],
        )
        .await?;
    let mut paused = None;
    for row in rows {
        let window_ms: i64 = row.get(0)?;
        if window_ms == PAUSE {
            paused = row.get(3)?;
            continue;
        }
        if window_ms == UNSTATED {
            let mut window = Window::unstated(family);
            window.rule.window_ms = row.get(1)?;
            fill(&mut window, &row)?;
            windows.push(window);
            continue;
        }
        if !is_own {
            windows.push(Window::new(Rule::new(family, row.get(1)?, window_ms)));
        }
        if let Some(window) = windows
            .iter_mut()
            .find(|window| !window.is_unstated && window.rule.window_ms == window_ms)
        {
            // What is stated may have been edited since: only counts and what the platform said are kept.
            fill(window, &row)?;
            if mutants::on(Mutant::EditedLimitIgnored) {
                window.rule.requests = row.get(1)?;
            }
        }
    }
    Ok((windows, paused))
}

/// Takes over what is stored of a window's use.
fn fill(window: &mut Window, row: &Row) -> Result<(), LedgerError> {
    window.used = row.get(2)?;
    window.reset = row.get(3)?;
    window.told = row.get(4)?;
    window.reported = row.get(5)?;
    Ok(())
}

async fn store(tx: &mut Tx, credential: &str, windows: &[Window]) -> Result<(), LedgerError> {
    for window in windows {
        let (length, requests) = match window {
            _ if window.is_unstated => (UNSTATED, window.rule.window_ms),
            // As another scan reads it that does not know where it comes from.
            _ if window.is_published => (window.rule.window_ms, window.rule.requests.max(window.limit())),
            _ => (window.rule.window_ms, window.rule.requests),
        };
        tx.execute(
            "INSERT INTO windows (credential, family, window_ms, requests, used, reset, told, reported) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (credential, family, window_ms) DO UPDATE SET requests = $4, used = $5, reset = $6, told = $7, \
               reported = $8",
            params![
                credential,
                <&str>::from(window.rule.family),
                length,
                requests,
                window.used,
                window.reset,
                window.told,
                window.reported,
            ],
        )
        .await?;
    }
    Ok(())
}
