//! Which edges are gone: one bit an edge, and a Fenwick tree over blocks of bits, so that "the n-th that is left" costs
//! no more among a hundred million than among a thousand.

const WORD: u64 = 64;
const BLOCK_WORDS: usize = 64;
const BLOCK: u64 = 4_096;

/// A set of edge numbers that only grows; memory is that of the highest number in it.
#[derive(Debug, Default)]
pub(super) struct Gone {
    words: Vec<u64>,
    /// Node `n` (from 1) counts the blocks `(n - lowest bit of n, n]`.
    tree: Vec<u32>,
    count: u64,
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

const fn lowest_bit(node: usize) -> usize {
    node & node.wrapping_neg()
}

impl Gone {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn word(&self, number: u64) -> u64 {
        self.words.get(index(number)).copied().unwrap_or(0)
    }

    pub(super) fn contains(&self, edge: u64) -> bool {
        self.word(edge / WORD) >> (edge % WORD) & 1 == 1
    }

    /// Adds an edge; says whether it was new.
    pub(super) fn insert(&mut self, edge: u64) -> bool {
        if self.contains(edge) {
            return false;
        }
        let block = index(edge / BLOCK);
        while self.tree.len() <= block {
            self.grow();
        }
        if let Some(word) = self.words.get_mut(index(edge / WORD)) {
            *word |= 1 << (edge % WORD);
        }
        let mut node = block + 1;
        while let Some(sum) = self.tree.get_mut(node - 1) {
            *sum += 1;
            node += lowest_bit(node);
        }
        self.count += 1;
        true
    }

    /// One more block, with nothing in it.
    fn grow(&mut self) {
        self.words.resize(self.words.len() + BLOCK_WORDS, 0);
        let node = self.tree.len() + 1;
        let below = self.prefix(node - 1) - self.prefix(node - lowest_bit(node));
        self.tree.push(u32::try_from(below).unwrap_or(u32::MAX));
    }

    /// How many are gone in the first `blocks` blocks.
    fn prefix(&self, blocks: usize) -> u64 {
        let (mut node, mut sum) = (blocks, 0);
        while node > 0 {
            sum += self.tree.get(node - 1).copied().map_or(0, u64::from);
            node -= lowest_bit(node);
        }
        sum
    }

    /// The edge with so many others left before it.
    pub(super) fn nth_left(&self, nth: u64) -> u64 {
        let (mut block, mut left) = (0, nth);
        let mut step = (self.tree.len() + 1).next_power_of_two();
        while step > 0 {
            let node = block + step;
            if let Some(gone) = self.tree.get(node - 1) {
                let kept = u64::try_from(lowest_bit(node)).unwrap_or(0) * BLOCK - u64::from(*gone);
                if kept <= left {
                    (block, left) = (node, left - kept);
                }
            }
            step /= 2;
        }
        let mut edge = u64::try_from(block).unwrap_or(0) * BLOCK;
        loop {
            let kept = !self.word(edge / WORD);
            let here = u64::from(kept.count_ones());
            if left < here {
                return edge + nth_bit(kept, left);
            }
            left -= here;
            edge += WORD;
        }
    }

    /// The first edge from here on that is left; there is always one, for nobody counts the edges here.
    pub(super) fn left_from(&self, edge: u64) -> u64 {
        let mut kept = !self.word(edge / WORD) >> (edge % WORD) << (edge % WORD);
        let mut base = edge - edge % WORD;
        while kept == 0 {
            base += WORD;
            kept = !self.word(base / WORD);
        }
        base + u64::from(kept.trailing_zeros())
    }

    /// The last edge before this one that is left.
    pub(super) fn left_before(&self, edge: u64) -> Option<u64> {
        let last = edge.checked_sub(1)?;
        let mut base = last - last % WORD;
        let mut kept = !self.word(base / WORD) & (u64::MAX >> (WORD - 1 - last % WORD));
        while kept == 0 {
            base = base.checked_sub(WORD)?;
            kept = !self.word(base / WORD);
        }
        Some(base + WORD - 1 - u64::from(kept.leading_zeros()))
    }
}

/// The place of the `nth` set bit; the caller has counted them.
fn nth_bit(mut bits: u64, nth: u64) -> u64 {
    for _ in 0..nth {
        bits &= bits.wrapping_sub(1);
    }
    u64::from(bits.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_agrees_with_a_plain_set() {
        let (mut gone, mut plain) = (Gone::default(), BTreeSet::new());
        for step in 0..6_000u64 {
            let edge = crate::ids::mix(3, step) % 30_000;
            // A whole stretch too, so that words and blocks run empty.
            assert_eq!(gone.insert(edge), plain.insert(edge));
        }
        for edge in 8_000..17_000 {
            assert_eq!(gone.insert(edge), plain.insert(edge));
        }
        assert_eq!(gone.count(), plain.len() as u64);
        let left: Vec<u64> = (0..40_000).filter(|edge| !plain.contains(edge)).collect();
        for (nth, edge) in (0..).zip(&left) {
            assert_eq!(gone.nth_left(nth), *edge);
        }
        for edge in (0..39_000).step_by(7) {
            let at = left.partition_point(|left| *left < edge);
            assert_eq!(gone.left_from(edge), left[at]);
            assert_eq!(gone.left_before(edge), at.checked_sub(1).map(|at| left[at]));
        }
    }

    #[test]
    fn an_empty_set_leaves_everybody() {
        let gone = Gone::default();
        assert_eq!(
            (gone.nth_left(7), gone.left_from(7), gone.left_before(7)),
            (7, 7, Some(6))
        );
        assert_eq!(gone.left_before(0), None);
    }
}
