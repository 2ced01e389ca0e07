//! Gitea has no order: its lists are never `Exact`, and what a quiet scan misses is `unexplained`.

use std::collections::BTreeMap;

use followlytics_testbed::gitea::{Database, Gitea, IDLE, STAR};
use followlytics_tests::toolkit::Home;
use rand::RngExt as _;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng as _};

use crate::{
    round::{Disturbance, Scanned, Truth, scan},
    tally::Tally,
    worlds::{World, runs, worlds},
};

/// Disturbances of a round, with the number of sweeps.
const ROUND: [(Disturbance, &str); 3] = [
    (Disturbance::Quiet, "1"),
    (Disturbance::Drip, "2"),
    (Disturbance::ChurnAndKills, "1"),
];
/// Stable followers, per million, that two sweeps over SQLite may miss at one change per second.
const MISSED_PER_MILLION: usize = 200;
/// Rounds from which on that rate is checked: in one short round a single missed row exceeds it.
const ENOUGH: u64 = 10;

#[test]
fn lists_of_gitea_on_sqlite_are_never_exact_and_two_sweeps_miss_few() {
    let tally = play("gitea on sqlite", Database::Sqlite);
    let missed = tally.missed_per_million(Disturbance::Drip);
    println!(
        "two sweeps, one change per second: {missed} per million missed, at most {MISSED_PER_MILLION} allowed"
    );
    assert!(
        runs() < ENOUGH || missed <= MISSED_PER_MILLION,
        "{missed} per million are missing"
    );
}

#[test]
fn lists_of_gitea_on_postgres_are_never_exact() {
    play("gitea on postgres", Database::Postgres);
}

fn play(name: &'static str, database: Database) -> Tally {
    let mut tally = Tally::new(name);
    for world in worlds(runs()) {
        play_world(&world, database, &mut tally);
    }
    tally.check_disturbed(runs() > 1);
    tally
}

fn play_world(world: &World, database: Database, tally: &mut Tally) {
    let gitea = Gitea::start(database).unwrap();
    let accounts = world.followers * IDLE / (IDLE - 1);
    gitea.seed(accounts).unwrap();
    let mut crowd = Crowd::new(&gitea, accounts);
    for round in world.rounds.clone() {
        crowd.chance = ChaCha12Rng::seed_from_u64(round);
        for (disturbance, sweeps) in ROUND {
            let mut truth = Truth::of(gitea.followers().unwrap());
            let scanned = scan_star(&gitea, sweeps, disturbance, || crowd.change(&mut truth));
            let missed = scanned.check(&truth);
            tally.add(disturbance, &scanned, &truth, missed);
            check(disturbance, &scanned, missed);
        }
    }
}

/// Fails unless the certificate says what Gitea's source says, and counts every missing row of a quiet list.
fn check(disturbance: Disturbance, scanned: &Scanned, missed: usize) {
    let certificate = scanned.certificate();
    assert!(
        !scanned.is_exact() && certificate["complete"] == false,
        "{certificate}"
    );
    assert_eq!(certificate["grade"], "Source", "{certificate}");
    if disturbance == Disturbance::Quiet {
        let missing = u64::try_from(missed).unwrap();
        assert_eq!(scanned.unexplained(), missing, "{certificate}");
        assert_eq!(certificate["hidden"], 0, "{certificate}");
    }
}

fn scan_star(gitea: &Gitea, sweeps: &str, disturbance: Disturbance, change: impl FnMut()) -> Scanned {
    let home = Home::without_platforms()
        .with("FOLLOWLYTICS_GITEA_URL", &gitea.url())
        .with("FOLLOWLYTICS_GITEA_TOKEN", gitea.token());
    let account = format!("gitea:{STAR}@{}", gitea.host());
    scan(&home, &account, &["--sweeps", sweeps], disturbance, change)
}

/// Accounts by their numbers.
struct Crowd<'a> {
    gitea: &'a Gitea,
    ids: BTreeMap<String, String>,
    chance: ChaCha12Rng,
    following: Vec<u32>,
    /// Unfollowed, and may return.
    gone: Vec<u32>,
    /// Never followed.
    idle: Vec<u32>,
}

impl<'a> Crowd<'a> {
    fn new(gitea: &'a Gitea, accounts: u32) -> Self {
        let (idle, following) = (1..=accounts).partition(|number| number % IDLE == 0);
        Self {
            gitea,
            ids: gitea.ids().unwrap(),
            chance: ChaCha12Rng::seed_from_u64(0),
            following,
            gone: Vec::new(),
            idle,
        }
    }

    /// Makes one change: an unfollow, a refollow or the first follow of an account of any age.
    fn change(&mut self, truth: &mut Truth) {
        let kind = self.chance.random_range(0..10);
        let follows = match kind {
            0..4 => None,
            4..7 => take(&mut self.chance, &mut self.gone),
            _ => take(&mut self.chance, &mut self.idle),
        };
        if let Some(number) = follows {
            let name = format!("f{number}");
            // The row may be listed before the response arrives.
            truth.followed(&self.ids[&name]);
            self.gitea.follow(&name).unwrap();
            self.following.push(number);
        } else if let Some(number) = take(&mut self.chance, &mut self.following) {
            let name = format!("f{number}");
            truth.unfollowed(&self.ids[&name]);
            self.gitea.unfollow(&name).unwrap();
            self.gone.push(number);
        }
    }
}

/// Takes a random element out.
fn take<T>(chance: &mut ChaCha12Rng, from: &mut Vec<T>) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(chance.random_range(0..from.len())))
}
