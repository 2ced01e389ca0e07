//! Ends of a list of keys: a range may be told that the list ends above rows that another range reads.
//!
//! Either the platform contradicts itself, or the list changed between both requests: the older rows were added later, or
//! were gone by then. So after the last range two requests alternate: the tail below the end is read again, then the place
//! above the older rows. A tail that has rows now is in the result. Older rows that are gone contradict nothing. What
//! still contradicts itself after [`MOST`] such checks stays evidence against the result.
//!
//! Some platforms show a list that its owner hides as an empty one. So a list of them that ended with an empty page is
//! asked once more for its newest page, which has rows unless the list is hidden by now, and then for the tail below that
//! end: it may have been hidden for a moment.

use serde::{Deserialize, Serialize};

use super::range::{Kind, NEWEST, Range, RangeId, Span, State, Walk};
use crate::mutants::{self, Mutant};

/// Checks of one scan.
const MOST: usize = 6;

/// The part of a list that its newest page is read for.
const NEWEST_PAGE: Span = Span {
    lo: NEWEST - 1,
    hi: NEWEST,
};

/// A range that was told that the list ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The range.
    pub range: RangeId,
    /// Position of the request that was told so.
    pub place: i64,
    /// Rows of that page. Where a last page has rows, older ones may be among them: nothing names their keys.
    pub rows: i64,
}

/// Whether the ends agree with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do.
    Agree,
    /// They do not yet: `span` has to be read again.
    Check {
        /// Part of the list.
        span: Span,
        /// Ranges that ended above older rows.
        contradicted: usize,
    },
    /// They do not; the number of ranges that ended above older rows.
    Contradict(usize),
}

/// Judges the ends of ranges that were all read.
pub fn judge(ranges: &[Range], ended: &[Ended]) -> Verdict {
    let contradicted: Vec<Ended> = ended
        .iter()
        .copied()
        .filter(|end| is_contradicted(ranges, *end))
        .collect();
    let Some(first) = contradicted.iter().copied().max_by_key(|end| end.place) else {
        return Verdict::Agree;
    };
    let checks: Vec<&Range> = checks(ranges).collect();
    if checks.iter().any(|check| check.state != State::Done) {
        return Verdict::Contradict(contradicted.len());
    }
    // Tails and tops alternate.
    let tails: Vec<&&Range> = checks.iter().step_by(2).collect();
    let (end, rows) = tails
        .last()
        .map_or((first.place, first.rows), |tail| end_of(tail, ended));
    let Some(top) = older(ranges, end, rows).max() else {
        return Verdict::Agree;
    };
    let is_tail_next = checks.len().is_multiple_of(2);
    let last = checks.last();
    let found_nothing = |check: &&Range| check.rows == 0 && ended.iter().any(|end| end.range == check.id);
    if is_tail_next && last.is_some_and(found_nothing) {
        return Verdict::Agree;
    }
    if checks.len() >= MOST {
        return Verdict::Contradict(contradicted.len());
    }
    let span = if is_tail_next {
        let lo = spans(ranges).map(|(_, span)| span.lo).min().unwrap_or(end);
        Span { lo, hi: end }
    } else {
        // The range is over after its first page.
        Span {
            lo: top.saturating_sub(1),
            hi: top,
        }
    };
    Verdict::Check {
        span,
        contradicted: contradicted.len(),
    }
}

/// Returns the next check, once every range was read. `may_hide`: the platform shows a hidden list as an empty one.
pub fn due(ranges: &[Range], ended: &[Ended], may_hide: bool, next_id: RangeId) -> Option<Range> {
    if ranges.iter().any(|range| range.state != State::Done) {
        return None;
    }
    let span = match judge(ranges, ended) {
        Verdict::Check { span, .. } => span,
        Verdict::Agree if may_hide => unshown(ranges, ended)?,
        Verdict::Agree | Verdict::Contradict(_) => return None,
    };
    Some(Range::new(next_id, Kind::Seam, Some(span), Walk::Down, 0))
}

/// Whether a list that had rows, and ended with an empty page, was not shown to have rows after that, and then to end at
/// the same place or with rows.
pub fn may_be_hidden(ranges: &[Range], ended: &[Ended]) -> bool {
    let Some(tail) = empty_tail(ranges, ended).filter(|_| !mutants::on(Mutant::EmptyEndTrusted)) else {
        return false;
    };
    let is_shown = newest(ranges).is_some_and(|check| check.state == State::Done && check.rows > 0);
    let has_end =
        |check: &Range| check.state == State::Done && (check.rows == 0 || empty_end(check, ended).is_none());
    !is_shown || !tail.is_empty() && !last_tail(ranges).is_some_and(has_end)
}

/// What has to be read before the list counts as shown; `None` if nothing has, or nothing helps.
fn unshown(ranges: &[Range], ended: &[Ended]) -> Option<Span> {
    let tail = empty_tail(ranges, ended)?;
    match newest(ranges) {
        None => Some(NEWEST_PAGE),
        Some(check) if check.rows > 0 && last_tail(ranges).is_none() && !tail.is_empty() => Some(tail),
        Some(_) => None,
    }
}

/// The part of a list with rows that lies below its highest empty end, or below that of the last tail that was read again;
/// `None` if no page without rows ended it.
fn empty_tail(ranges: &[Range], ended: &[Ended]) -> Option<Span> {
    let has_rows = spans(ranges).any(|(range, _)| range.rows > 0);
    let hi = match checks(ranges).step_by(2).last() {
        Some(tail) => empty_end(tail, ended),
        None => spans(ranges)
            .filter_map(|(range, _)| empty_end(range, ended))
            .max(),
    };
    let lo = spans(ranges).map(|(_, span)| span.lo).min()?;
    hi.filter(|_| has_rows).map(|hi| Span { lo, hi })
}

/// Where a page without rows ended a range.
fn empty_end(range: &Range, ended: &[Ended]) -> Option<i64> {
    let is_its = |end: &&Ended| end.range == range.id && end.rows == 0;
    ended.iter().find(is_its).map(|end| end.place)
}

fn newest(ranges: &[Range]) -> Option<&Range> {
    ranges
        .iter()
        .find(|range| is_check(range) && range.span == Some(NEWEST_PAGE))
}

/// The tail that was read after the newest page.
fn last_tail(ranges: &[Range]) -> Option<&Range> {
    let newest = newest(ranges)?;
    ranges
        .iter()
        .find(|range| is_check(range) && range.id > newest.id)
}

/// Whether a listing was told that the list ends.
pub fn has_ended(ranges: &[Range], ended: &[Ended]) -> bool {
    let mut listings = ranges.iter().filter(|range| range.kind == Kind::Listing);
    listings.any(|range| ended.iter().any(|end| end.range == range.id))
}

/// Whether a range is such a check: no range behind it ends it.
pub fn is_check(range: &Range) -> bool {
    range.kind == Kind::Seam && range.meets.is_none()
}

/// The checks of ends in the order in which they were made, without those that show whether the list is hidden.
pub fn checks(ranges: &[Range]) -> impl Iterator<Item = &Range> {
    let before = newest(ranges).map_or(RangeId::MAX, |range| range.id);
    ranges
        .iter()
        .filter(move |range| is_check(range) && range.id < before)
}

fn is_contradicted(ranges: &[Range], end: Ended) -> bool {
    let own = spans(ranges).find(|(range, _)| range.id == end.range);
    own.is_some_and(|(_, span)| older(ranges, span.lo, end.rows).next().is_some())
        && !mutants::on(Mutant::FalseEndAccepted)
}

/// Upper bounds of the ranges below a place that hold more rows than its page could.
fn older(ranges: &[Range], place: i64, rows: i64) -> impl Iterator<Item = i64> {
    spans(ranges)
        .filter(move |(range, span)| range.rows > rows && !span.is_empty() && span.hi <= place)
        .map(|(_, span)| span.hi)
}

/// Where a tail ended, and the rows of that page; one that was not told so was read to the oldest position.
fn end_of(tail: &Range, ended: &[Ended]) -> (i64, i64) {
    let end = ended.iter().find(|end| end.range == tail.id);
    end.map_or((i64::MIN, 0), |end| (end.place, end.rows))
}

/// The listing ranges with their spans.
fn spans(ranges: &[Range]) -> impl Iterator<Item = (&Range, Span)> {
    ranges
        .iter()
        .filter(|range| range.kind == Kind::Listing)
        .filter_map(|range| Some((range, range.span?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three ranges of which the middle one was told at 18 that the list ends, though the lowest read rows.
    struct World {
        ranges: Vec<Range>,
        ended: Vec<Ended>,
    }

    impl World {
        fn new(rows: [i64; 3]) -> Self {
            let mut ranges = vec![Range::new(0, Kind::Resolve, None, Walk::Down, 0)];
            for ((id, span), rows) in (1..).zip([(0, 10), (10, 20), (20, 30)]).zip(rows) {
                let (lo, hi) = span;
                let mut range = Range::new(id, Kind::Listing, Some(Span { lo, hi }), Walk::Down, 0);
                range.rows = rows;
                ranges.push(range);
            }
            for range in &mut ranges {
                range.state = State::Done;
            }
            let ended = [(1, 3), (2, 18)]
                .map(|(range, place)| Ended {
                    range,
                    place,
                    rows: 0,
                })
                .to_vec();
            Self { ranges, ended }
        }

        /// Reads the check that is due: so many rows, then the end at `end` if there is one.
        fn check(&mut self, rows: i64, end: Option<i64>) -> Option<Span> {
            let mut check = due(
                &self.ranges,
                &self.ended,
                false,
                9 + u32::try_from(self.ranges.len()).unwrap(),
            )?;
            assert!(is_check(&check));
            check.rows = rows;
            check.state = State::Done;
            self.ended.extend(end.map(|place| Ended {
                range: check.id,
                place,
                rows: 0,
            }));
            let span = check.span;
            self.ranges.push(check);
            span
        }

        fn verdict(&self) -> Verdict {
            judge(&self.ranges, &self.ended)
        }
    }

    const TAIL: Option<Span> = Some(Span { lo: 0, hi: 18 });
    const TOP: Option<Span> = Some(Span { lo: 9, hi: 10 });

    #[test]
    fn ends_above_nothing_are_not_checked() {
        let mut world = World::new([0, 5, 5]);
        assert_eq!(world.verdict(), Verdict::Agree);
        assert_eq!(world.check(0, None), None);
    }

    #[test]
    fn older_rows_may_be_on_the_last_page_itself() {
        let mut world = World::new([3, 5, 5]);
        world.ended[1].rows = 3;
        assert_eq!(world.verdict(), Verdict::Agree);
        world.ranges[1].rows = 4;
        assert_eq!(world.check(0, None), TAIL);
    }

    #[test]
    fn nothing_is_checked_before_every_range_is_read() {
        let mut world = World::new([1, 5, 5]);
        world.ranges[3].state = State::Open;
        assert_eq!(due(&world.ranges, &world.ended, true, 9), None);
        world.ranges[3].state = State::Failed;
        assert_eq!(due(&world.ranges, &world.ended, true, 9), None);
    }

    #[test]
    fn newest_page_of_a_list_that_may_be_hidden_is_read_once_more() {
        let mut world = World::new([0, 5, 5]);
        assert_eq!(due(&world.ranges, &world.ended, false, 9), None);
        assert!(may_be_hidden(&world.ranges, &world.ended));
        let mut check = due(&world.ranges, &world.ended, true, 9).unwrap();
        assert_eq!((check.span, check.place.position), (Some(NEWEST_PAGE), NEWEST));
        (check.state, check.rows) = (State::Done, 0);
        world.ranges.push(check.clone());
        assert_eq!(due(&world.ranges, &world.ended, true, 10), None);
        assert!(
            may_be_hidden(&world.ranges, &world.ended),
            "its newest page is empty too"
        );
        world.ranges[4].rows = 5;
        assert!(
            may_be_hidden(&world.ranges, &world.ended),
            "it may have been hidden at its end only"
        );
        let mut tail = due(&world.ranges, &world.ended, true, 10).unwrap();
        assert_eq!(tail.span, TAIL);
        let empty = Ended {
            range: 10,
            place: 5,
            rows: 0,
        };
        let with_rows = Ended { rows: 3, ..empty };
        for (rows, end, is_hidden) in [(7, empty, true), (7, with_rows, false), (0, empty, false)] {
            (tail.state, tail.rows) = (State::Done, rows);
            world.ranges.push(tail.clone());
            world.ended.retain(|end| end.range != 10);
            world.ended.push(end);
            assert_eq!(may_be_hidden(&world.ranges, &world.ended), is_hidden);
            assert_eq!(due(&world.ranges, &world.ended, true, 11), None);
            assert_eq!(
                (world.verdict(), checks(&world.ranges).count()),
                (Verdict::Agree, 0)
            );
            world.ranges.pop();
        }
        world.ended.retain(|end| end.range != 1);
        world.ended[0].rows = 3;
        assert!(
            !may_be_hidden(&world.ranges, &world.ended),
            "a last page with rows"
        );
    }

    #[test]
    fn tail_that_has_rows_now_is_read_to_its_end() {
        let mut world = World::new([1, 5, 5]);
        assert_eq!(world.check(1, Some(3)), TAIL);
        assert_eq!(world.verdict(), Verdict::Agree);
        assert_eq!(world.check(0, None), None);
        assert!(
            may_be_hidden(&world.ranges, &world.ended),
            "the tail ended empty too"
        );
        let last = world.ended.last_mut().unwrap();
        last.rows = 1;
        assert!(!may_be_hidden(&world.ranges, &world.ended));
        assert_eq!(due(&world.ranges, &world.ended, true, 20), None);
    }

    #[test]
    fn older_rows_that_are_gone_contradict_nothing() {
        let mut world = World::new([1, 5, 5]);
        assert_eq!(world.check(0, Some(18)), TAIL);
        assert!(matches!(world.verdict(), Verdict::Check { .. }));
        assert_eq!(world.check(0, Some(10)), TOP);
        assert_eq!(world.verdict(), Verdict::Agree);
    }

    #[test]
    fn rows_that_are_added_between_both_checks_are_read() {
        let mut world = World::new([1, 5, 5]);
        assert_eq!(world.check(0, Some(18)), TAIL);
        assert_eq!(world.check(1, Some(5)), TOP);
        assert_eq!(world.check(2, Some(1)), TAIL);
        assert_eq!(world.verdict(), Verdict::Agree);
    }

    #[test]
    fn platform_that_repeats_a_false_end_is_contradicted() {
        let mut world = World::new([7, 5, 5]);
        for _ in 0..MOST / 2 {
            assert_eq!(world.check(0, Some(18)), TAIL);
            assert_eq!(world.check(7, None), TOP);
        }
        assert_eq!(world.verdict(), Verdict::Contradict(1));
        assert_eq!(world.check(0, None), None);
    }

    #[test]
    fn tail_that_ends_above_older_rows_again_is_checked_from_there() {
        let mut world = World::new([7, 5, 5]);
        assert_eq!(world.check(3, Some(14)), TAIL);
        assert_eq!(world.check(7, None), TOP);
        assert_eq!(world.check(3, Some(2)), Some(Span { lo: 0, hi: 14 }));
        assert_eq!(world.verdict(), Verdict::Agree);
    }

    #[test]
    fn check_that_was_not_read_leaves_the_contradiction() {
        let mut world = World::new([7, 5, 5]);
        world.check(0, None);
        for state in [State::Failed, State::Open] {
            world.ranges.last_mut().unwrap().state = state;
            assert_eq!(world.verdict(), Verdict::Contradict(1));
        }
    }
}
