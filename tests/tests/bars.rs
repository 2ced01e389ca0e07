//! Small versions of the benches, in virtual time: the same figures on every machine and in every run.

use followlytics_core::account::Platform::{Bluesky, Gitea, X};
use followlytics_tests::bench::{
    density, fairness,
    requests::{self, Case},
    runners, windows,
    world::Shape,
};

#[test]
fn without_a_fault_only_necessary_requests_are_made() {
    for case in [
        Case::calm(X, 0, 1, 1_000),
        Case::calm(X, 3_000, 1, 1_000),
        Case::calm(X, 12_345, 1, 1_000),
        Case::calm(Gitea, 0, 1, 1_000),
        Case::calm(Gitea, 50, 2, 1_000),
        Case::calm(Gitea, 4_321, 1, 500),
        Case::calm(Gitea, 4_321, 5, 500),
        Case::calm(Bluesky, 0, 1, 1_000),
        Case::calm(Bluesky, 6_050, 1, 1_000),
        Case::calm(Bluesky, 6_050, 5, 1_000),
    ] {
        let found = requests::measure(case).unwrap();
        assert!(found.requests <= found.necessary, "{found:?}");
    }
}

#[test]
fn a_list_that_does_not_tell_its_end_costs_the_two_requests_that_prove_it() {
    for followers in [1, 99, 100, 250] {
        let found = requests::measure(Case::calm(Bluesky, followers, 1, 1_000)).unwrap();
        assert_eq!(found.requests, found.necessary + found.end, "{found:?}");
    }
}

#[test]
fn each_kill_costs_at_most_the_request_in_flight() {
    for platform in [X, Gitea, Bluesky] {
        let (followers, runners) = match platform {
            X => (60_000, 1),
            Gitea => (12_000, 3),
            _ => (24_000, 3),
        };
        for kills in [1, 3, 7] {
            let case = Case {
                kills,
                ..Case::calm(platform, followers, runners, 2_000)
            };
            let found = requests::measure(case).unwrap();
            assert!(found.ratio_with_end() <= found.bound(), "{found:?}");
        }
    }
}

#[test]
fn scans_end_when_their_rate_limit_allows() {
    for scans in [1, 12] {
        let case = windows::Case {
            scans,
            pages: 95,
            requests: 20,
            window_ms: 900_000,
            page_ms: 300,
        };
        let measured = windows::measure(case).unwrap();
        assert!(
            measured.ratio() >= 1.0 && measured.ratio() <= 1.01,
            "{case:?}: {measured:?}"
        );
    }
}

#[test]
fn short_scans_end_early_and_long_ones_within_twice_their_fair_share() {
    for (seed, every) in [(1, 0), (3, 300)] {
        let case = fairness::Case {
            requests: 20,
            ..fairness::Case::mixed(seed, 24, every, 60)
        };
        let measured = fairness::measure(&case).unwrap();
        assert!(measured.slowest_in_windows <= 2.0, "{case:?}: {measured:?}");
        if every == 0 {
            assert!(measured.slowest <= 2.0, "{case:?}: {measured:?}");
            assert!(
                measured.mean.as_secs_f64() <= 1.3 * measured.bound.as_secs_f64(),
                "{case:?}: {measured:?}"
            );
        }
    }
}

#[test]
fn four_runners_do_nearly_four_times_the_work_and_a_slow_one_costs_little() {
    for (platform, followers) in [(Gitea, 25_000), (Bluesky, 50_000)] {
        let times = runners::Times::of(|runners, slowness| {
            runners::measure(runners::Case {
                platform,
                followers,
                runners,
                slow: (4, slowness),
            })
        });
        let times = times.unwrap();
        assert!(times.one >= 3.7 * times.four, "{platform}: {times:?}");
        assert!(times.over_capacity() <= 1.15, "{platform}: {times:?}");
    }
}

/// A small list of each kind; the bench reads large ones against a higher bar.
#[test]
fn four_runners_share_a_list_wherever_its_rows_are() {
    for (name, growth, days) in density::lists() {
        for is_age_known in [true, false] {
            let shape = Shape {
                growth,
                days,
                is_age_known,
            };
            let shared = density::measure(Bluesky, 20_000, shape).unwrap();
            let list = format!("{name}, {is_age_known}: {shared:?}");
            assert!(shared.concurrency >= 3.0, "{list}");
            // A short list is cut as often as a long one, and each page repeats a row.
            assert!(shared.ratio() <= 1.25, "{list}");
        }
    }
}
