//! Made-up followers in sorted runs, to measure merges with; nothing of the product calls it.

use std::{fmt::Write as _, sync::LazyLock};

use followlytics_core::{
    platform::Ids,
    row::Row,
    scan::{
        merge::{Id, Rank, Sighting},
        source::Source,
    },
};
use jiff::Timestamp;

use crate::{
    Settings, Tail, WorkerError,
    rows::{Columns, Form, Seal, Shape},
};

/// What is made up.
#[derive(Debug, Clone, Copy)]
pub struct Synthetic {
    /// Rows of all runs.
    pub rows: u64,
    /// Sorted runs.
    pub runs: u64,
    /// Of a hundred rows, those of a follower that another row is of, too.
    pub duplicates: u64,
    /// What the ids are.
    pub ids: Ids,
}

/// An object of a run.
#[derive(Debug)]
pub struct Piece {
    /// Its bytes: a Parquet file.
    pub bytes: Vec<u8>,
    /// What vouches for it.
    pub tail: Tail,
    /// Its rows.
    pub rows: u64,
    /// Its first id.
    pub first: String,
    /// Its last id.
    pub last: String,
}

/// Rows of a made-up page.
const PAGE: u64 = 1000;
/// Rows of an object.
const PIECE: usize = 500_000;

impl Synthetic {
    /// Followers of all runs.
    pub fn followers(&self) -> u64 {
        let mut seen = vec![false; usize::try_from(self.rows).unwrap_or(0)];
        for line in 0..self.rows {
            if let Some(seen) = usize::try_from(self.follower(line))
                .ok()
                .and_then(|at| seen.get_mut(at))
            {
                *seen = true;
            }
        }
        seen.iter().filter(|seen| **seen).count() as u64
    }

    /// The `number`-th run, in objects whose row groups have this many rows.
    pub fn run(&self, number: u64, group_rows: usize) -> Result<Vec<Piece>, WorkerError> {
        let (from, to) = (
            self.rows * number / self.runs,
            self.rows * (number + 1) / self.runs,
        );
        let id = |line| Id::new(&self.id(self.follower(line)), self.ids);
        let mut lines: Vec<(Id, u64)> = (from..to).map(|line| (id(line), line)).collect();
        // Of two lines of one follower the later one is the greater sighting.
        lines.sort_unstable_by(|(a, line_a), (b, line_b)| a.cmp(b).then(line_b.cmp(line_a)));
        lines.dedup_by(|(later, _), (kept, _)| later == kept);
        let form = Form::of_run(&Settings {
            run_group_rows: group_rows,
            ..Settings::default()
        });
        lines
            .chunks(PIECE)
            .map(|chunk| {
                let mut seal = Seal::new(Shape::Plain, form)?;
                for rows in chunk.chunks(16 * 1024) {
                    let mut columns = Columns::new("783214");
                    let order: Vec<(u32, Id, Rank)> = rows
                        .iter()
                        .map(|(id, line)| {
                            let sighting = sighting(*line);
                            let rank = Rank {
                                position: 0,
                                range: 1,
                                seq: sighting.seq,
                                row: sighting.row,
                            };
                            let number =
                                columns.append(id, &self.row(*line), &sighting, (Source::Api, (None, None)));
                            (number, id.clone(), rank)
                        })
                        .collect();
                    seal.write(&columns.take(Shape::Plain, &order)?)?;
                }
                let sealed = seal.finish()?;
                Ok(Piece {
                    bytes: sealed.bytes,
                    tail: sealed.tail,
                    rows: sealed.rows,
                    first: sealed.first,
                    last: sealed.last,
                })
            })
            .collect()
    }

    /// Whose row a line is.
    fn follower(&self, line: u64) -> u64 {
        let chance = mix(line ^ 0x5bd1_e995);
        if line > 0 && chance % 100 < self.duplicates {
            mix(chance) % line
        } else {
            line
        }
    }

    fn id(&self, follower: u64) -> String {
        let number = mix(follower);
        match self.ids {
            // Numbers of 64 bits that carry a time, as far as today.
            Ids::Integer => (number % 1_900_000_000_000_000_000).to_string(),
            Ids::Text => {
                let mut text = "did:plc:".to_owned();
                let mut bits = u128::from(number) << 64 | u128::from(mix(number));
                for _ in 0..24 {
                    text.push(char::from(
                        b"abcdefghijklmnopqrstuvwxyz234567"
                            .get((bits & 31) as usize)
                            .copied()
                            .unwrap_or(b'a'),
                    ));
                    bits >>= 5;
                }
                text
            }
        }
    }

    /// The row of a line, from 0.
    pub fn row(&self, line: u64) -> Row {
        let follower = self.follower(line);
        let mut chance = Chance(mix(follower ^ 0xabcd));
        let (first, second) = (chance.word(), chance.word());
        let mut handle = format!("{first}{second}");
        if chance.below(3) > 0 {
            let _ = write!(handle, "{}", chance.below(10_000));
        }
        let bio = (chance.below(100) < 55).then(|| {
            let words = 2 + chance.below(14);
            (0..words).map(|_| chance.word()).collect::<Vec<_>>().join(" ")
        });
        let location = (chance.below(100) < 35).then(|| {
            let number = chance.below(50);
            format!("{}, {number}", chance.word())
        });
        let mut count = |most: u32| i64::try_from(chance.next() >> (44 + chance.below(u64::from(most)))).ok();
        Row {
            id: self.id(follower),
            handle,
            name: Some(format!("{first} {second}")),
            bio: Some(bio.unwrap_or_default()),
            location,
            followers: count(18),
            following: count(14),
            posts: count(20),
            verified: Some(follower.is_multiple_of(50)),
            protected: Some(follower.is_multiple_of(12)),
            created: Timestamp::from_second(
                1_150_000_000 + i64::try_from(mix(follower) % 600_000_000).unwrap_or(0),
            )
            .ok(),
        }
    }
}

fn sighting(line: u64) -> Sighting {
    let page = line / PAGE;
    Sighting {
        seen_at: Timestamp::from_second(1_790_000_000 + i64::try_from(page * 3).unwrap_or(0))
            .unwrap_or_default(),
        range: 1,
        epoch: page / 300 + 1,
        seq: u32::try_from(page).unwrap_or(u32::MAX),
        row: u32::try_from(line % PAGE).unwrap_or(0),
    }
}

/// A number that is all over the place, and always the same for the same one (splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Common words come often.
    fn word(&mut self) -> &'static str {
        let (a, b) = (self.below(WORDS.len() as u64), self.below(WORDS.len() as u64));
        let number = usize::try_from(a.min(b)).unwrap_or(0);
        WORDS.get(number).copied().unwrap_or_default()
    }
}

/// Words as people use them of themselves, the common ones first.
static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("synthetic/words.txt").split_whitespace().collect());
