//! Rate-limit windows as rows, one a credential, family and length.

use followlytics_core::{
    platform::Family,
    scan::window::{Rule, Slot, Told, Window, give_back, take},
};
use jiff::Timestamp;

use super::{LedgerError, ScanRow};
use crate::{db::Tx, params};

/// Takes a slot of every window of this family, or none.
pub(super) async fn slot(tx: &mut Tx, scan: &ScanRow, family: Family, now: Timestamp) -> Result<Slot, LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    let slot = take(&mut windows, now, followlytics_core::scan::permit::START);
    if matches!(slot, Slot::Free { .. }) {
        store(tx, &scan.request.credential, &windows).await?;
    }
    Ok(slot)
}

/// When the next request of this family could start; `None` = now.
pub(super) async fn full_until(tx: &mut Tx, scan: &ScanRow, family: Family, now: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    match take(&mut windows, now, followlytics_core::scan::permit::START) {
        Slot::Free { .. } => Ok(None),
        Slot::Full { until } => Ok(Some(until)),
    }
}

/// Gives a slot back that was taken at `granted` and never used.
pub(super) async fn release(tx: &mut Tx, scan: &ScanRow, family: Family, granted: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    give_back(&mut windows, granted, now);
    store(tx, &scan.request.credential, &windows).await
}

/// Takes what the platform's headers said: they speak of the shortest window of the family.
pub(super) async fn learn(tx: &mut Tx, scan: &ScanRow, family: Family, told: Told, now: Timestamp) -> Result<(), LedgerError> {
    let mut windows = load(tx, scan, family).await?;
    let Some(shortest) = windows.iter_mut().min_by_key(|window| window.rule.window_ms) else { return Ok(()) };
    shortest.learn(told, now);
    store(tx, &scan.request.credential, &windows).await
}

async fn load(tx: &mut Tx, scan: &ScanRow, family: Family) -> Result<Vec<Window>, LedgerError> {
    let mut windows: Vec<Window> =
        scan.request.rules.iter().filter(|rule| rule.family == family).map(|rule| Window::new(*rule)).collect();
    let rows = tx
        .query(
            "SELECT window_ms, requests, used, reset FROM windows WHERE credential = $1 AND family = $2",
            params![&scan.request.credential, <&str>::from(family)],
        )
        .await?;
    for row in rows {
        let window_ms: i64 = row.get(0)?;
        if let Some(window) = windows.iter_mut().find(|window| window.rule.window_ms == window_ms) {
            window.rule = Rule { family, requests: row.get(1)?, window_ms };
            window.used = row.get(2)?;
            window.reset = row.get(3)?;
        }
    }
    Ok(windows)
}

async fn store(tx: &mut Tx, credential: &str, windows: &[Window]) -> Result<(), LedgerError> {
    for window in windows {
        tx.execute(
            "INSERT INTO windows (credential, family, window_ms, requests, used, reset) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (credential, family, window_ms) DO UPDATE SET requests = $4, used = $5, reset = $6",
            params![
                credential,
                <&str>::from(window.rule.family),
                window.rule.window_ms,
                window.rule.requests,
                window.used,
                window.reset,
            ],
        )
        .await?;
    }
    Ok(())
}
