//! Splitting: a free runner takes half of what another range's holder has not claimed.

use jiff::Timestamp;

use super::range::{Kind, NEWEST, Range, Span, State, Walk};
use crate::mutants::{self, Mutant};

/// Where a range is cut: the holder keeps the side it is walking through, the rest becomes a new range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// What the holder keeps.
    pub kept: Span,
    /// The new range.
    pub residual: Span,
}

/// How fine a space can be cut, and how small a part is worth a request of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grain {
    /// Cuts fall on multiples of this: rows of a page, or microseconds of the platform's clock.
    pub unit: i64,
    /// Rows of a full page.
    pub page_rows: i64,
    /// Below this nothing is expected, such as follows from before the account existed. No cut falls there:
    /// what is there all the same is found by the range that reaches it.
    pub floor: i64,
}

/// Cuts a range at the middle of its unclaimed part, on the grain; `None` where a half would be empty.
pub fn cut(range: &Range, grain: Grain) -> Option<Cut> {
    let span = range.span?;
    // Where a page ends that begins at an unread cursor is not known before it is there.
    if range.place.is_unread() {
        return None;
    }
    let unclaimed = range.unclaimed();
    let unclaimed = Span {
        lo: unclaimed.lo.max(grain.floor),
        ..unclaimed
    };
    // An open end has no middle: its first page has to come first.
    if unclaimed.is_empty() || unclaimed.hi == NEWEST {
        return None;
    }
    let unit = grain.unit.max(1);
    let middle = unclaimed.lo + (unclaimed.hi - unclaimed.lo) / 2;
    let at = middle - middle.rem_euclid(unit);
    let mend = i64::from(mutants::on(Mutant::SplitOverlap)) - i64::from(mutants::on(Mutant::SplitGap));
    match range.walk {
        Walk::Down => (at > unclaimed.lo && at < unclaimed.hi).then_some(Cut {
            kept: Span { lo: at, hi: span.hi },
            residual: Span {
                lo: span.lo,
                hi: at + mend * unit,
            },
        }),
        Walk::Up => (at > unclaimed.lo && at < unclaimed.hi).then_some(Cut {
            kept: Span { lo: span.lo, hi: at },
            residual: Span { lo: at, hi: span.hi },
        }),
    }
}

/// Of the ranges others hold, the one with the most time left, and where to cut it.
///
/// A part of under two pages is left to its holder: the request it saves costs another at the new seam.
pub fn choose(ranges: &[Range], grain: Grain, now: Timestamp) -> Option<(usize, Cut)> {
    ranges
        .iter()
        .enumerate()
        .filter(|(_, r)| {
            matches!(r.kind, Kind::Listing | Kind::Sweep) && r.state == State::Open && r.is_held(now)
        })
        .filter(|(_, r)| unclaimed_rows(r, grain.floor) >= 2 * grain.page_rows)
        .filter_map(|(index, r)| Some((index, r, cut(r, grain)?)))
        .max_by_key(|(_, r, _)| (time_left(r, grain.floor, now), std::cmp::Reverse(r.id)))
        .map(|(index, _, cut)| (index, cut))
}

/// Rows expected in the unclaimed part.
fn unclaimed_rows(range: &Range, floor: i64) -> i64 {
    let Some(span) = range.span else { return 0 };
    let (left, unclaimed) = match range.walk {
        Walk::Down => (
            range.place.position.saturating_sub(span.lo.max(floor)),
            range.unclaimed(),
        ),
        Walk::Up => (span.hi.saturating_sub(range.place.position), range.unclaimed()),
    };
    let size = (i128::from(unclaimed.hi) - i128::from(unclaimed.lo.max(floor))).max(0);
    let rows = i128::from(range.rows_left(floor)) * size / i128::from(left.max(1));
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Milliseconds the holder still needs, by its own speed under this lease; slow holders come first.
fn time_left(range: &Range, floor: i64, now: Timestamp) -> i128 {
    let elapsed = range
        .leased_at
        .map_or(0, |at| now.duration_since(at).as_millis())
        .max(1);
    i128::from(range.rows_left(floor)) * elapsed / i128::from(range.lease_rows.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::range::{Place, tiles};

    fn held(span: Span, walk: Walk, claimed: i64, expected: i64) -> Range {
        let mut range = Range::new(1, Kind::Listing, Some(span), walk, expected);
        range.claimed = claimed;
        range.place = Place::at(claimed);
        range.holder = Some("a".into());
        range.lease_until = Some(Timestamp::MAX);
        range.leased_at = Some(Timestamp::UNIX_EPOCH);
        range
    }

    /// Every rows-read × split point of a small range: primary ∪ residual = original, in both directions.
    #[test]
    fn every_split_leaves_exactly_the_original() {
        for walk in [Walk::Up, Walk::Down] {
            for unit in [1, 3, 10] {
                for hi in 1..60 {
                    for claimed in 0..=hi {
                        let span = Span { lo: 0, hi };
                        let range = held(span, walk, claimed, hi);
                        let Some(cut) = cut(
                            &range,
                            Grain {
                                unit,
                                page_rows: 1,
                                floor: 0,
                            },
                        ) else {
                            continue;
                        };
                        assert!(tiles(span, &[cut.kept, cut.residual]), "{range:?} {cut:?}");
                        assert!(!cut.kept.is_empty() && !cut.residual.is_empty());
                        assert_eq!(cut.residual.lo.rem_euclid(unit) * i64::from(walk == Walk::Up), 0);
                        let unclaimed = range.unclaimed();
                        assert!(
                            cut.residual.lo >= unclaimed.lo && cut.residual.hi <= unclaimed.hi,
                            "a split took what was claimed"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_range_of_under_two_pages_is_left_to_its_holder() {
        let range = held(Span { lo: 0, hi: 150 }, Walk::Down, 150, 150);
        assert_eq!(
            choose(
                &[range],
                Grain {
                    unit: 50,
                    page_rows: 100,
                    floor: 0
                },
                Timestamp::UNIX_EPOCH
            ),
            None
        );
    }

    #[test]
    fn nothing_is_cut_off_below_the_accounts_own_beginning() {
        let grain = Grain {
            unit: 10,
            page_rows: 50,
            floor: 800,
        };
        let mut range = held(Span { lo: 0, hi: 1200 }, Walk::Down, 1000, 400);
        range.rows = 200;
        assert_eq!(
            range.rows_left(grain.floor),
            200,
            "as dense as what was read, down to the floor"
        );
        assert_eq!(cut(&range, grain).unwrap().residual, Span { lo: 0, hi: 900 });
        range.claimed = 790;
        assert_eq!(cut(&range, grain), None);
    }

    #[test]
    fn a_range_that_is_read_by_unread_cursors_is_not_cut() {
        let grain = Grain {
            unit: 10,
            page_rows: 10,
            floor: 0,
        };
        let mut range = held(Span { lo: 0, hi: 1000 }, Walk::Down, 900, 1000);
        assert!(cut(&range, grain).is_some());
        range.place = Place::unread(900, "odd");
        assert_eq!(cut(&range, grain), None);
    }

    #[test]
    fn the_slow_holder_is_relieved_first() {
        let mut fast = held(Span { lo: 0, hi: 1000 }, Walk::Down, 1000, 1000);
        fast.lease_rows = 1000;
        let mut slow = held(Span { lo: 1000, hi: 1800 }, Walk::Down, 1800, 800);
        slow.lease_rows = 100;
        let now = Timestamp::from_second(10).unwrap();
        let (index, cut) = choose(
            &[fast, slow],
            Grain {
                unit: 50,
                page_rows: 50,
                floor: 0,
            },
            now,
        )
        .unwrap();
        assert_eq!((index, cut.residual), (1, Span { lo: 1000, hi: 1400 }));
    }

    #[test]
    fn a_chain_is_never_split() {
        let mut chain = Range::new(0, Kind::Listing, None, Walk::Down, 50_000);
        chain.holder = Some("a".into());
        chain.lease_until = Some(Timestamp::MAX);
        assert_eq!(
            choose(
                &[chain],
                Grain {
                    unit: 1,
                    page_rows: 1000,
                    floor: 0
                },
                Timestamp::UNIX_EPOCH
            ),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200_000))]
        #[test]
        fn any_number_of_splits_tiles_the_root(lo in -1_000_000i64..1_000_000, size in 1i64..2_000_000, unit in 1i64..200, floor in -1_100_000i64..2_000_000, down: bool, steps in prop::collection::vec((0usize..8, 0i64..1000), 0..8)) {
            let walk = if down { Walk::Down } else { Walk::Up };
            let root = Span { lo, hi: lo + size };
            let mut ranges = vec![held(root, walk, if down { root.hi } else { root.lo }, size)];
            for (pick, moved) in steps {
                let index = pick % ranges.len();
                let range = &mut ranges[index];
                let span = range.span.unwrap();
                range.claimed = match walk {
                    Walk::Down => (range.claimed - moved).max(span.lo),
                    Walk::Up => (range.claimed + moved).min(span.hi),
                };
                if let Some(cut) = cut(range, Grain { unit, page_rows: 1, floor }) {
                    prop_assert!(cut.residual.lo.max(cut.kept.lo) > floor, "a cut where nothing is expected");
                    range.span = Some(cut.kept);
                    ranges.push(held(cut.residual, walk, if down { cut.residual.hi } else { cut.residual.lo }, 1));
                }
                let spans: Vec<Span> = ranges.iter().filter_map(|r| r.span).collect();
                prop_assert!(tiles(root, &spans));
            }
        }
    }
}
