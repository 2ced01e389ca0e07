//! Numbers, keys, indices and histories agree however a list came about.

use super::*;
use crate::growth::Growth;

/// A grown run, a burst and single follows, some of one millisecond, some of users who were there before.
fn filled(count: u64) -> Edges {
    let times = FollowTimes::new(Growth::Steady, 1_000, 5_000_000, count);
    let mut edges = Edges::grown(5, 1, count, times);
    for user in 0..200 {
        let born = Moment {
            order: user + 1,
            ms: 6_000_000 + user / 3,
        };
        edges.push(count + 1 + user, born);
    }
    edges.push_many(
        count + 201,
        300,
        Moment {
            order: 300,
            ms: 6_000_010,
        },
    );
    edges
}

#[test]
fn keys_and_serials_rise_with_every_edge() {
    let edges = filled(5_000);
    let all: Vec<Edge> = edges.starting_at(0).collect();
    assert_eq!(all.len(), 5_500);
    assert!(
        all.windows(2)
            .all(|pair| edges.key(pair[0]) + SEQUENCE_STEP <= edges.key(pair[1]))
    );
    assert!(
        all.windows(2)
            .all(|pair| edges.serial(pair[0]) < edges.serial(pair[1]))
    );
    assert!(
        all.iter()
            .all(|edge| edges.had_key(edges.key(*edge)) && !edges.had_key(edges.key(*edge) + 2))
    );
}

#[test]
fn both_directions_meet_at_a_key_and_lose_nobody() {
    let mut edges = filled(5_000);
    edges.purge(
        Draw::new(9, 0.3),
        Moment {
            order: 400,
            ms: 7_000_000,
        },
    );
    let all: Vec<Edge> = edges.starting_at(0).collect();
    assert_eq!(all.len() as u64, edges.len());
    for edge in all.iter().step_by(97) {
        for key in [edges.key(*edge), edges.key(*edge) + 1] {
            let below: Vec<_> = edges.older_than(key).collect();
            let above: Vec<_> = edges.not_older_than(key).collect();
            let joined: Vec<_> = below.iter().rev().chain(&above).copied().collect();
            assert_eq!(joined, all);
            assert!(below.iter().all(|edge| edges.key(*edge) < key));
        }
        for serial in [edges.serial(*edge), edges.serial(*edge) + 1] {
            let below: Vec<_> = edges.below_serial(serial).collect();
            let joined: Vec<_> = below.into_iter().rev().chain(edges.at_serial(serial)).collect();
            assert_eq!(joined, all);
        }
    }
    assert_eq!(
        edges.older_than(0).count() + edges.not_older_than(u64::MAX).count(),
        0
    );
    assert_eq!(edges.below_serial(0).count(), 0);
}

#[test]
fn removing_shifts_every_index_behind_and_no_key() {
    let mut edges = filled(9_000);
    let before: Vec<Edge> = edges.starting_at(0).collect();
    let at = Moment {
        order: 400,
        ms: 7_000_000,
    };
    let gone = edges.at(5_000).unwrap();
    edges.end(gone, at);
    assert_eq!((gone, edges.ended(gone)), (before[5_000], Some(at)));
    assert_eq!(edges.starting_at(5_000).next(), Some(before[5_001]));
    assert_eq!(edges.at(4_999), Some(before[4_999]));
    assert_eq!(edges.older_than(edges.key(gone)).next(), Some(before[4_999]));
    assert_eq!(edges.find(gone.user), None);
    while let Some(edge) = edges.at(0) {
        edges.end(edge, at);
    }
    assert_eq!((edges.len(), edges.older_than(u64::MAX).count()), (0, 0));
    edges.push(1, Moment { order: 500, ms: 0 });
    assert_eq!(edges.at(0).map(|edge| edge.user), Some(1));
}

#[test]
fn a_user_who_comes_back_has_a_history() {
    let mut edges = filled(100);
    let (left, back) = (
        Moment {
            order: 400,
            ms: 7_000_000,
        },
        Moment {
            order: 401,
            ms: 7_000_000,
        },
    );
    edges.end(edges.find(40).unwrap(), left);
    edges.push(40, back);
    let history: Vec<_> = edges
        .history(40)
        .map(|edge| (edges.began(edge), edges.ended(edge)))
        .collect();
    assert_eq!(history, [(back, None), (Moment::default(), Some(left))]);
    assert_eq!(
        edges.purge(
            Draw::new(1, 1.0),
            Moment {
                order: 402,
                ms: 7_000_000
            }
        ),
        600
    );
    let ends: Vec<_> = edges
        .history(40)
        .filter_map(|edge| edges.ended(edge))
        .map(|end| end.order)
        .collect();
    assert_eq!(ends, [402, 400]);
}

#[test]
fn a_stretch_of_numbers_crosses_segments() {
    let mut edges = filled(100);
    edges.end(
        edges.at(99).unwrap(),
        Moment {
            order: 400,
            ms: 7_000_000,
        },
    );
    let users: Vec<u64> = edges.ever(98..102).map(|edge| edge.user).collect();
    assert_eq!(users, [99, 100, 101, 102]);
    assert_eq!(edges.ever(590..9_999).count(), 10);
}
