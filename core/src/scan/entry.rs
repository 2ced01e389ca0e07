//! Entry: how a list that a browser reads is begun in its middle, and what is read instead where that is refused.

use serde::{Deserialize, Serialize};

use super::{
    lease,
    range::{Kind, NEWEST, Place, Range, RangeId, Span, State},
    source::Source,
};

/// How a list that a browser reads is entered in its middle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// By cursors that were computed from a time.
    #[default]
    Computed,
    /// By cursors that the platform gave to an earlier scan.
    Stored,
    /// Not at all: it is read from its newest end.
    Newest,
}

impl Entry {
    /// Whether cursors are computed, as they are at first.
    pub fn is_computed(&self) -> bool {
        *self == Self::Computed
    }
}

/// What is unread of a browser's list makes way for ranges that begin at these places, oldest first, and one that comes
/// from the newest end. What was finished from the oldest end on stays; what lies above is read again, but for what the
/// newest open range has behind it already. Returns the rows that are read again.
///
/// Everybody whose range grew or went has lost it: an interval only shrinks under a lease. The caller, which holds
/// `failed`, is being answered and need not be fenced.
pub fn enter_anew(ranges: &mut Vec<Range>, failed: RangeId, places: &[Place]) -> i64 {
    let open = ranges
        .iter()
        .filter(|range| range.state == State::Open)
        .filter_map(|range| Some((listed(range)?, range.id)));
    let (floor, top) = open.fold((NEWEST, None), |(floor, top), found| {
        (floor.min(found.0.lo), top.max(Some(found)))
    });
    let Some((at_top, top)) = top else { return 0 };
    let restarts = top == failed;
    let ceiling = if restarts { NEWEST } else { at_top.hi };
    let mut again = 0;
    for range in ranges.iter_mut() {
        let Some(span) =
            listed(range).filter(|span| range.id != top && span.lo >= floor && span.hi <= ceiling)
        else {
            continue;
        };
        again += range.rows;
        range.span = Some(Span {
            lo: span.hi,
            hi: span.hi,
        });
        range.state = State::Done;
        release(range, failed);
    }
    let mut next = ranges.iter().map(|range| range.id).max().unwrap_or(0) + 1;
    let mut bound = floor;
    let mut added = Vec::new();
    if let Some(top) = ranges.iter_mut().find(|range| range.id == top) {
        if restarts {
            again += top.rows;
            (top.place, top.claimed, top.rows) = (Place::at(NEWEST), NEWEST, 0);
            top.pass_from = top.seq;
        }
        let reached = top.place.position;
        for place in places
            .iter()
            .filter(|place| (floor + 1..reached).contains(&place.position))
        {
            let stretch = Span {
                lo: bound,
                hi: place.position,
            };
            let range =
                Range::new(next, Kind::Listing, Some(stretch), top.walk, 0).from_source(Source::Browser);
            added.push(Range {
                place: place.clone(),
                ..range
            });
            (bound, next) = (place.position, next + 1);
        }
        top.span = Some(Span {
            lo: bound,
            hi: ceiling,
        });
        release(top, failed);
    }
    ranges.extend(added);
    again
}

/// The interval of a range that a browser lists, if something lies in it.
fn listed(range: &Range) -> Option<Span> {
    let is_listed = range.source == Source::Browser && range.kind == Kind::Listing;
    range.span.filter(|span| is_listed && !span.is_empty())
}

fn release(range: &mut Range, failed: RangeId) {
    range.epoch += u64::from(range.holder.is_some() && range.id != failed);
    lease::give_back(range);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::scan::range::{Walk, tiles};

    const ROOT: Span = Span { lo: 0, hi: NEWEST };

    /// Ranges between these bounds, each held by somebody; the finished ones by nobody.
    fn list(bounds: &[i64], done: &[bool]) -> Vec<Range> {
        let mut lo = 0;
        let mut ranges = Vec::new();
        for (id, hi) in (1..).zip(bounds.iter().copied().chain([NEWEST])) {
            let mut range = Range::new(id, Kind::Listing, Some(Span { lo, hi }), Walk::Down, 10)
                .from_source(Source::Browser);
            if done.get(ranges.len()).copied().unwrap_or_default() {
                range.state = State::Done;
                range.rows = 10;
            } else {
                lease::grant(&mut range, "a", Timestamp::UNIX_EPOCH);
            }
            ranges.push(range);
            lo = hi;
        }
        ranges
    }

    fn spans(ranges: &[Range]) -> Vec<Span> {
        ranges.iter().filter_map(|range| range.span).collect()
    }

    fn place(position: i64) -> Place {
        Place {
            cursor: Some(format!("{position}|7")),
            ..Place::at(position)
        }
    }

    #[test]
    fn what_was_finished_from_the_oldest_end_on_stays() {
        let mut ranges = list(&[10, 20, 30], &[true, false, true, false]);
        assert_eq!(enter_anew(&mut ranges, 2, &[]), 10);
        assert_eq!(ranges[0].span, Some(Span { lo: 0, hi: 10 }));
        assert_eq!(ranges[3].span, Some(Span { lo: 10, hi: NEWEST }));
        assert_eq!(
            (ranges[3].holder.as_deref(), ranges[3].epoch),
            (None, 2),
            "fenced"
        );
        assert_eq!((ranges[1].state, ranges[1].epoch), (State::Done, 1));
    }

    #[test]
    fn what_is_finished_at_the_newest_end_is_read_again_only_where_the_newest_open_range_was_refused() {
        let mut ranges = list(&[10, 20, 30], &[false, false, true, true]);
        assert_eq!(enter_anew(&mut ranges, 1, &[]), 0);
        assert_eq!(ranges[1].span, Some(Span { lo: 0, hi: 20 }));
        assert_eq!(enter_anew(&mut ranges, 2, &[]), 20);
        assert_eq!(
            (ranges[1].span, ranges[1].place.clone()),
            (Some(ROOT), Place::at(NEWEST))
        );
    }

    #[test]
    fn stored_places_above_what_is_finished_begin_ranges() {
        let mut ranges = list(&[10], &[true, false]);
        enter_anew(&mut ranges, 2, &[place(5), place(10), place(50), place(90)]);
        let added: Vec<(Option<Span>, &Place)> = ranges[2..]
            .iter()
            .map(|range| (range.span, &range.place))
            .collect();
        assert_eq!(
            added,
            [
                (Some(Span { lo: 10, hi: 50 }), &place(50)),
                (Some(Span { lo: 50, hi: 90 }), &place(90))
            ]
        );
        assert_eq!(ranges[1].span, Some(Span { lo: 90, hi: NEWEST }));
    }

    proptest! {
        /// However much was read when it is refused, what is left tiles the list, and nobody holds what grew.
        #[test]
        fn a_list_that_is_entered_anew_is_tiled(
            bounds in prop::collection::btree_set(1i64..1_000, 0..12),
            done in prop::collection::vec(any::<bool>(), 13),
            failed in 0usize..13,
            places in prop::collection::btree_set(1i64..1_200, 0..6),
        ) {
            let bounds: Vec<i64> = bounds.into_iter().collect();
            let places: Vec<Place> = places.into_iter().map(place).collect();
            let mut ranges = list(&bounds, &done);
            let before = ranges.clone();
            let open: Vec<RangeId> =
                before.iter().filter(|range| range.state == State::Open).map(|range| range.id).collect();
            if open.is_empty() {
                prop_assert_eq!(enter_anew(&mut ranges, 1, &places), 0);
                prop_assert_eq!(ranges, before);
                return Ok(());
            }
            enter_anew(&mut ranges, open[failed % open.len()], &places);
            prop_assert!(tiles(ROOT, &spans(&ranges)), "{:?}", spans(&ranges));
            for (old, new) in before.iter().zip(&ranges) {
                let shrank = new.span.unwrap().lo >= old.span.unwrap().lo && new.span.unwrap().hi <= old.span.unwrap().hi;
                prop_assert!(new.holder.is_none() || shrank, "{new:?}");
            }
        }
    }
}
