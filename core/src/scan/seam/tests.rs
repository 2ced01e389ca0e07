//! The table that decided the rule: followers present throughout and yet missed, by direction and by seams.
//! Accounts that unfollow return with some probability, at the newest end.

use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::scan::overlap::Known;

const ROWS: usize = 10_000;
const PAGE: usize = 50;
const RANGES: usize = 4;
const SEEDS: u64 = 20;
/// Unfollows and follows per request, each.
const CHURN: f64 = 0.3;
/// Refollows per request.
const RETURNS: f64 = 0.2;

/// A list that is oldest first (new rows at the end) or newest first (new rows in front).
struct World {
    rows: Vec<u32>,
    next: u32,
    newest_first: bool,
    /// Who followed throughout.
    present: BTreeSet<u32>,
    away: Vec<u32>,
    rng: ChaCha8Rng,
}

impl World {
    fn new(seed: u64, newest_first: bool) -> Self {
        let rows: Vec<u32> = (0..u32::try_from(ROWS).unwrap()).collect();
        let present = rows.iter().copied().collect();
        Self {
            rows,
            next: u32::try_from(ROWS).unwrap(),
            newest_first,
            present,
            away: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// One request: the list churns, then a page is served.
    fn page(&mut self, number: usize) -> Vec<u32> {
        if self.rng.random_bool(CHURN) && !self.rows.is_empty() {
            let at = self.rng.random_range(0..self.rows.len());
            let gone = self.rows.remove(at);
            self.present.remove(&gone);
            self.away.push(gone);
        }
        if self.rng.random_bool(RETURNS) && !self.away.is_empty() {
            let one = self.rng.random_range(0..self.away.len());
            let returned = self.away.swap_remove(one);
            self.add(returned);
        }
        if self.rng.random_bool(CHURN) {
            self.add(self.next);
            self.next += 1;
        }
        self.rows.iter().skip(number * PAGE).take(PAGE).copied().collect()
    }

    fn add(&mut self, id: u32) {
        let at = if self.newest_first { 0 } else { self.rows.len() };
        self.rows.insert(at, id);
    }
}

struct Reader {
    pages: Vec<usize>,
    /// Rows in reading order.
    read: Vec<u32>,
}

/// Reads with four runners in turn, each its quarter, in one direction; returns (missed, requests).
fn scan(seed: u64, newest_first: bool, walk: Walk, seams: bool) -> (usize, usize) {
    let mut world = World::new(seed, newest_first);
    let per_range = ROWS / PAGE / RANGES;
    let mut readers: Vec<Reader> = (0..RANGES)
        .map(|n| {
            let mut pages: Vec<usize> = (n * per_range..(n + 1) * per_range).collect();
            if walk == Walk::Up {
                pages.reverse();
            }
            Reader {
                pages,
                read: Vec::new(),
            }
        })
        .collect();
    let mut requests = 0;
    while readers.iter().any(|r| !r.pages.is_empty()) {
        for reader in &mut readers {
            if let Some(page) = reader.pages.pop() {
                reader.read.extend(along(walk, world.page(page)));
                requests += 1;
            }
        }
    }
    let mut read: BTreeSet<u32> = readers.iter().flat_map(|r| r.read.iter().copied()).collect();
    if seams {
        requests += reread(&mut world, &readers, walk, per_range, &mut read);
    }
    (
        world
            .present
            .difference(&read)
            .filter(|id| (**id as usize) < ROWS)
            .count(),
        requests,
    )
}

/// Applies `due` itself: the ranges it names are read until their `meets` range's own rows appear.
fn reread(
    world: &mut World,
    readers: &[Reader],
    walk: Walk,
    per_range: usize,
    read: &mut BTreeSet<u32>,
) -> usize {
    let rows = |pages: usize| i64::try_from(pages * PAGE).unwrap();
    let mut ranges: Vec<Range> = (0..RANGES)
        .map(|n| {
            let span = Span {
                lo: rows(n * per_range),
                hi: rows((n + 1) * per_range),
            };
            let mut range = Range::new(u32::try_from(n).unwrap(), Kind::Listing, Some(span), walk, 0);
            range.state = State::Done;
            range
        })
        .collect();
    let mut requests = 0;
    for done in 0..u32::try_from(RANGES).unwrap() {
        let next = u32::try_from(ranges.len()).unwrap();
        for seam in due(&ranges, done, Drift::Both, next) {
            let behind = behind(&ranges, &seam).into_iter();
            let behind = behind.flat_map(|range| &readers[range as usize].read);
            let known = Known::new(behind.map(ToString::to_string), RUN);
            let mut rows_read = Vec::new();
            let mut page = seam.place.position / rows(1);
            loop {
                page -= i64::from(walk == Walk::Down);
                let Ok(number) = usize::try_from(page) else { break };
                let found = along(walk, world.page(number));
                requests += 1;
                rows_read.extend(found.iter().map(ToString::to_string));
                let met = found.is_empty() || known.overlap(rows_read.iter().map(String::as_str));
                read.extend(found);
                if met {
                    break;
                }
                page += i64::from(walk == Walk::Up);
            }
            ranges.push(seam);
        }
    }
    requests
}

fn mean_missed(newest_first: bool, walk: Walk, seams: bool) -> (f64, usize) {
    let runs: Vec<(usize, usize)> = (0..SEEDS)
        .map(|seed| scan(seed, newest_first, walk, seams))
        .collect();
    let missed: usize = runs.iter().map(|(missed, _)| missed).sum();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let mean = missed as f64 / SEEDS as f64;
    (
        mean,
        runs.iter().map(|(_, requests)| *requests).max().unwrap_or(0),
    )
}

#[test]
fn oldest_first_lists_are_read_backward_with_their_seams() {
    let (backward, requests) = mean_missed(false, Walk::Down, true);
    assert!(backward < 0.01, "backward with seams missed {backward}");
    assert!(requests <= ROWS / PAGE + 2 * (RANGES - 1), "{requests} requests");
    let (unseamed, _) = mean_missed(false, Walk::Down, false);
    assert!(
        unseamed > 20.0,
        "without seam reading only {unseamed} were missed: the seams prove nothing"
    );
    let (forward, _) = mean_missed(false, Walk::Up, true);
    assert!(forward > 20.0, "the wrong direction missed only {forward}");
}

#[test]
fn newest_first_lists_lose_rows_in_either_direction() {
    let (forward, _) = mean_missed(true, Walk::Up, true);
    let (backward, _) = mean_missed(true, Walk::Down, true);
    assert!(
        forward > 1.0 && backward > forward,
        "forward {forward}, backward {backward}"
    );
}

#[test]
fn seams_fall_due_once_and_only_when_both_sides_are_done() {
    let range = |id, lo, hi, state| {
        let mut range = Range::new(id, Kind::Listing, Some(Span { lo, hi }), Walk::Down, 0);
        range.state = state;
        range
    };
    let mut ranges = vec![
        range(0, 0, 10, State::Done),
        range(1, 10, 20, State::Open),
        range(2, 20, 30, State::Done),
    ];
    assert_eq!(due(&ranges, 2, Drift::TowardsStart, 3), []);
    ranges[1].state = State::Done;
    let seams = due(&ranges, 1, Drift::TowardsStart, 3);
    let found: Vec<_> = seams.iter().map(|s| (s.id, s.span, s.meets)).collect();
    let expected = [
        (3, Some(Span { lo: 0, hi: 10 }), Some(0)),
        (4, Some(Span { lo: 0, hi: 20 }), Some(1)),
    ];
    assert_eq!(found, expected);
    ranges.extend(seams);
    assert_eq!(due(&ranges, 0, Drift::TowardsStart, 5), [], "each seam once");
    assert_eq!(
        due(&ranges, 1, Drift::None, 5),
        [],
        "lists of keys have no seams to read"
    );
}

#[test]
fn rows_behind_a_seam_are_those_of_every_range_it_may_reach() {
    let range = |id, lo, hi| Range::new(id, Kind::Listing, Some(Span { lo, hi }), Walk::Down, 0);
    let mut ranges = vec![
        range(0, 0, 10),
        range(1, 10, 10),
        range(2, 10, 20),
        range(3, 20, 30),
    ];
    let mut seam = Range::new(4, Kind::Seam, Some(Span { lo: 0, hi: 20 }), Walk::Down, 0);
    seam.meets = Some(2);
    ranges.push(seam.clone());
    assert_eq!(behind(&ranges, &seam), [2, 0]);
    seam.walk = Walk::Up;
    seam.span = Some(Span { lo: 10, hi: 30 });
    assert_eq!(behind(&ranges, &seam), [2, 3]);
}
