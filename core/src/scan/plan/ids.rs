//! Lists that are entered by id, and whether a server's can be at all.
//!
//! The first probe is the list's newest page. Where the next one begins at a bare position, ids are numbers, and
//! a range can begin at any of them; where it begins at a token nobody can compute, the list is a chain. The
//! other probes bisect what lies between the list's ends: its ids are those of a whole server, and an account
//! may have its followers in a hundredth of them.

use super::{AccountReport, Place, Probe, Wishes, range_count};
use crate::scan::range::NEWEST;

/// Under so many pages a list is read as a chain: what a probe costs is more than cutting it would save.
const CHAIN_PAGES: i64 = 4;
/// Most probes beside the first.
const PROBES: i64 = 8;

/// Where the next probe should look.
pub(super) fn probe_at(
    page_rows: u32,
    report: &AccountReport,
    wishes: &Wishes,
    probes: &[Probe],
) -> Option<Place> {
    if wishes.max_rows > 0 || report.followers <= CHAIN_PAGES * i64::from(page_rows) {
        return None;
    }
    if probes.is_empty() {
        return Some(Place::at(NEWEST));
    }
    let (top, floor) = (top(probes)?, floor(probes));
    let ranges = range_count(report.followers, wishes);
    let wanted = if ranges < 2 { 0 } else { (2 * ranges).min(PROBES) };
    if i64::try_from(probes.len()).ok()? > wanted {
        return None;
    }
    let mut known: Vec<i64> = probes.iter().map(|probe| probe.asked.position).collect();
    known.retain(|at| (floor..top).contains(at));
    known.extend([floor, top]);
    known.sort_unstable();
    // The widest gap, the newest of several alike.
    let gaps = known.iter().zip(known.iter().skip(1));
    let (lo, hi) = gaps.max_by_key(|(lo, hi)| *hi - *lo)?;
    let middle = lo + (hi - lo) / 2;
    (middle > *lo).then_some(Place::at(middle))
}

/// Where the list's first page ends; `None` unless every probe says that positions are ids.
pub(super) fn top(probes: &[Probe]) -> Option<i64> {
    let first = probes.iter().find(|probe| probe.asked.position == NEWEST)?;
    let opaque = probes
        .iter()
        .filter_map(|probe| probe.next.as_ref())
        .any(|next| next.cursor.is_some());
    let top = first.next.as_ref()?.position;
    (!opaque && top > 0 && top < NEWEST).then_some(top)
}

/// Below this id the probes found nothing.
pub fn floor(probes: &[Probe]) -> i64 {
    probes
        .iter()
        .filter(|probe| probe.rows == 0 && probe.next.is_none())
        .map(|probe| probe.asked.position)
        .filter(|at| *at < NEWEST)
        .max()
        .unwrap_or(0)
}
