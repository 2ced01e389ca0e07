//! Servers of a test: the length of each list, and the rounds that scan it.

use std::{env, ops::Range};

/// Followers in the one round of the ordinary run.
const SHORT: u32 = 6_000;
/// Followers in the worlds of the long run.
const USUAL: u32 = 20_000;
/// Followers in its last world.
const LONG: u32 = 100_000;
/// Rounds on the longest list.
const LONG_ROUNDS: u64 = 2;
/// Rounds per server; tokens of the PDS expire after two hours.
const ROUNDS: u64 = 7;

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Followers at the start.
    pub followers: u32,
    /// Seeds of its rounds.
    pub rounds: Range<u64>,
}

/// Number of rounds.
pub fn runs() -> u64 {
    env::var("FOLLOWLYTICS_SERVER_RUNS").map_or(1, |text| text.parse().unwrap())
}

/// Returns the servers of this many rounds.
pub fn worlds(runs: u64) -> Vec<World> {
    if runs <= 1 {
        return vec![World {
            followers: SHORT,
            rounds: 0..runs,
        }];
    }
    let usual = runs.saturating_sub(LONG_ROUNDS);
    let starts = (0..usual).step_by(usize::try_from(ROUNDS).unwrap());
    let mut worlds: Vec<World> = starts
        .map(|start| World {
            followers: USUAL,
            rounds: start..(start + ROUNDS).min(usual),
        })
        .collect();
    worlds.push(World {
        followers: LONG,
        rounds: usual..runs,
    });
    worlds
}

#[test]
fn worlds_play_every_round_once_and_end_with_the_longest_list() {
    for runs in [0, 1, 2, 9, 30] {
        let worlds = worlds(runs);
        let rounds: Vec<u64> = worlds.iter().flat_map(|world| world.rounds.clone()).collect();
        assert_eq!(rounds, (0..runs).collect::<Vec<_>>(), "{worlds:?}");
    }
    assert_eq!(worlds(1)[0].followers, SHORT);
    assert_eq!(worlds(30).last().unwrap().followers, LONG);
}
