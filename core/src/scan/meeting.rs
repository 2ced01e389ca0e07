//! Meetings: a chain that comes from the newest end and ranges that grow from the oldest, until they touch.
//!
//! Both list the same rows in the same order: once a run of rows that the chain reads is in what was finished from the
//! oldest end ([`super::overlap`]), everything older is there, and everything newer was read by the chain. An account
//! that returns moves to the newest end, so a run that returns in its old order would look the same. The chain then gets a span like any other range, from the region's end to the newest, and the ranges tile
//! the list.

use super::{
    lease,
    overlap::Known,
    range::{NEWEST, Range, RangeId, Span, State},
    source::Source,
};
use crate::mutants::{self, Mutant};

/// Known rows, read one after another, at which both sides overlap.
pub const OVERLAP: usize = 100;
/// Newest rows of the finished region that are kept to recognise it by.
pub const KEPT: usize = 2_000;

/// How far the finished region reaches from the oldest end: the first position above it. `None` while there is none.
pub fn region(ranges: &[Range]) -> Option<i64> {
    let mut end = None;
    for range in finished(ranges) {
        end = range.span.map(|span| span.hi);
    }
    end
}

/// The ranges of the finished region, the newest first.
pub fn finished_ranges(ranges: &[Range]) -> Vec<RangeId> {
    let mut ids: Vec<RangeId> = finished(ranges).map(|range| range.id).collect();
    ids.reverse();
    ids
}

/// The contiguous finished ranges from the oldest end on, the oldest first.
fn finished(ranges: &[Range]) -> impl Iterator<Item = &Range> {
    let mut sorted: Vec<(Span, &Range)> = ranges
        .iter()
        .filter(|range| range.source == Source::Browser)
        .filter_map(|range| Some((range.span.filter(|span| !span.is_empty())?, range)))
        .collect();
    sorted.sort_unstable_by_key(|(span, _)| *span);
    let mut at = 0;
    sorted.into_iter().map_while(move |(span, range)| {
        let follows = span.lo == at && range.state == State::Done;
        at = span.hi;
        (follows || mutants::on(Mutant::GapTaken) && range.rows > 0).then_some(range)
    })
}

/// The region's newest rows, given newest first, as the chain is compared with them.
pub fn known(mut newest: Vec<String>) -> Known {
    newest.truncate(KEPT);
    all_known(newest)
}

/// The same of any number of rows, to compare a chain with that does not move meanwhile.
pub fn all_known(newest: Vec<String>) -> Known {
    Known::new(newest, OVERLAP)
}

/// The chain that comes towards the region, if the scan is read from both ends and they have not met.
pub fn chain(ranges: &[Range]) -> Option<&Range> {
    let both = ranges
        .iter()
        .any(|range| range.source == Source::Browser && range.span.is_some());
    ranges
        .iter()
        .find(|range| range.source == Source::Api && range.is_chain())
        .filter(|_| both)
}

/// Why a result of two sources may lack a follower who followed throughout; `None` if one source read the whole list.
pub fn evidence(ranges: &[Range]) -> Option<String> {
    let inside = |range: &&Range| range.span.is_some_and(|span| !span.is_empty());
    let of = |source| {
        ranges
            .iter()
            .filter(inside)
            .any(move |range| range.source == source)
    };
    (of(Source::Api) && of(Source::Browser)).then(|| {
        format!(
            "two sources were joined at {OVERLAP} followers that both list in the same order, and accounts that left and \
             returned in that order would look the same"
        )
    })
}

/// How the two sides came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The chain read rows that the finished region holds.
    Met,
    /// The chain read the list to its end: nothing that the ranges hold is needed.
    Exhausted,
    /// The ranges read the whole list: nothing more is needed of the chain.
    Covered,
}

/// Ends both sides so that the ranges tile the list; returns whose rows changed. What one side need not read any
/// more has no holder and an empty span; pages it brought stay, their rows merge away.
pub fn close(ranges: &mut [Range], end: End) -> Vec<RangeId> {
    let bound = match end {
        End::Met => region(ranges).unwrap_or(0),
        End::Exhausted => 0,
        End::Covered => NEWEST,
    };
    let mut changed = Vec::new();
    for range in ranges.iter_mut() {
        let span = match (range.source, range.span) {
            (Source::Api, None) if range.is_chain() => Span {
                lo: bound,
                hi: NEWEST,
            },
            (Source::Browser, Some(span)) if span.lo < bound && mutants::on(Mutant::GapTaken) => span,
            (Source::Browser, Some(span)) if span.lo >= bound && !span.is_empty() => Span {
                lo: span.hi,
                hi: span.hi,
            },
            _ => continue,
        };
        range.span = Some(span);
        if range.state != State::Done {
            range.state = State::Done;
            range.epoch += u64::from(range.holder.is_some());
            lease::give_back(range);
        }
        changed.push(range.id);
    }
    changed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::range::{Kind, Walk, tiles};

    const ROOT: Span = Span { lo: 0, hi: NEWEST };

    fn both(bounds: &[i64], done: &[bool]) -> Vec<Range> {
        let mut ranges = vec![Range::new(1, Kind::Listing, None, Walk::Down, 100)];
        let mut lo = 0;
        for (index, hi) in bounds.iter().copied().chain([NEWEST]).enumerate() {
            let id = u32::try_from(index).unwrap() + 2;
            let span = Some(Span { lo, hi });
            let mut range = Range::new(id, Kind::Listing, span, Walk::Down, 10).from_source(Source::Browser);
            if done.get(index).copied().unwrap_or_default() {
                range.state = State::Done;
            }
            ranges.push(range);
            lo = hi;
        }
        ranges
    }

    fn spans(ranges: &[Range]) -> Vec<Span> {
        ranges.iter().filter_map(|range| range.span).collect()
    }

    #[test]
    fn the_region_ends_where_something_is_unread() {
        assert_eq!(region(&both(&[10, 20, 30], &[])), None);
        let ranges = both(&[10, 20, 30], &[true, true, false, true]);
        assert_eq!(region(&ranges), Some(20));
        assert_eq!(finished_ranges(&ranges), [3, 2]);
        assert_eq!(region(&both(&[10], &[true, true])), Some(NEWEST));
    }

    #[test]
    fn a_run_of_the_regions_rows_is_a_meeting_and_a_shorter_one_is_not() {
        let ids = |numbers: std::ops::Range<u32>| numbers.map(|number| number.to_string());
        let meets = |known: &Known, rows: &[String]| known.overlap(rows.iter().map(String::as_str));
        let region = known(ids(0..5_000).collect());
        let chain: Vec<String> = ids(9_000..9_080).chain(ids(7..107)).collect();
        assert!(meets(&region, &chain) && !meets(&region, &chain[..179]));
        // A block that returned from deep inside the region, of any length.
        assert!(!meets(&region, &ids(1_000..1_900).collect::<Vec<_>>()));
        // Only the newest two thousand are kept.
        assert!(!meets(&region, &ids(2_000..4_000).collect::<Vec<_>>()));
    }

    #[test]
    fn only_a_scan_that_is_read_from_both_ends_has_a_meeting() {
        assert_eq!(chain(&both(&[10], &[])).map(|range| range.id), Some(1));
        let alone = [Range::new(1, Kind::Listing, None, Walk::Down, 100)];
        assert_eq!(chain(&alone), None);
        let mut met = both(&[10], &[true]);
        close(&mut met, End::Met);
        assert_eq!(chain(&met), None);
        assert!(evidence(&met).unwrap().contains("two sources"));
        let mut whole = both(&[10], &[true]);
        close(&mut whole, End::Exhausted);
        assert_eq!(evidence(&whole), None);
    }

    #[test]
    fn who_holds_what_is_not_needed_any_more_is_fenced() {
        let mut ranges = both(&[10, 20], &[true]);
        lease::grant(&mut ranges[2], "a", jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(close(&mut ranges, End::Met), [1, 3, 4]);
        assert_eq!((ranges[2].holder.as_deref(), ranges[2].epoch), (None, 2));
        assert_eq!(ranges[1].span, Some(Span { lo: 0, hi: 10 }));
        assert_eq!(ranges[0].span, Some(Span { lo: 10, hi: NEWEST }));
    }

    proptest! {
        /// However far each side came, what is left tiles the list and nothing is open.
        #[test]
        fn both_sides_tile_the_list_in_the_end(
            mut bounds in prop::collection::btree_set(1i64..1_000_000, 0..20),
            done in prop::collection::vec(any::<bool>(), 21),
            how in 0..3,
        ) {
            let bounds: Vec<i64> = std::mem::take(&mut bounds).into_iter().collect();
            let done = if how == 2 { vec![true; 21] } else { done };
            let mut ranges = both(&bounds, &done);
            let end = [End::Met, End::Exhausted, End::Covered][usize::try_from(how).unwrap()];
            let before = region(&ranges);
            close(&mut ranges, end);
            prop_assert!(ranges.iter().all(|range| range.state == State::Done));
            prop_assert!(tiles(ROOT, &spans(&ranges)));
            if end == End::Met {
                // What the region had read is still its own.
                let chain = ranges[0].span.unwrap();
                prop_assert_eq!(chain.lo, before.unwrap_or(0));
            }
        }
    }
}
