//! Lists whose positions are keys: where the next probe asks, and ranges of equal numbers of rows.
//!
//! Probes go to where most rows are expected between two places that were seen, in the middle of those rows: so they
//! bisect towards the density, not towards the middle of a server's ids or of time.

use super::{Place, Planned, Probe};
use crate::{
    mutants::{self, Mutant},
    scan::{
        density::{self, Density, Stretch},
        range::{NEWEST, Span},
    },
};

/// Most probes of a list, the one at its newest end among them.
const PROBES: i64 = 5;

/// Positions that are keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    /// Where the lowest range ends.
    pub(super) end: i64,
    /// Nothing is expected below.
    pub(super) oldest: i64,
    /// Nothing is expected above.
    pub(super) newest: i64,
    /// Cuts fall on multiples of this.
    pub(super) unit: i64,
}

/// A stretch and the position of its near end, which is the newer one.
struct Part {
    top: i64,
    stretch: Stretch,
}

impl Part {
    /// The position below the newest of its rows, so many of them.
    fn below(&self, rows: f64, unit: i64) -> i64 {
        let at = self.top.saturating_sub(whole(self.stretch.distance_of(rows)));
        at - at.rem_euclid(unit)
    }
}

/// Where the next probe of a list of so many rows asks, if it is to be cut into so many ranges.
pub(super) fn probe_at(space: Space, probes: &[Probe], rows: i64, ranges: i64) -> Option<Place> {
    let made = i64::try_from(probes.len()).ok()?;
    if ranges < 2 || made >= PROBES.min(ranges) {
        return None;
    }
    if made == 0 {
        return Some(Place::at(NEWEST));
    }
    let parts = parts(space, probes, rows);
    let heaviest = parts
        .iter()
        .max_by(|a, b| a.stretch.rows().total_cmp(&b.stretch.rows()))?;
    let at = heaviest.below(heaviest.stretch.rows() / 2.0, space.unit);
    // A chain begins at 0.
    let is_new = probes.iter().all(|probe| probe.asked.position != at);
    (is_new && at > space.oldest && at < space.newest && at != 0).then_some(Place::at(at))
}

/// Ranges of equal numbers of rows, as far as the probes show; equal stretches without probes.
pub(super) fn ranges(space: Space, probes: &[Probe], rows: i64, count: i64) -> Vec<Planned> {
    let mut bounds = vec![space.end, NEWEST];
    bounds.extend(cuts(space, &parts(space, probes, rows), count));
    bounds.sort_unstable();
    bounds.dedup();
    let ranges = i64::try_from(bounds.len()).unwrap_or(2) - 1;
    let share = rows / ranges.max(1);
    bounds
        .iter()
        .zip(bounds.iter().skip(1))
        .map(|(lo, hi)| Planned::of_api(Some(Span { lo: *lo, hi: *hi }), share))
        .collect()
}

/// The `count - 1` bounds that cut the list into parts of equal numbers of rows.
fn cuts(space: Space, parts: &[Part], count: i64) -> Vec<i64> {
    let total: f64 = parts.iter().map(|part| part.stretch.rows()).sum();
    (1..count)
        .filter_map(|n| {
            let mut left = total * share(n, count);
            let part = parts.iter().find(|part| {
                let inside = left <= part.stretch.rows();
                left -= if inside { 0.0 } else { part.stretch.rows() };
                inside
            })?;
            Some(part.below(left, space.unit))
        })
        .filter(|at| *at > space.oldest && *at < space.newest)
        .collect()
}

/// What lies between the places that probes saw, the newest first.
fn parts(space: Space, probes: &[Probe], rows: i64) -> Vec<Part> {
    let Space { oldest, newest, .. } = space;
    let mut seen: Vec<(i64, f64)> = probes
        .iter()
        .filter_map(|probe| seen(space, probe))
        .filter(|(at, _)| (oldest..=newest).contains(at))
        .collect();
    seen.sort_by(|(a, _), (b, _)| b.cmp(a));
    let Some((first, rate)) = seen.first().copied() else {
        let length = newest.saturating_sub(oldest).max(1);
        let rate = Density { rows, extent: length }.rate().unwrap_or(0.0);
        let stretch = Stretch::new(length, rate, Some(rate));
        return vec![Part { top: newest, stretch }];
    };
    let mut tops = vec![(newest, rate)];
    tops.extend(seen.iter().copied().skip(usize::from(first == newest)));
    let beyond = |index: usize| match tops.get(index + 1) {
        Some((at, rate)) => (*at, Some(*rate)),
        // The account begins there, or nothing was found below.
        None => (oldest, None),
    };
    let mut stretches: Vec<Stretch> = tops
        .iter()
        .enumerate()
        .map(|(index, (top, near))| {
            let (bottom, far) = beyond(index);
            Stretch::new(top.saturating_sub(bottom), *near, far)
        })
        .collect();
    density::settle(&mut stretches, rows);
    let tops = tops.iter().map(|(top, _)| *top);
    tops.zip(stretches)
        .map(|(top, stretch)| Part { top, stretch })
        .collect()
}

/// A place and the density that a probe saw there; `None` where it shows none.
fn seen(space: Space, probe: &Probe) -> Option<(i64, f64)> {
    let at = probe.asked.position.min(space.newest);
    let end = match &probe.next {
        Some(next) if next.is_unread() => return None,
        // The newest ids were asked for from no id.
        Some(next) if next.position >= at => return None,
        Some(next) => next.position,
        None => space.oldest.min(at),
    };
    let rate = Density::between(probe.rows, end, at).rate()?;
    Some((
        at,
        if mutants::on(Mutant::ProbesBlind) {
            1.0
        } else {
            rate
        },
    ))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn share(n: i64, count: i64) -> f64 {
    n as f64 / count.max(1) as f64
}

#[expect(clippy::cast_possible_truncation, reason = "an estimate; `as` saturates")]
const fn whole(distance: f64) -> i64 {
    distance as i64
}
