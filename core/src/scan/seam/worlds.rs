//! Every small world: each order of unfollows, refollows, follows and page reads of lists up to five rows.
//!
//! The list is in order of following, so a returner is at its end. Ranges and seams are read as the ledger hands
//! them out, in any order. A world in which a stable follower is missing refutes the rule.

use std::collections::BTreeSet;

use super::*;
use crate::scan::overlap::Known;

/// Changes that a world may see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Changes {
    unfollows: u8,
    returns: u8,
    follows: u8,
}

/// One list and how it is read.
#[derive(Clone, Copy)]
struct Setup {
    rows: u8,
    page: usize,
    /// Pages of each range, from the start of the list.
    ranges: &'static [usize],
    /// Known rows that end a seam; 0 skips the seams.
    run: usize,
    walk: Walk,
    changes: Changes,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reader {
    /// Pages left.
    left: Vec<usize>,
    /// Rows in reading order.
    rows: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    list: Vec<u8>,
    away: BTreeSet<u8>,
    moved: BTreeSet<u8>,
    changes: Changes,
    ranges: Vec<Reader>,
    seams: Vec<Reader>,
    requests: usize,
}

impl Setup {
    fn world(&self) -> World {
        let mut from = 0;
        let reader = |pages: std::ops::Range<usize>| {
            let mut left: Vec<usize> = pages.collect();
            if self.walk == Walk::Up {
                left.reverse();
            }
            Reader {
                left,
                rows: Vec::new(),
            }
        };
        let ranges: Vec<Reader> = self
            .ranges
            .iter()
            .map(|pages| {
                from += pages;
                reader(from - pages..from)
            })
            .collect();
        let mut bound = 0;
        let seams = self.ranges[..self.ranges.len() - 1]
            .iter()
            .map(|pages| {
                bound += pages;
                let left = if self.run == 0 { 0..0 } else { 0..bound };
                reader(left)
            })
            .collect();
        World {
            list: (0..self.rows).collect(),
            away: BTreeSet::new(),
            moved: BTreeSet::new(),
            changes: self.changes,
            ranges,
            seams,
            requests: 0,
        }
    }

    fn page(&self, world: &World, number: usize) -> Vec<u8> {
        let rows = world.list.iter().skip(number * self.page).take(self.page);
        along(self.walk, rows.copied().collect())
    }

    fn changed(world: &World, next: &mut Vec<World>) {
        let Changes {
            unfollows,
            returns,
            follows,
        } = world.changes;
        for at in 0..if unfollows > 0 { world.list.len() } else { 0 } {
            let mut world = world.clone();
            world.changes.unfollows -= 1;
            let gone = world.list.remove(at);
            world.away.insert(gone);
            world.moved.insert(gone);
            next.push(world);
        }
        for id in world.away.iter().filter(|_| returns > 0) {
            let mut world = world.clone();
            world.changes.returns -= 1;
            world.away.remove(id);
            world.list.push(*id);
            next.push(world);
        }
        if follows > 0 {
            let mut world = world.clone();
            world.changes.follows -= 1;
            world.list.push(100 + follows);
            world.moved.insert(100 + follows);
            next.push(world);
        }
    }

    fn read(&self, world: &World, next: &mut Vec<World>) {
        for (number, reader) in world.ranges.iter().enumerate() {
            let mut left = reader.left.clone();
            let Some(page) = left.pop() else { continue };
            let mut world = world.clone();
            let mut rows = reader.rows.clone();
            rows.extend(self.page(&world, page));
            world.ranges[number] = Reader { left, rows };
            world.requests += 1;
            next.push(world);
        }
        for (number, reader) in world.seams.iter().enumerate() {
            let sides = &world.ranges[number..number + 2];
            let mut left = reader.left.clone();
            let Some(page) = left.pop() else { continue };
            if sides.iter().any(|side| !side.left.is_empty()) {
                continue;
            }
            let mut world = world.clone();
            let mut rows = reader.rows.clone();
            rows.extend(self.page(&world, page));
            let behind = world.ranges[..=number].iter().rev();
            let known = Known::new(
                behind.flat_map(|range| &range.rows).map(ToString::to_string),
                self.run,
            );
            let ids: Vec<String> = rows.iter().map(ToString::to_string).collect();
            if known.overlap(ids.iter().map(String::as_str)) {
                left.clear();
            }
            world.seams[number] = Reader { left, rows };
            world.requests += 1;
            next.push(world);
        }
    }

    /// Plays every world; returns how many ended, in how many a stable follower was missing, and the most requests.
    fn play(&self) -> (usize, usize, usize) {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.world()];
        let (mut ended, mut wrong, mut requests) = (0, 0, 0);
        while let Some(world) = open.pop() {
            if !seen.insert(world.clone()) {
                continue;
            }
            let mut next = Vec::new();
            self.read(&world, &mut next);
            if next.is_empty() {
                ended += 1;
                requests = requests.max(world.requests);
                let read: BTreeSet<u8> = world
                    .ranges
                    .iter()
                    .chain(&world.seams)
                    .flat_map(|reader| reader.rows.iter().copied())
                    .collect();
                let missing = (0..self.rows).any(|id| !world.moved.contains(&id) && !read.contains(&id));
                wrong += usize::from(missing);
                continue;
            }
            Self::changed(&world, &mut next);
            open.append(&mut next);
        }
        (ended, wrong, requests)
    }
}

const LISTS: [(u8, usize, &[usize]); 5] = [
    (4, 1, &[2, 2]),
    (4, 1, &[1, 3]),
    (4, 2, &[1, 1]),
    (5, 3, &[1, 1]),
    (3, 1, &[1, 1, 1]),
];

fn setup((rows, page, ranges): (u8, usize, &'static [usize]), run: usize, changes: [u8; 3]) -> Setup {
    let [unfollows, returns, follows] = changes;
    Setup {
        rows,
        page,
        ranges,
        run,
        walk: Walk::Down,
        changes: Changes {
            unfollows,
            returns,
            follows,
        },
    }
}

#[test]
fn fewer_returns_than_a_run_never_hide_a_stable_follower() {
    let mut worlds = 0;
    for list in LISTS {
        for (run, changes) in [(1, [3, 0, 1]), (2, [4, 1, 0]), (2, [2, 1, 1]), (3, [3, 2, 0])] {
            let (ended, wrong, _) = setup(list, run, changes).play();
            assert_eq!(wrong, 0, "{list:?}, a run of {run}, {changes:?}: {ended} worlds");
            worlds += ended;
        }
    }
    assert!(worlds > 10_000, "{worlds} worlds");
}

#[test]
fn as_many_returns_as_a_run_can_hide_one() {
    let (_, wrong, _) = setup(LISTS[0], 1, [3, 1, 0]).play();
    assert!(wrong > 0, "one known row did not end a seam too early");
    let (_, wrong, _) = setup(LISTS[0], 0, [1, 0, 0]).play();
    assert!(wrong > 0, "skipped seams missed no follower");
    let up = Setup {
        walk: Walk::Up,
        ..setup(LISTS[0], 2, [1, 0, 0])
    };
    assert!(up.play().1 > 0, "the wrong direction missed no follower");
}

#[test]
fn seams_of_a_quiet_list_take_as_many_pages_as_a_run() {
    for (list, run, requests) in [
        ((4, 1, &[2, 2][..]), 2, 4 + 2),
        ((5, 2, &[1, 2][..]), 2, 3 + 1),
        ((5, 3, &[1, 1][..]), 3, 2 + 1),
    ] {
        let (_, wrong, most) = setup(list, run, [0, 0, 0]).play();
        assert_eq!((wrong, most), (0, requests), "{list:?}");
    }
}
