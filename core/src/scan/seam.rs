//! Seams: where two ranges of a list whose rows move were read side by side.
//!
//! Read in the direction in which rows move, a row that moves inside a range moves into what is still
//! unread. At a seam it moves out of one range and into what the other has already read. So once both sides
//! are done the list is read again from the seam, in the same direction, until a run of rows appears that the ranges
//! behind it had read themselves ([`super::overlap`]): everything that slipped across is before it.

use super::range::{Kind, Range, RangeId, Span, State, Walk};
use crate::{
    mutants::{self, Mutant},
    platform::Drift,
};

/// Known rows, read one after another, that end a seam.
pub const RUN: usize = 25;

/// The ranges behind a seam, in reading order: their rows are the ones that end it. A range may be shorter than a run.
pub fn behind(ranges: &[Range], seam: &Range) -> Vec<RangeId> {
    let Some(bounds) = seam.span else {
        return Vec::new();
    };
    let mut behind: Vec<(Span, RangeId)> = ranges
        .iter()
        .filter(|range| range.kind == Kind::Listing)
        .filter_map(|range| Some((range.span.filter(|span| !span.is_empty())?, range.id)))
        .filter(|(span, _)| bounds.lo <= span.lo && span.hi <= bounds.hi)
        .collect();
    behind.sort_unstable();
    if seam.walk == Walk::Down {
        behind.reverse();
    }
    behind.into_iter().map(|(_, id)| id).collect()
}

/// The rows of a page of an index list in reading order: a page lists them in order of position.
pub fn along<T>(walk: Walk, mut page: Vec<T>) -> Vec<T> {
    if walk == Walk::Down {
        page.reverse();
    }
    page
}

/// The seams that fall due because range `done` was read to its end, as new ranges with ids from `next_id`.
pub fn due(ranges: &[Range], done: RangeId, drift: Drift, next_id: RangeId) -> Vec<Range> {
    if drift == Drift::None || mutants::on(Mutant::SeamSkipped) {
        return Vec::new();
    }
    let listing = || {
        ranges
            .iter()
            .filter(|r| r.kind == Kind::Listing && r.state == State::Done)
    };
    let Some(range) = listing().find(|r| r.id == done) else {
        return Vec::new();
    };
    let Some(span) = range.span else { return Vec::new() };
    let below = listing().find(|r| r.span.is_some_and(|other| other.hi == span.lo));
    let above = listing().find(|r| r.span.is_some_and(|other| other.lo == span.hi));
    let pairs = [
        below.map(|below| (span.lo, below, range)),
        above.map(|above| (span.hi, range, above)),
    ];
    pairs
        .into_iter()
        .flatten()
        .filter(|(position, lower, _)| !exists(ranges, *position, lower.walk))
        .zip(next_id..)
        .map(|((position, lower, upper), id)| seam(ranges, id, position, lower, upper))
        .collect()
}

fn exists(ranges: &[Range], position: i64, walk: Walk) -> bool {
    ranges
        .iter()
        .filter(|r| r.kind == Kind::Seam)
        .filter_map(|r| r.span)
        .any(|span| match walk {
            Walk::Down => span.hi == position,
            Walk::Up => span.lo == position,
        })
}

fn seam(ranges: &[Range], id: RangeId, position: i64, lower: &Range, upper: &Range) -> Range {
    let listed = || {
        ranges
            .iter()
            .filter(|r| r.kind == Kind::Listing)
            .filter_map(|r| r.span)
    };
    let walk = lower.walk;
    let (span, meets) = match walk {
        Walk::Down => (
            Span {
                lo: listed().map(|s| s.lo).min().unwrap_or(0),
                hi: position,
            },
            lower.id,
        ),
        Walk::Up => (
            Span {
                lo: position,
                hi: listed().map(|s| s.hi).max().unwrap_or(position),
            },
            upper.id,
        ),
    };
    let mut range = Range::new(id, Kind::Seam, Some(span), walk, 0);
    range.meets = Some(meets);
    range
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
