//! Every small world of a list that is read newest first: each order of unfollows, refollows, follows and page reads.
//!
//! Rows have keys that grow; the reader's pages follow one another by key, as the tokens of a chain do. It stops where
//! the rule says that everything older is known. A world in which a stable follower is missing refutes the rule.

use std::collections::BTreeSet;

use super::*;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Changes {
    unfollows: u8,
    returns: u8,
    follows: u8,
    backdated: u8,
}

/// What is known, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Older {
    /// An earlier result, of rows without keys.
    Rows { run: usize },
    /// An earlier result, with the key that its newest page of so many rows had reached.
    Key { page: usize },
    /// Ranges below the middle, read from their newest row on while the chain is read.
    Region { run: usize },
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    /// Keys and ids, oldest first. Keys of old rows leave room for backdated ones.
    list: Vec<(u8, u8)>,
    away: BTreeSet<u8>,
    /// Who was away or new since the first request of this scan.
    moved: BTreeSet<u8>,
    started: bool,
    changes: Changes,
    region: Option<(u8, Vec<u8>)>,
    below: u8,
    chain: Vec<u8>,
    over: bool,
}

struct Setup {
    rows: u8,
    page: usize,
    older: Older,
    changes: Changes,
}

const NEW: u8 = 100;
/// Keys of the first rows are multiples of this.
const STEP: u8 = 2;

impl Setup {
    fn world(&self) -> World {
        let is_region = matches!(self.older, Older::Region { .. });
        World {
            list: (0..self.rows).map(|id| (id * STEP, id)).collect(),
            away: BTreeSet::new(),
            moved: BTreeSet::new(),
            // A region is read by the same scan.
            started: is_region,
            changes: self.changes,
            region: is_region.then(|| (self.rows / 2 * STEP, Vec::new())),
            below: u8::MAX,
            chain: Vec::new(),
            over: false,
        }
    }

    fn base(&self) -> impl Iterator<Item = u8> {
        (0..self.rows).rev()
    }

    fn changed(&self, world: &World, next: &mut Vec<World>) {
        let mut with = |change: &dyn Fn(&mut World) -> u8| {
            let mut world = world.clone();
            let id = change(&mut world);
            if world.started {
                world.moved.insert(id);
            }
            next.push(world);
        };
        let newest = world.list.last().map_or(0, |(key, _)| *key).max(self.rows * STEP) + 1;
        if world.changes.unfollows > 0 {
            for at in 0..world.list.len() {
                with(&|world| {
                    world.changes.unfollows -= 1;
                    let (_, id) = world.list.remove(at);
                    world.away.insert(id);
                    id
                });
            }
        }
        if world.changes.returns > 0 {
            for id in &world.away {
                with(&|world| {
                    world.changes.returns -= 1;
                    world.away.remove(id);
                    world.list.push((newest, *id));
                    *id
                });
            }
        }
        if world.changes.follows > 0 {
            with(&|world| {
                let id = NEW + world.changes.follows;
                world.changes.follows -= 1;
                world.list.push((newest, id));
                id
            });
        }
        if world.changes.backdated > 0 {
            with(&|world| {
                let id = 2 * NEW + world.changes.backdated;
                world.changes.backdated -= 1;
                world.list.insert(0, (1, id));
                world.list.sort_unstable();
                id
            });
        }
    }

    fn page(&self, world: &World, below: u8) -> Vec<(u8, u8)> {
        let rows = world.list.iter().rev().filter(|(key, _)| *key < below);
        rows.take(self.page).copied().collect()
    }

    fn read(&self, world: &World, next: &mut Vec<World>) {
        let mut chain = world.clone();
        let page = self.page(world, world.below);
        chain.started = true;
        chain.chain.extend(page.iter().map(|(_, id)| *id));
        chain.below = page.last().map_or(0, |(key, _)| *key);
        chain.over = page.len() < self.page || self.stops(&chain);
        next.push(chain);
        if let Some((below, rows)) = &world.region
            && *below > 0
        {
            let page = self.page(world, *below);
            let mut world = world.clone();
            let rows = rows.iter().copied().chain(page.iter().map(|(_, id)| *id));
            let end = page.len() < self.page;
            let below = if end {
                0
            } else {
                page.last().map_or(0, |(key, _)| *key)
            };
            world.region = Some((below, rows.collect()));
            world.over = below == 0 && self.stops(&world);
            next.push(world);
        }
    }

    fn stops(&self, world: &World) -> bool {
        let overlap = |known: &mut dyn Iterator<Item = u8>, run| {
            let known = Known::new(known.map(|id| id.to_string()), run);
            let ids: Vec<String> = world.chain.iter().map(ToString::to_string).collect();
            known.overlap(ids.iter().map(String::as_str))
        };
        match (self.older, &world.region) {
            (Older::Rows { run }, _) => overlap(&mut self.base(), run),
            (Older::Key { page }, _) => {
                let reached = usize::from(self.rows).saturating_sub(page);
                usize::from(world.below) <= reached * usize::from(STEP)
            }
            (Older::Region { run }, Some((0, rows))) => overlap(&mut rows.iter().copied(), run),
            (Older::Region { .. }, _) => false,
        }
    }

    /// Plays every world; returns how many ended, in how many a stable follower was missing, and the most rows read.
    fn play(&self) -> (usize, usize, usize) {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.world()];
        let (mut ended, mut wrong, mut rows) = (0, 0, 0);
        while let Some(world) = open.pop() {
            if !seen.insert(world.clone()) {
                continue;
            }
            if world.over {
                ended += 1;
                rows = rows.max(world.chain.len());
                wrong += usize::from(self.misses(&world));
                continue;
            }
            let mut next = Vec::new();
            self.changed(&world, &mut next);
            self.read(&world, &mut next);
            open.append(&mut next);
        }
        (ended, wrong, rows)
    }

    fn misses(&self, world: &World) -> bool {
        let mut result: BTreeSet<u8> = world.chain.iter().copied().collect();
        match &world.region {
            Some((_, rows)) => result.extend(rows),
            None => result.extend(self.base()),
        }
        let mut stable = world.list.iter().filter(|(_, id)| !world.moved.contains(id));
        stable.any(|(_, id)| !result.contains(id))
    }
}

fn play(rows: u8, page: usize, older: Older, changes: [u8; 4]) -> (usize, usize, usize) {
    let [unfollows, returns, follows, backdated] = changes;
    let changes = Changes {
        unfollows,
        returns,
        follows,
        backdated,
    };
    Setup {
        rows,
        page,
        older,
        changes,
    }
    .play()
}

#[test]
fn fewer_returns_than_a_run_never_hide_a_new_follower() {
    for page in 1..=3 {
        for (run, changes) in [
            (1, [2, 0, 2, 0]),
            (2, [3, 1, 2, 0]),
            (3, [2, 2, 2, 0]),
            (3, [3, 2, 1, 0]),
        ] {
            let (ended, wrong, _) = play(5, page, Older::Rows { run }, changes);
            assert_eq!(
                wrong, 0,
                "since, pages of {page}, a run of {run}, {changes:?}: {ended} worlds"
            );
            let (ended, wrong, _) = play(4, page, Older::Region { run }, changes);
            assert_eq!(
                wrong, 0,
                "meeting, pages of {page}, a run of {run}, {changes:?}: {ended} worlds"
            );
        }
    }
}

#[test]
fn as_many_returns_as_a_run_can_hide_one() {
    for older in [Older::Rows { run: 1 }, Older::Region { run: 1 }] {
        assert!(play(4, 1, older, [1, 1, 1, 0]).1 > 0);
    }
    assert!(play(4, 1, Older::Rows { run: 2 }, [2, 2, 1, 0]).1 > 0);
}

#[test]
fn a_key_is_reached_whoever_returned_in_whichever_order() {
    for page in 1..=3 {
        for reached in 1..=2 {
            let (ended, wrong, _) = play(4, page, Older::Key { page: reached }, [3, 3, 1, 0]);
            assert_eq!(wrong, 0, "pages of {page}: {ended} worlds");
        }
    }
}

#[test]
fn a_backdated_follow_is_below_the_key() {
    assert!(play(4, 1, Older::Key { page: 1 }, [0, 0, 0, 1]).1 > 0);
}

#[test]
fn a_quiet_list_is_read_for_a_run_and_no_further() {
    for (page, run, rows) in [(1, 2, 2), (2, 2, 2), (3, 2, 3), (1, 3, 3), (2, 3, 4)] {
        assert_eq!(play(5, page, Older::Rows { run }, [0; 4]).2, rows);
        assert_eq!(play(5, page, Older::Key { page: 1 }, [0; 4]).2, page);
    }
}
