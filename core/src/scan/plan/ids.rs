//! Lists that are entered by id, and whether a server's can be at all.
//!
//! The first probe is the list's newest page. Where the next one begins at a bare position, ids are numbers, and
//! a range can begin at any of them; where it begins at a token nobody can compute, the list is a chain. The
//! other probes go to where most rows are expected: its ids are those of a whole server, and an account may have its
//! followers in a hundredth of them.

use super::{AccountReport, Place, Probe, Space, Wishes, keyed, range_count};
use crate::scan::range::NEWEST;

/// Up to so many pages a list is read in one piece: what a probe costs is more than cutting it would save.
const CHAIN_PAGES: i64 = 4;

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
    if wishes.since.is_some() {
        // One runner reads from the newest end: nothing is cut.
        return None;
    }
    let space = Space {
        newest: top(probes)?,
        ..space(probes)
    };
    if probes.len() == 1 && range_count(report.followers, wishes) > 1 {
        // The newest page began at no id: only the next one shows how densely they lie.
        return Some(Place::at(space.newest));
    }
    let ranges = range_count(report.followers, wishes);
    keyed::probe_at(space, probes, report.followers, ranges)
}

/// The space of a list by id.
pub(super) fn space(probes: &[Probe]) -> Space {
    Space {
        end: 0,
        oldest: floor(probes),
        newest: top(probes).unwrap_or(NEWEST),
        unit: 1,
    }
}

/// Where the list's first page ends; `None` unless every probe says that positions are ids.
pub fn top(probes: &[Probe]) -> Option<i64> {
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
