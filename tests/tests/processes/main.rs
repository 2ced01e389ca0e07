//! Real processes, really killed: `up`, its runners and its worker, and the database, at random steps of real scans.
//!
//! A seed makes a schedule: a storage, a scan on every kind of list, and blows that fall once the platforms have
//! answered so many requests. Whatever falls when, the scans end with exact results, every dollar is accounted for,
//! and nothing is left running. `FOLLOWLYTICS_PROCESS_SEEDS` plays more schedules than CI does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking, and its parts share one installation"
)]

mod blow;
mod installation;
mod long;
mod schedule;
mod verify;

use std::{collections::BTreeMap, env, sync::Mutex, thread};

use blow::Strike;
use schedule::{Schedule, Storage};

/// Schedules on each database.
const SEEDS: u64 = 15;
/// Schedules at once: each has half a dozen processes, most of them waiting.
const AT_ONCE: usize = 3;

#[test]
fn scans_survive_every_blow_on_sqlite() {
    play(Storage::Sqlite);
}

#[test]
fn scans_survive_every_blow_on_postgres() {
    play(Storage::Postgres);
}

fn play(storage: Storage) {
    let seeds: Vec<u64> = match env::var("FOLLOWLYTICS_PROCESS_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..seeds()).collect(),
    };
    let are_enough = seeds.len() >= usize::try_from(SEEDS).unwrap();
    let next = Mutex::new(seeds.into_iter());
    let landed: Mutex<BTreeMap<Strike, u32>> = Mutex::default();
    thread::scope(|scope| {
        let players: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.lock().unwrap().next();
                        let Some(seed) = seed else { return };
                        let schedule = Schedule::of(seed, storage);
                        println!("seed {seed}: {schedule}");
                        let blows = installation::play(&schedule);
                        let mut landed = landed.lock().unwrap();
                        for (strike, has_landed) in blows {
                            *landed.entry(strike).or_default() += u32::from(has_landed);
                        }
                    }
                })
            })
            .collect();
        // The first that fails names its seed; the others still play to their end.
        let failed = players.into_iter().find_map(|player| player.join().err());
        if let Some(failed) = failed {
            std::panic::resume_unwind(failed);
        }
    });
    let landed = landed.into_inner().unwrap();
    println!("blows that landed: {landed:?}");
    assert!(
        !are_enough || landed.values().all(|count| *count > 0),
        "a kind of blow never landed: {landed:?}"
    );
}

fn seeds() -> u64 {
    env::var("FOLLOWLYTICS_PROCESS_SEEDS").map_or(SEEDS, |text| text.parse().unwrap())
}
