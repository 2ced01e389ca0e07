use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{platform::Family, scan::window::Rule};

const WINDOW_MS: i64 = 900_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn window(requests: i64, used: i64, reset_ms: Option<i64>) -> Window {
    Window {
        used,
        reset: reset_ms.map(at),
        told: true,
        ..Window::new(Rule::new(Family::Followers, requests, WINDOW_MS))
    }
}

/// Reads a page in 0.3 s.
fn contender(uid: &str, priority: i64, left: i64) -> Contender {
    Contender {
        uid: uid.to_owned(),
        priority,
        asked: 0,
        left,
        came: FairTime::default(),
        pages_per_hour: 12_000,
    }
}

fn may(uid: &str, contenders: &[Contender], window: &Window, now_ms: i64) -> bool {
    turn(
        uid,
        contenders,
        std::slice::from_ref(window),
        FairTime::default(),
        at(now_ms),
    ) == Turn::Now
}

#[test]
fn alone_nobody_waits() {
    for (used, reset) in [(0, None), (299, Some(900_000)), (300, Some(900_000))] {
        assert!(may(
            "a",
            &[contender("a", -5, 10_000)],
            &window(300, used, reset),
            898_000
        ));
    }
    assert!(
        may("resolving", &[contender("a", 0, 500)], &window(300, 0, None), 0),
        "one that lists nothing yet"
    );
}

#[test]
fn fewest_pages_left_go_first_and_the_rest_waits_for_what_they_leave() {
    let scans = [
        contender("long", 0, 500),
        contender("short", 0, 100),
        contender("middle", 0, 150),
    ];
    let begun = window(300, 0, Some(900_000));
    assert!(may("short", &scans, &begun, 0) && may("middle", &scans, &begun, 0));
    assert!(
        may("long", &scans, &begun, 0),
        "300 are left and 250 are spoken for"
    );
    let used = window(300, 50, Some(900_000));
    assert!(!may("long", &scans, &used, 0));
    let Turn::Later(again) = turn("long", &scans, &[used], FairTime::default(), at(0)) else {
        panic!("it had its turn")
    };
    assert_eq!(again, at(449_500), "half the time that is left to start in");
}

#[test]
fn a_larger_priority_goes_before_fewer_pages() {
    let scans = [contender("urgent", 1, 5_000), contender("short", 0, 1)];
    let begun = window(300, 10, Some(900_000));
    assert!(may("urgent", &scans, &begun, 0) && !may("short", &scans, &begun, 0));
}

#[test]
fn only_what_can_still_be_fetched_is_kept_for_those_before() {
    let scans = [contender("chain", 1, 5_000), contender("other", 0, 5_000)];
    let mostly_unused = window(300, 100, Some(900_000));
    assert!(!may("other", &scans, &mostly_unused, 0));
    // 29 s to start in, 96 pages at 0.3 s, 200 slots.
    assert!(may("other", &scans, &mostly_unused, 870_000));
    let slow = Contender {
        pages_per_hour: 360,
        ..scans[0].clone()
    };
    assert!(
        may("other", &[slow, scans[1].clone()], &mostly_unused, 0),
        "89 pages at 10 s each"
    );
}

#[test]
fn nothing_is_kept_for_a_scan_without_a_runner() {
    let absent = Contender {
        pages_per_hour: 0,
        ..contender("absent", 9, 5_000)
    };
    assert!(may(
        "other",
        &[absent, contender("other", 0, 10)],
        &window(300, 299, Some(900_000)),
        0
    ));
}

#[test]
fn the_long_window_decides_too() {
    let scans = [contender("first", 1, 400), contender("second", 0, 10)];
    let quarter = window(500, 0, None);
    let mut day = window(400, 0, None);
    day.rule.window_ms = 86_400_000;
    assert_eq!(
        turn(
            "second",
            &scans,
            std::slice::from_ref(&quarter),
            FairTime::default(),
            at(0)
        ),
        Turn::Now
    );
    assert!(matches!(
        turn("second", &scans, &[quarter, day], FairTime::default(), at(0)),
        Turn::Later(_)
    ));
}

#[test]
fn once_its_fair_share_would_have_sufficed_a_scan_goes_first() {
    let scans = [contender("urgent", 5, 300), contender("old", 0, 100)];
    let begun = window(300, 10, Some(900_000));
    let mut fair = FairTime::default();
    let first = |uid, fair| turn(uid, &scans, std::slice::from_ref(&begun), fair, at(0)) == Turn::Now;
    for _ in 0..199 {
        fair = fair.after_slot(2);
    }
    assert!(first("urgent", fair) && !first("old", fair));
    fair = fair.after_slot(2);
    assert!(first("old", fair), "of 200 slots a half was its fair share");
}

/// Who may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// What is tested.
    Turn,
    /// The same with a fair time that stands still.
    TurnWithoutAgeing,
    /// Every slot goes to whom was served least lately: a fair share, by definition.
    RoundRobin,
}

/// A credential's scans in steps of one page.
struct Model {
    requests: i64,
    page_ms: i64,
    /// (arrival, pages), by number.
    scans: Vec<(i64, i64)>,
}

#[derive(Default)]
struct Outcome {
    /// Arrival to last page, by scan.
    took: BTreeMap<usize, i64>,
    /// Slots that a window ended with although somebody who had been held back in it had pages left.
    wasted: i64,
}

impl Model {
    fn run(&self, by: By) -> Outcome {
        let mut outcome = Outcome::default();
        let mut asked: Vec<i64> = vec![0; self.scans.len()];
        let mut came: Vec<Option<FairTime>> = vec![None; self.scans.len()];
        let mut served: Vec<i64> = vec![0; self.scans.len()];
        let (mut window, mut fair) = (window(self.requests, 0, None), FairTime::default());
        let (mut now, mut turn_number) = (0, 0);
        let mut held_back = BTreeSet::new();
        while outcome.took.len() < self.scans.len() {
            let reset = window.reset;
            window.refresh(at(now));
            if reset.is_some() && window.reset.is_none() {
                held_back.clear();
            }
            let mut active: Vec<usize> = (0..self.scans.len())
                .filter(|n| self.scans[*n].0 <= now && asked[*n] < self.scans[*n].1)
                .collect();
            for n in &active {
                if came[*n].is_none() {
                    came[*n] = Some(fair);
                    // Behind everybody who is here already, or a stream of newcomers would be served first.
                    served[*n] = turn_number;
                }
            }
            if by == By::RoundRobin {
                active.sort_by_key(|n| (served[*n], *n));
            }
            for n in active {
                let contenders: Vec<Contender> = (0..self.scans.len())
                    .filter(|n| came[*n].is_some() && asked[*n] < self.scans[*n].1)
                    .map(|n| Contender {
                        asked: asked[n],
                        left: self.scans[n].1 - asked[n],
                        came: came[n].unwrap(),
                        pages_per_hour: 3_600_000 / self.page_ms,
                        ..contender(&format!("{n:03}"), 0, 0)
                    })
                    .collect();
                let full = window.used >= window.rule.requests
                    || window.last_start(START).is_some_and(|last| last <= at(now));
                if full {
                    continue;
                }
                let uid = format!("{n:03}");
                if by != By::RoundRobin
                    && turn(&uid, &contenders, std::slice::from_ref(&window), fair, at(now)) != Turn::Now
                {
                    held_back.insert(n);
                    continue;
                }
                window.used += 1;
                window.reset.get_or_insert(at(now + WINDOW_MS));
                window.told = true;
                if by == By::Turn {
                    fair = fair.after_slot(contenders.len());
                }
                turn_number += 1;
                served[n] = turn_number;
                asked[n] += 1;
                if asked[n] == self.scans[n].1 {
                    outcome.took.insert(n, now + self.page_ms - self.scans[n].0);
                }
            }
            now += self.page_ms;
            let ends = window
                .last_start(START)
                .is_some_and(|last| last <= at(now) && last > at(now - self.page_ms));
            if ends && held_back.iter().any(|n: &usize| asked[*n] < self.scans[*n].1) {
                outcome.wasted += window.rule.requests - window.used;
            }
        }
        outcome
    }

    /// Mean time if the shortest went first, all at once: no order can have a smaller one.
    fn shortest_first(&self) -> i64 {
        let mut pages: Vec<i64> = self.scans.iter().map(|(_, pages)| *pages).collect();
        pages.sort_unstable();
        let mut sum = 0;
        let total: i64 = pages
            .iter()
            .map(|pages| {
                sum += pages;
                ((sum - 1) / self.requests * WINDOW_MS).max(pages * self.page_ms)
            })
            .sum();
        total / i64::try_from(self.scans.len()).unwrap()
    }
}

#[test]
fn a_stream_of_short_scans_starves_a_long_one_unless_it_ages() {
    // Twelve pages every window of ten: nothing is left for the long scan before the stream ends.
    let stream = (0..180).map(|n| (n * WINDOW_MS / 3, 4));
    let model = Model {
        requests: 10,
        page_ms: 3_000,
        scans: std::iter::once((0, 20)).chain(stream).collect(),
    };
    let share = model.run(By::RoundRobin).took[&0];
    let starved = model.run(By::TurnWithoutAgeing).took[&0];
    assert!(
        starved > 2 * share + WINDOW_MS,
        "{starved} is within twice {share}"
    );
    assert!(model.run(By::Turn).took[&0] <= 2 * share);
}

/// Many short scans and a few long ones.
fn sizes() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1i64..8, 3 => 8i64..60, 1 => 60i64..400]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_scan_takes_twice_its_fair_share_whatever_comes_after_it(
        scans in prop::collection::vec((0i64..40, sizes()), 1..40),
        requests in 20i64..80,
    ) {
        let scans = scans.into_iter().map(|(windows, pages)| (windows * WINDOW_MS / 4, pages)).collect();
        let model = Model { requests, page_ms: 3_000, scans };
        let (ours, fair) = (model.run(By::Turn), model.run(By::RoundRobin));
        for (n, took) in &ours.took {
            let share = fair.took[n];
            // Windows are coarse: a scan may come just after its window was used up, and what is due early in one
            // may come late in it, or in the next.
            prop_assert!(*took <= 2 * share + 2 * WINDOW_MS, "scan {n} of {:?} took {took}, its fair share {share}", model.scans);
        }
    }

    #[test]
    fn no_window_ends_with_slots_that_somebody_was_refused(
        scans in prop::collection::vec((0i64..8, sizes()), 2..25),
        requests in 20i64..300,
        page_ms in prop::sample::select(vec![300i64, 3_000, 20_000]),
    ) {
        let scans = scans.into_iter().map(|(windows, pages)| (windows * WINDOW_MS / 4, pages)).collect();
        let model = Model { requests, page_ms: page_ms.max(3_000), scans };
        prop_assert_eq!(model.run(By::Turn).wasted, 0, "{:?}", model.scans);
    }

    #[test]
    fn scans_that_come_together_end_nearly_as_early_as_they_can(
        pages in prop::collection::vec(sizes(), 2..60),
        requests in 20i64..80,
    ) {
        let model = Model { requests, page_ms: 3_000, scans: pages.into_iter().map(|pages| (0, pages)).collect() };
        let took = model.run(By::Turn).took;
        let mean = took.values().sum::<i64>() / i64::try_from(took.len()).unwrap();
        // Pages of one window are read one after another: that is in no bound.
        prop_assert!(mean * 10 <= model.shortest_first() * 13 + WINDOW_MS, "{mean} for {}", model.shortest_first());
    }

    #[test]
    fn the_decision_does_not_depend_on_the_order_of_the_rows(
        scans in prop::collection::vec((-2i64..3, 0i64..50, 0i64..50, 0i64..20_000), 1..12),
        used in 0i64..100,
        now in 0i64..900_000,
        fair in 0usize..80,
    ) {
        let contenders: Vec<Contender> = scans
            .iter()
            .enumerate()
            .map(|(n, (priority, asked, left, pages_per_hour))| Contender {
                asked: *asked,
                pages_per_hour: *pages_per_hour,
                ..contender(&n.to_string(), *priority, *left)
            })
            .collect();
        let fair = (0..fair).fold(FairTime::default(), |fair, _| fair.after_slot(2));
        let turned: Vec<Contender> = contenders.iter().rev().cloned().collect();
        let windows = [window(100, used, Some(900_000))];
        let mut first = 0;
        for one in &contenders {
            let mine = turn(&one.uid, &contenders, &windows, fair, at(now));
            prop_assert_eq!(mine, turn(&one.uid, &turned, &windows, fair, at(now)));
            first += i64::from(mine == Turn::Now);
            if let Turn::Later(again) = mine {
                prop_assert!(again > at(now));
            }
        }
        prop_assert!(first > 0, "somebody always may");
    }
}
