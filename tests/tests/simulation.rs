//! The seeded whole-system simulation, over many seeds.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use followlytics_tests::sim::{Clocks, Report, Scenario, WORLDS, run};
use mimalloc::MiMalloc;

/// A quarter of a simulation's time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Seeds to run; the long battery asks for more.
fn seeds() -> u64 {
    std::env::var("FOLLOWLYTICS_SIM_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000)
}

/// What must have happened, and how often in 120 seeds.
const COVERED: [(&str, u64); 50] = [
    ("adopted", 26),
    ("ambiguous dollars", 20),
    ("ambiguous settled", 7),
    ("api faults", 40),
    ("became ambiguous", 20),
    ("best efforts again", 8),
    ("broker away", 20),
    ("broker died", 20),
    ("browser faults", 10),
    ("cancelled scans", 2),
    ("chains restarted", 4),
    ("complete again", 1),
    ("controller died", 20),
    ("database away", 20),
    ("deleted scans", 2),
    ("edits", 80),
    ("edits of a credential", 20),
    ("failed requests", 40),
    ("fell back to the API", 7),
    ("fell back to the browser", 2),
    ("fenced", 10),
    ("frozen", 40),
    ("held by the budget", 6),
    ("held by the month", 10),
    ("helped", 10),
    ("hidden lists", 10),
    ("killed", 40),
    ("late pages", 26),
    ("lost", 40),
    ("met", 3),
    ("met from below", 5),
    ("object faults", 40),
    ("objects away", 40),
    ("page came too late", 10),
    ("platforms away", 20),
    ("power failures", 60),
    ("read out by the browser", 6),
    ("refetched pages", 40),
    ("refreshes", 40),
    ("refused entry", 2),
    ("returned", 10),
    ("returned unused", 10),
    ("seam pages", 40),
    ("skewed clocks", 40),
    ("slow objects", 10),
    ("splits", 15),
    ("suspended", 10),
    ("unanswered commits", 25),
    ("unanswered requests", 40),
    ("worker died", 3),
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
    let drawn = Mutex::new(BTreeMap::<&str, u64>::new());
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
                        let scenario = Scenario::of(seed);
                        let worlds = scenario.worlds.clone();
                        let report = run(scenario);
                        if report.broken.is_some() {
                            failures.push(format!("{}\nworlds: {worlds:?}", explain(seed, &report)));
                        }
                        let mut coverage = coverage.lock().unwrap();
                        for (what, count) in report.coverage {
                            *coverage.entry(what).or_insert(0) += count;
                        }
                        let mut drawn = drawn.lock().unwrap();
                        for world in worlds {
                            *drawn.entry(world).or_insert(0) += 1;
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
    let (coverage, drawn) = (coverage.into_inner().unwrap(), drawn.into_inner().unwrap());
    println!("{count} seeds: {coverage:?}\nworlds: {drawn:?}");
    assert!(
        failures.is_empty(),
        "{} seeds broke an invariant\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    // A fault that never fires, or an outcome that never comes about, proves nothing.
    if count >= 1_000 {
        let seldom: Vec<_> = COVERED
            .iter()
            .filter(|(what, least)| coverage.get(what).is_none_or(|times| times * 120 < least * count))
            .collect();
        assert!(
            seldom.is_empty(),
            "too seldom, by 120 seeds: {seldom:?} in {coverage:?}"
        );
        for world in &WORLDS {
            let seeds = drawn.get(world.name).copied().unwrap_or(0);
            assert!(
                seeds * 1_500 > count * u64::from(world.per_mille),
                "{}: {seeds} seeds",
                world.name
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

#[test]
fn no_dollar_is_lost_while_the_object_store_is_away() {
    for seed in [23, 24, 42, 47, 51] {
        let report = run(Scenario::objects_away(seed));
        assert!(report.broken.is_none(), "{}", explain(seed, &report));
    }
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
fn a_world_that_contradicts_itself_is_named() {
    let mut world = Scenario::with(1, &["read since"]).unwrap();
    world.scans[0].max_rows = 5;
    let broken = run(world).broken.unwrap();
    assert!(
        broken.contains("contradicts itself") && broken.contains("a row cap since an earlier result"),
        "{broken}"
    );
    assert!(Scenario::with(1, &["no such world"]).is_err());
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
                clocks: Clocks {
                    skew_seconds,
                    ..Clocks::default()
                },
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

/// Plays `FOLLOWLYTICS_SIM_SEED`: its world, a calm one (`FOLLOWLYTICS_SIM_CALM`), one whose object store is away
/// (`FOLLOWLYTICS_SIM_OUTAGE`), or one with exactly the named trouble (`FOLLOWLYTICS_SIM_WORLDS`, by commas).
#[test]
fn one_seed() {
    let text = |name: &str| std::env::var(name).ok();
    let Some(seed) = text("FOLLOWLYTICS_SIM_SEED").and_then(|text| text.parse().ok()) else {
        return;
    };
    let scenario = if text("FOLLOWLYTICS_SIM_CALM").is_some() {
        Scenario::calm(seed)
    } else if text("FOLLOWLYTICS_SIM_OUTAGE").is_some() {
        Scenario::outage(seed)
    } else if let Some(worlds) = text("FOLLOWLYTICS_SIM_WORLDS") {
        let names: Vec<&str> = worlds.split(',').collect();
        Scenario::with(seed, &names).unwrap()
    } else {
        Scenario::of(seed)
    };
    let report = run(scenario.clone());
    println!("{scenario:#?}\n{}", report.trace);
    println!("{:?}\n{:?}", report.summaries, report.coverage);
    assert!(report.broken.is_none(), "{}", explain(seed, &report));
}
