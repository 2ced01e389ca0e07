use proptest::prelude::*;

use super::{
    crew::{List, Work, read},
    *,
};

#[test]
fn what_nothing_else_accounts_for_lies_in_the_burst() {
    // A sparse stretch, and one that was entered at a hundred rows a position.
    let mut stretches = [
        Stretch::new(10_000, 0.1, Some(0.1)),
        Stretch::new(10_000, 100.0, Some(0.1)),
    ];
    settle(&mut stretches, 12_000);
    let [sparse, burst] = stretches;
    assert!((sparse.rows() - 1_000.0).abs() < 1.0, "{sparse:?}");
    assert!((burst.rows() - 11_000.0).abs() < 1.0, "{burst:?}");
    assert!(burst.distance_of(5_500.0) < 100.0, "{burst:?}");
}

#[test]
fn an_even_list_is_expected_to_go_on_evenly() {
    let mut stretches = [Stretch::new(1_000, 2.0, None)];
    settle(&mut stretches, 2_000);
    let [even] = stretches;
    assert!((even.distance_of(1_000.0) - 500.0).abs() < 1.0);
}

#[test]
fn a_denser_far_end_is_cut_near_it() {
    let mut stretches = [Stretch::new(1_000, 0.0, Some(10.0))];
    settle(&mut stretches, 5_000);
    let [rising] = stretches;
    assert!((rising.distance_of(2_500.0) - 707.0).abs() < 2.0, "{rising:?}");
}

proptest! {
    #[test]
    fn rows_rise_with_distance_up_to_all_of_them(
        length in 1i64..1 << 60,
        near in 0.0f64..10.0,
        far in 0.0f64..10.0,
        left in 0i64..1 << 40,
        share in 0.0f64..1.0,
    ) {
        let mut stretches = [Stretch::new(length, near, Some(far))];
        settle(&mut stretches, left);
        let [stretch] = stretches;
        let (rows, all) = (stretch.rows() * share, stretch.rows());
        let at = stretch.distance_of(rows);
        prop_assert!((0.0..=length as f64).contains(&at));
        prop_assert!(stretch.rows_within(at) >= rows - all * 1e-6 - 1e-6);
        prop_assert!((stretch.rows_within(length as f64) - all).abs() <= all * 1e-6 + 1e-6);
        prop_assert!(stretch.rows_within(at / 2.0) <= stretch.rows_within(at) + all * 1e-6 + 1e-6);
    }
}

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const NOW: i64 = 1_790_000_000_000_000;
const FOLLOWERS: i64 = 100_000;

/// So many follows between two times, never quite evenly.
fn spread(times: &mut Vec<i64>, rows: i64, from: i64, to: i64, power: f64) {
    let mut state = u64::try_from(rows).unwrap();
    for n in 0..rows {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let jitter = (state >> 33) as f64 / (1u64 << 31) as f64;
        let share = ((n as f64 + jitter) / rows as f64).powf(power);
        times.push(from + ((to - from) as f64 * share) as i64);
    }
}

/// Lists as they come about: name, age in days, and stretches of rows, days before now, and how they accelerate.
fn lists() -> Vec<(&'static str, i64, Vec<i64>)> {
    let made = |parts: &[(i64, i64, i64, f64)]| {
        let mut times = Vec::new();
        for (rows, from, to, power) in parts {
            spread(&mut times, *rows, NOW - from, NOW - to, *power);
        }
        times.sort_unstable();
        times
    };
    let n = FOLLOWERS;
    let burst = |ago: i64, age: i64, length: i64| {
        made(&[(n / 10, age * DAY, 0, 1.0), (n * 9 / 10, ago + length, ago, 1.0)])
    };
    vec![
        ("uniform", 90, made(&[(n, 90 * DAY, 0, 1.0)])),
        ("3.5 years", 1278, made(&[(n, 1278 * DAY, 0, 0.5)])),
        ("3.5 years, fading", 1278, made(&[(n, 1278 * DAY, 0, 3.0)])),
        (
            "viral",
            1461,
            made(&[
                (n / 4, 1461 * DAY, 738 * DAY, 1.0),
                (n / 2, 738 * DAY, 723 * DAY, 1.0),
                (n / 4, 723 * DAY, 0, 1.0),
            ]),
        ),
        ("last week", 1278, burst(0, 1278, 7 * DAY)),
        ("one hour, now", 1278, burst(0, 1278, HOUR)),
        ("one hour, a month ago", 1278, burst(30 * DAY, 1278, HOUR)),
        ("one hour, two years ago", 1278, burst(730 * DAY, 1278, HOUR)),
        ("one hour, at the start", 1278, burst(1277 * DAY, 1278, HOUR)),
        (
            "two bursts",
            1278,
            made(&[
                (n / 10, 1278 * DAY, 0, 1.0),
                (n * 4 / 10, 900 * DAY, 900 * DAY - HOUR, 1.0),
                (n / 2, 100 * DAY, 100 * DAY - HOUR, 1.0),
            ]),
        ),
    ]
}

fn measured() -> Vec<(String, Work)> {
    let mut all = Vec::new();
    for (name, age, times) in lists() {
        for created in [Some(NOW - age * DAY), None] {
            for counted in [FOLLOWERS, FOLLOWERS * 21 / 20] {
                let list = List {
                    times: times.clone(),
                    created,
                    now: NOW,
                };
                let name = format!(
                    "{name}, created {}, counted {counted}",
                    if created.is_some() { "known" } else { "unknown" }
                );
                all.push((name, read(&list, counted)));
            }
        }
    }
    all
}

/// The bar of the bench is higher; this one is missed only where somebody reads alone.
#[test]
fn four_runners_read_a_list_together_wherever_its_rows_are() {
    for (name, work) in measured() {
        assert!(work.concurrency >= 3.4, "{name}: {work:?}");
        assert!(work.requests <= FOLLOWERS / 100 * 106 / 100, "{name}: {work:?}");
    }
}
