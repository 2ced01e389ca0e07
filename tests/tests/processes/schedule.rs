//! What a seed means.

use std::fmt;

use followlytics_simulator::{AccountSpec, ChurnSpec, Platform};
use rand::RngExt as _;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng as _};
use serde_json::json;

use crate::blow::{Blow, Strike};

/// Where the ledger lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    Sqlite,
    Postgres,
}

/// One installation, its scans and its accidents.
pub struct Schedule {
    pub seed: u64,
    pub storage: Storage,
    pub latency_ms: u64,
    pub scans: Vec<ScanPlan>,
    /// In order of their steps.
    pub blows: Vec<Blow>,
}

/// One scan.
pub struct ScanPlan {
    pub platform: Platform,
    pub handle: String,
    pub followers: u64,
    pub runners: u32,
    /// Unfollows and follows a page, each.
    pub churn: f64,
}

impl ScanPlan {
    /// As a Scan names it.
    pub fn account(&self) -> serde_json::Value {
        match self.platform {
            Platform::Gitea => json!({"platform": "gitea", "handle": self.handle, "host": "git.example.org"}),
            platform => json!({"platform": platform.to_string(), "handle": self.handle}),
        }
    }

    /// The account, whose list changes while it is read.
    pub fn spec(&self) -> AccountSpec {
        let mut spec = AccountSpec::new(self.platform, &self.handle, self.followers);
        spec.churn = ChurnSpec {
            unfollows_per_request: self.churn,
            follows_per_request: self.churn,
            ..ChurnSpec::default()
        };
        spec
    }

    /// Requests without any accident, roughly.
    fn requests(&self) -> u64 {
        match self.platform {
            Platform::X => self.followers.div_ceil(1000),
            Platform::Bluesky => self.followers.div_ceil(100),
            _ => self.followers.div_ceil(50),
        }
    }
}

impl Schedule {
    pub fn of(seed: u64, storage: Storage) -> Self {
        let mut chance = ChaCha12Rng::seed_from_u64(seed);
        let mut scans = vec![ScanPlan {
            platform: Platform::Bluesky,
            handle: "alice.bsky.social".to_owned(),
            followers: chance.random_range(3_000..9_000),
            runners: chance.random_range(1..=4),
            churn: 0.3,
        }];
        if chance.random_bool(0.5) {
            scans.push(ScanPlan {
                platform: Platform::X,
                handle: "nasa".to_owned(),
                followers: chance.random_range(5_000..40_000),
                runners: 1,
                churn: 0.0,
            });
        }
        if chance.random_bool(0.5) {
            scans.push(ScanPlan {
                platform: Platform::Gitea,
                handle: "bob".to_owned(),
                followers: chance.random_range(500..2_000),
                runners: chance.random_range(1..=2),
                churn: 0.1,
            });
        }
        let requests: u64 = scans.iter().map(ScanPlan::requests).sum();
        let mut blows: Vec<Blow> = (0..chance.random_range(2..=5))
            .map(|_| Blow {
                after: chance.random_range(0..requests),
                strike: strike(&mut chance, storage),
                milliseconds: chance.random_range(20..1_500),
            })
            .collect();
        // One lease is outlived now and then: whoever wakes up after it must find itself fenced.
        if seed % 8 == 3 {
            blows.push(Blow {
                after: requests / 3,
                strike: Strike::FreezeRunner,
                milliseconds: 17_000,
            });
        }
        // The last requests are where merging begins.
        blows.push(Blow {
            after: requests.saturating_sub(1),
            strike: if chance.random_bool(0.5) {
                Strike::KillWorker
            } else {
                Strike::FreezeWorker
            },
            milliseconds: chance.random_range(20..1_500),
        });
        blows.sort_by_key(|blow| blow.after);
        Self {
            seed,
            storage,
            latency_ms: chance.random_range(5..40),
            scans,
            blows,
        }
    }
}

fn strike(chance: &mut ChaCha12Rng, storage: Storage) -> Strike {
    let mut strikes = vec![
        Strike::KillUp,
        Strike::FreezeUp,
        Strike::KillRunner,
        Strike::KillRunner,
        Strike::FreezeRunner,
        Strike::KillWorker,
        Strike::FreezeWorker,
        Strike::StopUp,
    ];
    if storage == Storage::Postgres {
        strikes.extend([Strike::KillDatabase, Strike::KillDatabase, Strike::FreezeDatabase]);
    }
    strikes[chance.random_range(0..strikes.len())]
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} ms an answer;", self.storage, self.latency_ms)?;
        for scan in &self.scans {
            write!(f, " {} {} by {};", scan.platform, scan.followers, scan.runners)?;
        }
        for blow in &self.blows {
            write!(f, " @{} {:?} {} ms", blow.after, blow.strike, blow.milliseconds)?;
        }
        Ok(())
    }
}
