//! How often a status is written: at once when something happened, seldom when only figures moved.

use followlytics_crds::{ScanStatus, WaitingOn};
use jiff::Timestamp;

use super::Policy;

/// The status to write now, and when a withheld one is due.
///
/// A hundred scans of a hundred pages a second would otherwise be ten thousand writes a second.
pub(super) fn throttle(
    before: Option<&ScanStatus>,
    next: ScanStatus,
    written: Option<Timestamp>,
    policy: &Policy,
    now: Timestamp,
) -> (ScanStatus, Option<Timestamp>) {
    // A clock that was set back since withholds nothing.
    let written = written.filter(|at| *at <= now);
    let due = written.and_then(|at| at.saturating_add(policy.progress_every).ok());
    match (before, due) {
        (Some(before), Some(due)) if *before != next && steady(before) == steady(&next) && now < due => {
            (before.clone(), Some(due))
        }
        _ => (next, None),
    }
}

/// The status without what moves all the time.
fn steady(status: &ScanStatus) -> ScanStatus {
    let waiting_on = status.waiting_on.as_ref().map(|waiting| WaitingOn {
        reason: waiting.reason.clone(),
        message: None,
        until: None,
    });
    ScanStatus {
        progress: None,
        cost: None,
        waiting_on,
        ..status.clone()
    }
}
