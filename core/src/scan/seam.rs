//! Seams: where two ranges of a list whose rows move were read side by side.
//!
//! Read in the direction in which rows move, a row that moves inside a range moves into what is still
//! unread. At a seam it moves out of one range and into what the other has already read. So once both sides
//! are done the list is read again from the seam, in the same direction, until a row appears that the range
//! on that side had read itself: everything that slipped across lies before it.

use super::range::{Kind, Range, RangeId, Span, State, Walk};
use crate::{
    mutants::{self, Mutant},
    platform::Drift,
};

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
