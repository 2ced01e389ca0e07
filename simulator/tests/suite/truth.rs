//! What a perfect listing would have contained.

use std::collections::BTreeSet;

use followlytics_simulator::{AccountSpec, ChurnSpec, EventKind, Platform, UserState};

use crate::bench::Bench;

const NASA: (Platform, &str) = (Platform::X, "nasa");

#[tokio::test]
async fn only_who_was_there_from_first_to_last_is_in_the_truth() {
    let (bench, _) = Bench::with_account("{}", NASA.0, NASA.1, 10);
    let world = &bench.world;
    let before = world.truth(NASA.0, NASA.1, world.now(), world.now()).unwrap();
    bench.advance_ms(1_000);
    let from = world.now();
    bench.advance_ms(1_000);
    let joined = world.follow(NASA.0, NASA.1, 2).unwrap();
    world.unfollow_user(NASA.0, NASA.1, &before[3]).unwrap();
    world.unfollow_user(NASA.0, NASA.1, &before[5]).unwrap();
    world.follow_user(NASA.0, NASA.1, &before[5]).unwrap();
    bench.advance_ms(1_000);
    let to = world.now();
    bench.advance_ms(1_000);
    world.unfollow_user(NASA.0, NASA.1, &before[7]).unwrap();
    world.follow(NASA.0, NASA.1, 1).unwrap();

    let truth = world.truth(NASA.0, NASA.1, from, to).unwrap();
    let expected: Vec<_> = before
        .iter()
        .enumerate()
        .filter(|(at, _)| ![3, 5].contains(at))
        .map(|(_, id)| id.clone())
        .collect();
    assert_eq!(truth, expected);

    let ever = world.ever_present(NASA.0, NASA.1, from, to).unwrap();
    assert_eq!(
        ever,
        before.iter().chain(&joined).cloned().collect::<BTreeSet<_>>()
    );
    assert_eq!(world.truth(NASA.0, NASA.1, from, from).unwrap(), before);
}

#[tokio::test]
async fn order_numbers_tell_events_apart_when_the_clock_stands_still() {
    let (bench, id) = Bench::with_account("{}", NASA.0, NASA.1, 10);
    bench.x_page(&id, "").await;
    let first = bench.world.order();
    bench.world.follow(NASA.0, NASA.1, 5).unwrap();
    bench.x_page(&id, "").await;
    let last = bench.world.order();
    bench.world.unfollow_at(NASA.0, NASA.1, 0, 10).unwrap();
    assert_eq!(
        bench
            .world
            .truth_between(NASA.0, NASA.1, first, last)
            .unwrap()
            .len(),
        10
    );
    assert_eq!(
        bench
            .world
            .truth_between(NASA.0, NASA.1, last, last)
            .unwrap()
            .len(),
        15
    );
    assert_eq!(
        bench
            .world
            .truth_between(NASA.0, NASA.1, last, bench.world.order())
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        bench
            .world
            .ever_present_between(NASA.0, NASA.1, first, last)
            .unwrap()
            .len(),
        15
    );
}

#[tokio::test]
async fn who_was_hidden_for_a_moment_is_not_in_the_truth() {
    let (bench, _) = Bench::with_account("{}", NASA.0, NASA.1, 10);
    let all = bench.world.truth_between(NASA.0, NASA.1, 0, 0).unwrap();
    bench
        .world
        .set_state(NASA.0, &all[1], UserState::Suspended)
        .unwrap();
    let start = bench.world.order();
    bench
        .world
        .set_state(NASA.0, &all[2], UserState::Deactivated)
        .unwrap();
    bench.world.set_state(NASA.0, &all[2], UserState::Active).unwrap();
    let end = bench.world.order();
    bench
        .world
        .set_state(NASA.0, &all[4], UserState::Suspended)
        .unwrap();
    let truth = bench.world.truth_between(NASA.0, NASA.1, start, end).unwrap();
    assert_eq!(truth.len(), 8);
    assert!(!truth.contains(&all[1]) && !truth.contains(&all[2]) && truth.contains(&all[4]));
    let ever = bench
        .world
        .ever_present_between(NASA.0, NASA.1, start, end)
        .unwrap();
    assert!(!ever.contains(&all[1]) && ever.contains(&all[2]));
}

#[tokio::test]
async fn a_walk_through_churn_sees_the_truth_and_nobody_made_up() {
    let bench = Bench::new("{}");
    let churn = ChurnSpec {
        unfollows_per_request: 3.0,
        follows_per_request: 2.0,
        ..ChurnSpec::default()
    };
    let spec = AccountSpec {
        churn,
        ..AccountSpec::new(NASA.0, NASA.1, 3_000)
    };
    let id = bench.world.create_account(spec).unwrap().id;
    let seen = bench.x_walk(&id, 100).await;
    let log = bench.world.requests(0, 1_000);
    // The first page's own churn comes before it: everything up to that request's order number is "before".
    let (first, last) = (log[0].order, log.last().unwrap().order);
    let distinct: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "a keyset list never repeats a row");
    let truth = bench.world.truth_between(NASA.0, NASA.1, first, last).unwrap();
    assert!(truth.len() > 2_800 && truth.iter().all(|id| distinct.contains(id)));
    let ever = bench
        .world
        .ever_present_between(NASA.0, NASA.1, first - 6, last)
        .unwrap();
    assert!(distinct.is_subset(&ever));
    assert_eq!(
        seen,
        log.iter()
            .flat_map(|request| request.rows.clone())
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn churn_by_the_clock_has_the_times_it_claims() {
    let (bench, _) = Bench::with_account("{}", NASA.0, NASA.1, 100);
    let start = bench.now_ms();
    let churn = ChurnSpec {
        follows_per_second: 4.0,
        unfollows_per_second: 1.0,
        ..ChurnSpec::default()
    };
    bench.world.set_churn(NASA.0, NASA.1, churn).unwrap();
    bench.advance_ms(10_000);
    assert_eq!(bench.world.account(NASA.0, NASA.1).unwrap().followers, 130);
    let events = bench.world.events(0, 100);
    assert_eq!(events.len(), 50);
    assert!(events.is_sorted_by_key(|event| event.at));
    let follows: Vec<i64> = events
        .iter()
        .filter(|event| event.kind == EventKind::Follow)
        .map(|event| event.at.as_millisecond() - start)
        .collect();
    assert_eq!(follows[..3], [250, 500, 750]);
}

#[tokio::test]
async fn following_twice_changes_nothing_and_strangers_cannot_unfollow() {
    let (bench, _) = Bench::with_account("{}", NASA.0, NASA.1, 2);
    let ids = bench.world.truth_between(NASA.0, NASA.1, 0, 0).unwrap();
    bench.world.follow_user(NASA.0, NASA.1, &ids[0]).unwrap();
    assert_eq!(bench.world.account(NASA.0, NASA.1).unwrap().followers, 2);
    assert!(!bench.world.unfollow_user(NASA.0, NASA.1, NASA.1).unwrap());
    assert!(bench.world.unfollow_user(NASA.0, NASA.1, "nobody_here").is_err());
}
