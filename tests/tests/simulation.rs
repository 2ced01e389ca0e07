//! The seeded whole-system simulation, over many seeds.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use followlytics_tests::sim::{Report, Scenario, run};

/// Seeds to run; the long battery asks for more.
fn seeds() -> u64 {
    std::env::var("FOLLOWLYTICS_SIM_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000)
}

/// What must have happened in a thousand seeds.
const COVERED: [&str; 27] = [
    "adopted",
    "ambiguous dollars",
    "api faults",
    "browser faults",
    "controller died",
    "failed requests",
    "fell back to the API",
    "fell back to the browser",
    "fenced",
    "frozen",
    "helped",
    "killed",
    "lost",
    "met",
    "met from below",
    "object faults",
    "objects away",
    "page came too late",
    "read out by the browser",
    "refetched pages",
    "refreshes",
    "refused entry",
    "returned",
    "seam pages",
    "skewed clocks",
    "splits",
    "suspended",
];

fn explain(seed: u64, report: &Report) -> String {
    let tail: Vec<&str> = report.trace.lines().rev().take(40).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    format!(
        "seed {seed}: {}\nreplay: FOLLOWLYTICS_SIM_SEED={seed} cargo test --release -p followlytics-tests --test simulation one_seed -- --nocapture\n…\n{}",
        report.broken.as_deref().unwrap_or("nothing broken"),
        tail.join("\n")
    )
}

#[test]
fn every_invariant_holds_for_every_seed() {
    let (next, count) = (AtomicU64::new(0), seeds());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let coverage = Mutex::new(BTreeMap::<&str, u64>::new());
    let failures: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut failures = Vec::new();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= count || failures.len() > 3 {
                            return failures;
                        }
                        let report = run(Scenario::of(seed));
                        if report.broken.is_some() {
                            failures.push(explain(seed, &report));
                        }
                        let mut coverage = coverage.lock().unwrap();
                        for (what, count) in report.coverage {
                            *coverage.entry(what).or_insert(0) += count;
                        }
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    let coverage = coverage.into_inner().unwrap();
    println!("{count} seeds: {coverage:?}");
    assert!(
        failures.is_empty(),
        "{} seeds broke an invariant\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    // A fault that never fires, or an outcome that never comes about, proves nothing.
    if count >= 1_000 {
        for what in COVERED {
            assert!(
                coverage.get(what).is_some_and(|times| *times >= 5),
                "{what} happened too seldom: {coverage:?}"
            );
        }
    }
}

#[test]
fn accounts_that_return_do_not_end_a_seam() {
    for seed in [95, 15, 62, 72, 76] {
        let report = run(Scenario::returners(seed));
        assert!(report.broken.is_none(), "{}", explain(seed, &report));
    }
}

/// The first result may be complete or not; what goes on from it says as much as it holds.
#[test]
fn a_scan_since_an_earlier_result_misses_nobody_it_promises() {
    let mut coverage = BTreeMap::<&str, u64>::new();
    for seed in 0..seeds().min(150) {
        let report = run(Scenario::since(seed));
        assert!(report.broken.is_none(), "{}", explain(seed, &report));
        for (what, count) in report.coverage {
            *coverage.entry(what).or_insert(0) += count;
        }
    }
    println!("{coverage:?}");
    for what in ["complete again", "best efforts again", "hidden lists"] {
        assert!(
            coverage.get(what).is_some_and(|times| *times >= 5),
            "{what}: {coverage:?}"
        );
    }
}

/// A claim that read every page of a killed runner's lease took longer than its permit may take to start.
#[test]
fn a_claim_takes_as_long_whatever_was_read_before() {
    let report = run(Scenario::of(1213));
    assert!(report.broken.is_none(), "{}", explain(1213, &report));
}

#[test]
fn one_seed_run_twice_gives_the_same_trace() {
    for seed in 0..20 {
        let (first, second) = (run(Scenario::of(seed)), run(Scenario::of(seed)));
        assert!(first.hops > 0);
        if first.trace != second.trace {
            let differs = first
                .trace
                .lines()
                .zip(second.trace.lines())
                .find(|(a, b)| a != b);
            panic!("seed {seed} gave two traces; they differ first at {differs:?}");
        }
    }
}

#[test]
fn a_calm_world_is_read_with_the_necessary_requests_only() {
    for seed in 0..60 {
        let report = run(Scenario::calm(seed));
        assert!(report.broken.is_none(), "{}", explain(seed, &report));
    }
}

#[test]
fn every_dollar_is_accounted_for_while_the_object_store_is_away() {
    for seed in 0..seeds().div_ceil(20).max(20) {
        let report = run(Scenario::outage(seed));
        assert!(report.broken.is_none(), "{}", explain(seed, &report));
    }
}

#[test]
fn skewed_clocks_cost_no_throughput() {
    let mut elapsed = [0.0, 0.0];
    for seed in 0..30 {
        for (sum, skew_seconds) in elapsed.iter_mut().zip([0, 60]) {
            let report = run(Scenario {
                skew_seconds,
                ..Scenario::calm(seed)
            });
            assert!(report.broken.is_none(), "{}", explain(seed, &report));
            *sum += report.elapsed.as_secs_f64();
        }
    }
    let [agreed, skewed] = elapsed;
    println!(
        "throughput with clocks up to 60 s apart: {:.3} of that without",
        agreed / skewed
    );
    assert!(
        agreed >= 0.95 * skewed,
        "{agreed} s, {skewed} s with skewed clocks"
    );
}

#[test]
fn scans_go_on_after_the_clock_of_the_database_is_set() {
    for seed in 0..seeds().div_ceil(10).max(20) {
        let report = run(Scenario::step(seed));
        assert!(report.broken.is_none(), "{}", explain(seed, &report));
    }
}

#[test]
fn one_seed() {
    let Some(seed) = std::env::var("FOLLOWLYTICS_SIM_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
    else {
        return;
    };
    let calm = std::env::var_os("FOLLOWLYTICS_SIM_CALM").is_some();
    let scenario = if calm {
        Scenario::calm(seed)
    } else if std::env::var_os("FOLLOWLYTICS_SIM_OUTAGE").is_some() {
        Scenario::outage(seed)
    } else if std::env::var_os("FOLLOWLYTICS_SIM_SINCE").is_some() {
        Scenario::since(seed)
    } else if std::env::var_os("FOLLOWLYTICS_SIM_STEP").is_some() {
        Scenario::step(seed)
    } else {
        Scenario::of(seed)
    };
    let report = run(scenario.clone());
    println!("{scenario:#?}\n{}", report.trace);
    println!("{:?}", report.summaries);
    assert!(report.broken.is_none(), "{}", explain(seed, &report));
}
