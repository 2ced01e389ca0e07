//! Row caps: which rank is the first that a cap leaves out, found without holding all ranks.
//!
//! The ranks are passed over several times. Nearly always once is enough, for a capped scan reads little more than
//! its cap; otherwise each pass narrows the space in which the rank can lie by a factor of [`BINS`].

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    mem::{replace, take},
};

use super::Rank;

/// Parts into which a pass divides what is left of the space.
const BINS: u128 = 1 << 18;
/// Most ranks held at once.
const HELD: usize = 1 << 18;

/// The search for the first rank that is left out.
#[derive(Debug)]
pub struct Cut {
    cap: u64,
    held: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is known: the greatest ranks are held, and the space is measured.
    Greatest {
        seen: u64,
        least: u128,
        most: u128,
        held: BinaryHeap<Reverse<Rank>>,
    },
    /// The rank lies from `lo` to `hi`; `below` ranks lie under `lo`.
    Narrowing {
        lo: u128,
        hi: u128,
        below: u64,
        bins: Vec<u64>,
        held: Vec<Rank>,
        overflow: bool,
    },
    Found(Option<Rank>),
}

impl Cut {
    /// A search for the rank behind the first `cap` ones; 0 = nothing is left out.
    pub fn new(cap: u64) -> Self {
        Self::holding(cap, HELD)
    }

    fn holding(cap: u64, held: usize) -> Self {
        let state = if cap == 0 {
            State::Found(None)
        } else {
            State::Greatest {
                seen: 0,
                least: u128::MAX,
                most: 0,
                held: BinaryHeap::new(),
            }
        };
        Self { cap, held, state }
    }

    /// What was found: `Some(None)` says that nothing is left out, `None` that the ranks are passed over (again).
    pub const fn found(&self) -> Option<Option<Rank>> {
        match &self.state {
            State::Found(rank) => Some(*rank),
            State::Greatest { .. } | State::Narrowing { .. } => None,
        }
    }

    /// Takes in one rank; every pass brings the same ones, in any order.
    pub fn add(&mut self, rank: Rank) {
        let limit = self.held;
        match &mut self.state {
            State::Found(_) => {}
            State::Greatest {
                seen,
                least,
                most,
                held,
            } => {
                *seen += 1;
                *least = (*least).min(page(rank));
                *most = (*most).max(page(rank));
                if held.len() < limit {
                    held.push(Reverse(rank));
                } else if held.peek().is_some_and(|Reverse(kept)| *kept < rank) {
                    held.pop();
                    held.push(Reverse(rank));
                }
            }
            State::Narrowing {
                lo,
                hi,
                bins,
                held,
                overflow,
                ..
            } => {
                let page = page(rank);
                if page < *lo || page > *hi {
                    return;
                }
                if let Some(bin) = usize::try_from((page - *lo) / width(*lo, *hi))
                    .ok()
                    .and_then(|bin| bins.get_mut(bin))
                {
                    *bin += 1;
                }
                // Ranks of one page cannot be told apart by their pages; a page is small.
                if held.len() < limit || lo == hi {
                    held.push(rank);
                } else {
                    *overflow = true;
                }
            }
        }
    }

    /// Ends a pass over all ranks.
    pub fn end_pass(&mut self) {
        self.state = match replace(&mut self.state, State::Found(None)) {
            State::Greatest {
                seen,
                least,
                most,
                held,
            } => self.after_first(seen, least, most, held),
            State::Narrowing {
                lo,
                hi,
                below,
                bins,
                held,
                overflow,
            } => self.narrow(lo, hi, below, &bins, held, overflow),
            found @ State::Found(_) => found,
        };
    }

    fn after_first(&self, seen: u64, least: u128, most: u128, held: BinaryHeap<Reverse<Rank>>) -> State {
        let over = usize::try_from(seen.saturating_sub(self.cap)).unwrap_or(usize::MAX);
        if over == 0 {
            return State::Found(None);
        }
        if over <= held.len() {
            // Ascending by `Reverse` is the greatest first.
            let sorted = held.into_sorted_vec();
            return State::Found(sorted.get(over - 1).map(|Reverse(rank)| *rank));
        }
        Self::narrowing(least, most, 0)
    }

    fn narrow(
        &self,
        lo: u128,
        hi: u128,
        below: u64,
        bins: &[u64],
        mut held: Vec<Rank>,
        overflow: bool,
    ) -> State {
        let mut wanted = self.cap.saturating_sub(below);
        if !overflow {
            held.sort_unstable();
            let first_out = usize::try_from(wanted).ok().and_then(|wanted| held.get(wanted));
            return State::Found(first_out.copied());
        }
        let (width, mut below, mut start) = (width(lo, hi), below, lo);
        for count in bins {
            if wanted < *count {
                break;
            }
            wanted -= count;
            below += count;
            start = start.saturating_add(width);
        }
        take(&mut held);
        Self::narrowing(start, start.saturating_add(width - 1).min(hi), below)
    }

    fn narrowing(lo: u128, hi: u128, below: u64) -> State {
        let bins = usize::try_from((hi - lo) / width(lo, hi) + 1).unwrap_or(1);
        State::Narrowing {
            lo,
            hi,
            below,
            bins: vec![0; bins],
            held: Vec::new(),
            overflow: false,
        }
    }
}

/// A rank's page as one number in the same order.
fn page(rank: Rank) -> u128 {
    // Flipping the sign bit puts negative positions below the others.
    let position = rank.position.cast_unsigned() ^ (1 << 63);
    u128::from(position) << 64 | u128::from(rank.range) << 32 | u128::from(rank.seq)
}

fn width(lo: u128, hi: u128) -> u128 {
    (hi - lo) / BINS + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn search(ranks: &[Rank], cap: u64, held: usize) -> (Option<Rank>, u32) {
        let mut cut = Cut::holding(cap, held);
        let mut passes = 0;
        while cut.found().is_none() {
            for rank in ranks {
                cut.add(*rank);
            }
            cut.end_pass();
            passes += 1;
            assert!(passes < 12, "it does not end");
        }
        (cut.found().unwrap(), passes)
    }

    prop_compose! {
        fn ranks()(
            all in prop::collection::btree_set(
                (prop_oneof![Just(i64::MIN), Just(0), -5i64..5, any::<i64>(), Just(i64::MAX)], 0u32..3, 0u32..3, 0u32..4),
                0..80,
            ),
        ) -> Vec<Rank> {
            all.into_iter().map(|(position, range, seq, row)| Rank { position, range, seq, row }).rev().collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_is_the_rank_behind_the_cap(ranks in ranks(), cap in 0u64..100, held in 1usize..20) {
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            let expected = sorted.get(usize::try_from(cap).unwrap()).copied().filter(|_| cap > 0);
            prop_assert_eq!(search(&ranks, cap, held).0, expected);
        }
    }

    #[test]
    fn a_scan_that_read_little_more_than_its_cap_is_passed_over_once() {
        let rank = |n: u32| Rank {
            position: i64::from(n / 10),
            range: 1,
            seq: n / 10,
            row: n % 10,
        };
        let ranks: Vec<Rank> = (0..1000).map(rank).collect();
        assert_eq!(search(&ranks, 990, 16), (Some(rank(990)), 1));
        assert_eq!(search(&ranks, 1000, 16), (None, 1));
        assert_eq!(search(&ranks, 500, 16).0, Some(rank(500)));
    }
}
