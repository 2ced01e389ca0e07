//! Splitting: a free runner takes half of what is left of another range, by the rows expected in it.

use jiff::Timestamp;

use super::{
    density::{self, Bounds, Density, Stretch},
    range::{Kind, NEWEST, Range, Span, State, Walk},
};
use crate::mutants::{self, Mutant};

/// Where a range is cut: the holder keeps the side it is walking through, the rest becomes a new range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// What the holder keeps.
    pub kept: Span,
    /// The new range.
    pub residual: Span,
    /// Rows expected in what the holder keeps and has not read.
    pub kept_rows: i64,
    /// Rows expected in the new range.
    pub rows: i64,
    /// How densely they lie where it begins.
    pub density: Density,
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
    /// Above this nothing is expected: the time of the first request, or the newest id that was seen.
    pub top: i64,
    /// Rows of the list that were not read yet, by the platform's count.
    pub left: i64,
}

impl Grain {
    /// What it says of the list.
    pub const fn bounds(&self) -> Bounds {
        Bounds {
            floor: self.floor,
            top: self.top,
            left: self.left,
        }
    }
}

/// Pages expected on each side of a cut at least: each side's last page crosses its end, and half of it is waste.
const PAGES: i64 = 2;

/// Cuts a range so that both sides are expected to hold the same number of unread rows; `None` where a side would be
/// too small, or nothing is expected.
pub fn cut(range: &Range, stretch: &Stretch, grain: Grain) -> Option<Cut> {
    let span = range.span?;
    // Where a page ends that begins at an unread cursor is not known before it is there.
    if range.place.is_unread() {
        return None;
    }
    let from = match range.walk {
        Walk::Down => range.place.position.min(grain.top).min(span.hi),
        Walk::Up => range.place.position.max(span.lo),
    };
    let rows = stretch.rows();
    let claimed = stretch.rows_within(distance(from, range.claimed));
    let (kept_rows, least) = (claimed.max(rows / 2.0), rows_of(PAGES * grain.page_rows));
    if kept_rows < least || rows - kept_rows < least {
        return None;
    }
    let far = stretch.distance_of(kept_rows);
    let at = match range.walk {
        Walk::Down => from.saturating_sub(whole(far)),
        Walk::Up => from.saturating_add(whole(far)),
    };
    let at = at - at.rem_euclid(grain.unit.max(1));
    let unclaimed = range.unclaimed();
    let (lowest, highest) = (unclaimed.lo.max(grain.floor), unclaimed.hi.min(grain.top));
    if at <= lowest || at >= highest {
        return None;
    }
    let (kept, residual) = sides(range, span, at, grain.unit.max(1));
    Some(Cut {
        kept,
        residual,
        kept_rows: whole(kept_rows),
        rows: whole(rows - kept_rows),
        density: stretch.density_at(far),
    })
}

fn sides(range: &Range, span: Span, at: i64, unit: i64) -> (Span, Span) {
    let mend = i64::from(mutants::on(Mutant::SplitOverlap)) - i64::from(mutants::on(Mutant::SplitGap));
    match range.walk {
        Walk::Down => (
            Span { lo: at, hi: span.hi },
            Span {
                lo: span.lo,
                hi: at + mend * unit,
            },
        ),
        Walk::Up => (Span { lo: span.lo, hi: at }, Span { lo: at, hi: span.hi }),
    }
}

/// Of the ranges others hold, the one with the most time left, and where to cut it.
///
/// Give the finished ranges as well: how a range ends shows where its neighbor began.
pub fn choose(ranges: &[Range], grain: Grain, now: Timestamp) -> Option<(usize, Cut)> {
    let pace = Pace::of(ranges, grain, now);
    density::outlook(ranges, grain.bounds())
        .iter()
        .zip(ranges)
        .enumerate()
        .filter(|(_, (_, r))| {
            matches!(r.kind, Kind::Listing | Kind::Sweep) && r.state == State::Open && r.is_held(now)
        })
        .filter_map(|(index, (stretch, r))| Some((index, stretch, r, cut(r, stretch, grain)?)))
        .max_by(|(_, a, r, _), (_, b, other, _)| {
            let times = (pace.time_left(r, a), pace.time_left(other, b));
            times.0.total_cmp(&times.1).then(other.id.cmp(&r.id))
        })
        .map(|(index, _, _, cut)| (index, cut))
}

/// How long holders take for a row.
struct Pace {
    now: Timestamp,
    page_rows: i64,
    mean: f64,
}

impl Pace {
    fn of(ranges: &[Range], grain: Grain, now: Timestamp) -> Self {
        let held = || ranges.iter().filter(|r| r.is_held(now) && r.lease_rows > 0);
        let elapsed: f64 = held().map(|r| elapsed(r, now)).sum();
        let rows: i64 = held().map(|r| r.lease_rows).sum();
        Self {
            now,
            page_rows: grain.page_rows.max(1),
            mean: elapsed / rows_of(rows.max(1)),
        }
    }

    /// Milliseconds the holder still needs, by its own speed under this lease; slow holders come first.
    fn time_left(&self, range: &Range, stretch: &Stretch) -> f64 {
        let elapsed = elapsed(range, self.now);
        let pace = if range.lease_rows > 0 {
            elapsed / rows_of(range.lease_rows)
        } else {
            // Its first page is under way.
            (elapsed / rows_of(self.page_rows)).max(self.mean)
        };
        stretch.rows() * pace
    }
}

fn elapsed(range: &Range, now: Timestamp) -> f64 {
    let held = range.leased_at.map_or(0, |at| now.duration_since(at).as_millis());
    rows_of(i64::try_from(held).unwrap_or(i64::MAX).max(1))
}

fn distance(a: i64, b: i64) -> f64 {
    rows_of(if b == NEWEST {
        0
    } else {
        a.saturating_sub(b).saturating_abs()
    })
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn rows_of(rows: i64) -> f64 {
    rows as f64
}

#[expect(clippy::cast_possible_truncation, reason = "an estimate; `as` saturates")]
const fn whole(rows: f64) -> i64 {
    rows as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::range::{OLDEST, Place, tiles};

    /// A list of so many unread rows, cut at multiples of a unit.
    fn grain(unit: i64, page_rows: i64, left: i64) -> Grain {
        Grain {
            unit,
            page_rows,
            floor: 0,
            top: NEWEST,
            left,
        }
    }

    fn cut(range: &Range, grain: Grain) -> Option<Cut> {
        let outlook = density::outlook(std::slice::from_ref(range), grain.bounds());
        super::cut(range, &outlook[0], grain)
    }

    fn held(span: Span, walk: Walk, claimed: i64, expected: i64) -> Range {
        let mut range = Range::new(1, Kind::Listing, Some(span), walk, expected);
        range.claimed = claimed;
        range.place = Place::at(claimed);
        range.holder = Some("a".into());
        range.lease_until = Timestamp::from_second(20).ok();
        range.leased_at = Some(Timestamp::UNIX_EPOCH);
        range
    }

    /// Every rows-read × split point of a small range: primary ∪ residual = original, in both directions.
    #[test]
    fn every_split_leaves_exactly_the_original() {
        let mut cuts = 0;
        for walk in [Walk::Up, Walk::Down] {
            for unit in [1, 3, 10] {
                for hi in 1..60 {
                    for claimed in 0..=hi {
                        let span = Span { lo: 0, hi };
                        let range = held(span, walk, claimed, hi);
                        let Some(cut) = cut(&range, grain(unit, 1, hi)) else {
                            continue;
                        };
                        cuts += 1;
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
        assert!(cuts > 3_000, "{cuts}");
    }

    #[test]
    fn a_part_of_under_two_pages_is_left_to_its_holder() {
        let range = held(Span { lo: 0, hi: 390 }, Walk::Down, 390, 390);
        assert_eq!(choose(&[range], grain(10, 100, 390), Timestamp::UNIX_EPOCH), None);
        let range = held(Span { lo: 0, hi: 420 }, Walk::Down, 420, 420);
        assert!(choose(&[range], grain(10, 100, 420), Timestamp::UNIX_EPOCH).is_some());
    }

    #[test]
    fn nothing_is_cut_off_below_the_accounts_own_beginning() {
        let grain = Grain {
            floor: 800,
            ..grain(10, 50, 200)
        };
        let mut range = held(Span { lo: 0, hi: 1200 }, Walk::Down, 1000, 400);
        range.rows = 200;
        range.last = Density { rows: 50, extent: 50 };
        assert_eq!(
            range.rows_left(grain.floor),
            200,
            "as dense as what was read, down to the floor"
        );
        assert_eq!(cut(&range, grain).unwrap().residual, Span { lo: 0, hi: 900 });
        range.claimed = 790;
        assert_eq!(cut(&range, grain), None);
    }

    /// Nine in ten followers came within an hour, years before the newest: the runner that comes upon them is
    /// relieved of half of them, not of half of the time.
    #[test]
    fn a_burst_is_cut_where_its_rows_are() {
        const HOUR: i64 = 3_600_000_000;
        let mut range = held(
            Span {
                lo: 0,
                hi: 40_000 * HOUR,
            },
            Walk::Down,
            20_000 * HOUR,
            10_000,
        );
        range.rows = 500;
        range.first = Density {
            rows: 100,
            extent: 400 * HOUR,
        };
        range.last = Density {
            rows: 100,
            extent: HOUR / 900,
        };
        let grain = grain(1_000, 100, 90_000);
        let cut = cut(&range, grain).unwrap();
        let taken = 20_000 * HOUR - cut.residual.hi;
        assert!(
            (HOUR / 3..HOUR * 2 / 3).contains(&taken),
            "{} minutes below",
            taken / (HOUR / 60)
        );
        assert!((44_000..46_000).contains(&cut.rows), "{}", cut.rows);
    }

    #[test]
    fn an_open_newest_range_is_cut_by_what_was_seen_of_it() {
        let now = 1_790_000_000_000_000;
        let grain = Grain {
            top: now,
            ..grain(1_000, 100, 10_000)
        };
        let span = Span {
            lo: OLDEST,
            hi: NEWEST,
        };
        let mut range = held(span, Walk::Down, NEWEST, 10_000);
        range.last = Density {
            rows: 100,
            extent: 1_000_000,
        };
        let cut = cut(&range, grain).unwrap();
        let below = now - cut.kept.lo;
        assert!((50_000_000..60_000_000).contains(&below), "{below}");
        assert_eq!((cut.kept.hi, cut.residual.lo), (NEWEST, OLDEST));
    }

    #[test]
    fn a_range_that_is_read_by_unread_cursors_is_not_cut() {
        let grain = grain(10, 10, 900);
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
        let (index, cut) = choose(&[fast, slow], grain(50, 50, 1_800), now).unwrap();
        assert_eq!((index, cut.residual), (1, Span { lo: 1000, hi: 1400 }));
    }

    #[test]
    fn a_chain_is_never_split() {
        let mut chain = Range::new(0, Kind::Listing, None, Walk::Down, 50_000);
        chain.holder = Some("a".into());
        chain.lease_until = Timestamp::from_second(1).ok();
        assert_eq!(
            choose(&[chain], grain(1, 1000, 50_000), Timestamp::UNIX_EPOCH),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]
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
                if let Some(cut) = cut(range, Grain { floor, ..grain(unit, 1, size) }) {
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
