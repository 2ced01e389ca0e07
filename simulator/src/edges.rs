//! The live followers of one account: 16 bytes an edge, in follow order.
//!
//! A key is `milliseconds << 20 | sequence`, unique within the account and strictly increasing, so that a keyset
//! cursor is a key and removals never shift one. Chunks keep an unfollow in the middle of ten million rows at a
//! memmove of 64 KiB.

/// Sequence distance between two edges of one millisecond; the gap leaves room for cursors *between* edges.
pub(crate) const SEQUENCE_STEP: u64 = 64;
const SEQUENCE_BITS: u32 = 20;
const CHUNK: usize = 4_096;

/// One follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) key: u64,
    pub(crate) user: u64,
}

/// The follow time inside a key, in milliseconds.
pub(crate) fn key_ms(key: u64) -> u64 {
    key >> SEQUENCE_BITS
}

/// The sequence inside a key.
pub(crate) fn key_sequence(key: u64) -> u64 {
    key & ((1 << SEQUENCE_BITS) - 1)
}

/// The smallest key of a millisecond.
pub(crate) fn first_key(ms: u64) -> u64 {
    // A fabricated cursor may name any time; beyond the representable it is simply "the far future".
    if ms >= 1 << (64 - SEQUENCE_BITS) {
        u64::MAX
    } else {
        ms << SEQUENCE_BITS
    }
}

/// All live edges of one account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    chunks: Vec<Vec<Edge>>,
    len: usize,
    last_key: u64,
}

impl Edges {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a follow at `ms`, or just after the last one if the clock has not moved on; returns its key.
    pub(crate) fn push(&mut self, ms: u64, user: u64) -> u64 {
        let key = first_key(ms).max(self.last_key + SEQUENCE_STEP);
        let edge = Edge { key, user };
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(edge),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(edge);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
        self.last_key = key;
        key
    }

    /// Removes the edge at `index` (0 = oldest).
    pub(crate) fn remove_at(&mut self, index: usize) -> Option<Edge> {
        let (at, offset) = self.locate(index)?;
        let chunk = self.chunks.get_mut(at)?;
        let edge = chunk.remove(offset);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        self.len -= 1;
        Some(edge)
    }

    /// The index of `user`'s edge; a linear look through the list.
    pub(crate) fn index_of(&self, user: u64) -> Option<usize> {
        self.iter().position(|edge| edge.user == user)
    }

    /// Every edge, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Edge> + '_ {
        self.chunks.iter().flatten().copied()
    }

    /// Edges from `index` on, oldest first.
    pub(crate) fn starting_at(&self, index: usize) -> impl Iterator<Item = Edge> + '_ {
        let (at, offset) = self.locate(index).unwrap_or((self.chunks.len(), 0));
        let head = self
            .chunks
            .get(at)
            .and_then(|chunk| chunk.get(offset..))
            .unwrap_or_default();
        let tail = self.chunks.get(at + 1..).unwrap_or_default();
        head.iter().chain(tail.iter().flatten()).copied()
    }

    /// Edges with a key below `key`, newest first.
    pub(crate) fn older_than(&self, key: u64) -> impl Iterator<Item = Edge> + '_ {
        let (whole, part) = self.split(key);
        part.0
            .iter()
            .rev()
            .chain(whole.0.iter().rev().flat_map(|chunk| chunk.iter().rev()))
            .copied()
    }

    /// Edges with a key of `key` or above, oldest first.
    pub(crate) fn not_older_than(&self, key: u64) -> impl Iterator<Item = Edge> + '_ {
        let (whole, part) = self.split(key);
        part.1.iter().chain(whole.1.iter().flatten()).copied()
    }

    /// Chunks wholly below and wholly above, and the two halves of the chunk `key` falls into.
    #[expect(
        clippy::type_complexity,
        reason = "two pairs of slices, named by the one line that returns them"
    )]
    fn split(&self, key: u64) -> ((&[Vec<Edge>], &[Vec<Edge>]), (&[Edge], &[Edge])) {
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first().is_some_and(|edge| edge.key < key));
        let at = after.saturating_sub(1);
        let chunk = self.chunks.get(at).map(Vec::as_slice).unwrap_or_default();
        let offset = chunk.partition_point(|edge| edge.key < key);
        let below = self.chunks.get(..at).unwrap_or_default();
        let above = self.chunks.get(at + 1..).unwrap_or_default();
        ((below, above), chunk.split_at(offset))
    }

    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        let mut left = index;
        for (at, chunk) in self.chunks.iter().enumerate() {
            if left < chunk.len() {
                return Some((at, left));
            }
            left -= chunk.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64) -> Edges {
        let mut edges = Edges::default();
        for user in 0..count {
            edges.push(user / 3, user);
        }
        edges
    }

    #[test]
    fn both_directions_meet_at_a_key_and_lose_nobody() {
        let edges = filled(10_000);
        for key in edges
            .iter()
            .map(|edge| edge.key)
            .step_by(997)
            .chain([0, u64::MAX])
        {
            let below: Vec<_> = edges.older_than(key).collect();
            let above: Vec<_> = edges.not_older_than(key).collect();
            assert!(below.iter().all(|edge| edge.key < key) && above.iter().all(|edge| edge.key >= key));
            assert!(below.is_sorted_by(|a, b| a.key > b.key) && above.is_sorted_by(|a, b| a.key < b.key));
            assert_eq!(below.len() + above.len(), edges.len());
        }
    }

    #[test]
    fn removing_shifts_every_index_behind_and_no_key() {
        let mut edges = filled(9_000);
        let before: Vec<_> = edges.iter().collect();
        let gone = edges.remove_at(5_000).unwrap();
        assert_eq!(gone, before[5_000]);
        assert_eq!(edges.starting_at(5_000).next(), Some(before[5_001]));
        assert_eq!(
            edges
                .starting_at(4_999)
                .take(2)
                .map(|edge| edge.user)
                .collect::<Vec<_>>(),
            [4_999, 5_001]
        );
        assert_eq!(edges.older_than(gone.key).next(), Some(before[4_999]));
        assert_eq!(edges.index_of(5_000), None);
    }

    #[test]
    fn emptying_a_chunk_keeps_the_rest_reachable() {
        let mut edges = filled(9_000);
        for _ in 0..4_096 {
            edges.remove_at(4_096);
        }
        assert_eq!(edges.len(), 9_000 - 4_096);
        assert_eq!(
            edges
                .starting_at(4_095)
                .take(2)
                .map(|edge| edge.user)
                .collect::<Vec<_>>(),
            [4_095, 8_192]
        );
        assert_eq!(edges.starting_at(9_000).count(), 0);
        while edges.remove_at(0).is_some() {}
        assert_eq!(edges.older_than(u64::MAX).count(), 0);
        assert!(edges.push(0, 1) > 0);
    }
}
