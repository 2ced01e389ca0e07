//! A tournament of streams: who comes first, in as many comparisons as the tree is high.

/// A tree of losers. Its inner nodes hold who lost there, its root who won all.
#[derive(Debug)]
pub(super) struct Tournament {
    losers: Vec<usize>,
    winner: usize,
}

/// Nobody yet: wins against all.
const NOBODY: usize = usize::MAX;

impl Tournament {
    pub(super) fn new(players: usize) -> Self {
        Self {
            losers: vec![NOBODY; players],
            winner: 0,
        }
    }

    /// Plays all off; `wins(a, b)` says whether `a` comes before `b`.
    pub(super) fn begin(&mut self, wins: impl Fn(usize, usize) -> bool) {
        for player in 0..self.losers.len() {
            self.replay(player, &wins);
        }
    }

    /// Who comes first.
    #[inline]
    pub(super) const fn winner(&self) -> usize {
        self.winner
    }

    /// Plays again from this player's leaf up, because what it stands for has changed.
    #[inline]
    pub(super) fn replay(&mut self, player: usize, wins: impl Fn(usize, usize) -> bool) {
        let mut winner = player;
        let mut node = usize::midpoint(player, self.losers.len());
        while node > 0 {
            if let Some(loser) = self.losers.get_mut(node) {
                let other = *loser;
                if other == NOBODY || (winner != NOBODY && wins(other, winner)) {
                    *loser = winner;
                    winner = other;
                }
            }
            node /= 2;
        }
        self.winner = winner;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_sorts(lists in prop::collection::vec(prop::collection::vec(0u8..20, 0..8), 1..12)) {
            let mut lists = lists;
            let mut expected: Vec<u8> = lists.concat();
            expected.sort_unstable();
            for list in &mut lists {
                list.sort_unstable_by(|a, b| b.cmp(a));
            }
            let wins = |lists: &[Vec<u8>], a: usize, b: usize| {
                let top = |n: usize| lists[n].last().map_or((true, 0, n), |top| (false, *top, n));
                top(a) < top(b)
            };
            let mut tournament = Tournament::new(lists.len());
            tournament.begin(|a, b| wins(&lists, a, b));
            let mut found = Vec::new();
            while let Some(least) = lists[tournament.winner()].pop() {
                found.push(least);
                tournament.replay(tournament.winner(), |a, b| wins(&lists, a, b));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
