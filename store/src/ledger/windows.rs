//! Rate-limit windows as rows, one a credential, family and length.

use followlytics_core::{
    platform::Family,
    scan::{
        permit::START,
        share::Turn,
        window::{Rule, Slot, Told, Window, give_back, take},
    },
};
use jiff::Timestamp;

use super::{LedgerError, ScanRow, share::Share};
use crate::{db::Tx, params};

/// Takes a slot of every window of this family, or none: none is left, or what is left is for scans that go
/// before this one.
pub(super) async fn slot(
    tx: &mut Tx,
    scan: &ScanRow,
    family: Family,
    now: Timestamp,
) -> Result<Slot, LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    if windows.is_empty() {
        return Ok(take(&mut windows, now, START));
    }
    let share = Share::read(tx, scan, family, now).await?;
    if let Some(until) = held_back(share.as_ref(), scan, &windows, now) {
        return Ok(Slot::Full { until });
    }
    let slot = take(&mut windows, now, START);
    if matches!(slot, Slot::Free { .. }) {
        store(tx, &scan.request.credential, &windows).await?;
        if let Some(share) = share {
            share.took(tx, scan, family).await?;
        }
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
    let windows = load(tx, scan, family).await?;
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
    family: Family,
    granted: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    give_back(&mut windows, granted, now);
    store(tx, &scan.request.credential, &windows).await
}

/// Takes what the platform's headers said: they speak of the shortest window of the family.
pub(super) async fn learn(
    tx: &mut Tx,
    scan: &ScanRow,
    family: Family,
    told: Told,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    let Some(shortest) = windows.iter_mut().min_by_key(|window| window.rule.window_ms) else {
        return Ok(());
    };
    shortest.learn(told, now);
    store(tx, &scan.request.credential, &windows).await
}

async fn load(tx: &mut Tx, scan: &ScanRow, family: Family) -> Result<Vec<Window>, LedgerError> {
    let mut windows: Vec<Window> = scan
        .request
        .rules
        .iter()
        .filter(|rule| rule.family == family)
        .map(|rule| Window::new(*rule))
        .collect();
    let rows = tx
        .query(
            "SELECT window_ms, requests, used, reset, told FROM windows WHERE credential = $1 AND family = $2",
            params![&scan.request.credential, <&str>::from(family)],
        )
        .await?;
    for row in rows {
        let window_ms: i64 = row.get(0)?;
        if let Some(window) = windows
            .iter_mut()
            .find(|window| window.rule.window_ms == window_ms)
        {
            window.rule = Rule {
                family,
                requests: row.get(1)?,
                window_ms,
            };
            window.used = row.get(2)?;
            window.reset = row.get(3)?;
            window.told = row.get(4)?;
        }
    }
    Ok(windows)
}

async fn store(tx: &mut Tx, credential: &str, windows: &[Window]) -> Result<(), LedgerError> {
    for window in windows {
        tx.execute(
            "INSERT INTO windows (credential, family, window_ms, requests, used, reset, told) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (credential, family, window_ms) DO UPDATE SET requests = $4, used = $5, reset = $6, told = $7",
            params![
                credential,
                <&str>::from(window.rule.family),
                window.rule.window_ms,
                window.rule.requests,
                window.used,
                window.reset,
                window.told,
            ],
        )
        .await?;
    }
    Ok(())
}
