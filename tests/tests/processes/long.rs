//! One very long list: scanned twice with something killed or frozen every few seconds, compared with what the platform
//! knows, and nowhere held in memory.

use std::{collections::BTreeMap, env};

use arrow::{array::AsArray as _, datatypes::Int64Type};
use followlytics_core::scan::{certificate::Guarantee, summary::ResultRecord};
use followlytics_simulator::{AccountSpec, BulkSpec, Platform, RollOf, WorldConfig, XConfig, XLimits};
use followlytics_store::{ledger::Ledger, objects::Objects};
use followlytics_tests::toolkit::{Home, Site, X_TOKEN, pause, processes};
use rand::RngExt as _;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng as _};
use serde_json::json;

use crate::{
    blow::{Blow, Strike},
    installation::Installation,
};

/// `FOLLOWLYTICS_LONG_FOLLOWERS` lists more.
const FOLLOWERS: u64 = 200_000;
const WHO: &str = "nasa";
/// Most that each program may hold, in MB, however long the list is.
const MOST: [(&str, u64); 3] = [("up", 120), ("run-scan", 45), ("worker", 1100)];

#[test]
fn a_very_long_list_is_exact_and_compared_whatever_is_killed_meanwhile() {
    let followers = env::var("FOLLOWLYTICS_LONG_FOLLOWERS").map_or(FOLLOWERS, |text| text.parse().unwrap());
    let most = 1_000_000_000;
    let config = WorldConfig {
        seed: 7,
        x: XConfig {
            limits: XLimits {
                followers_app: most,
                lookup_app: most,
                ..XLimits::default()
            },
            ..XConfig::default()
        },
        ..WorldConfig::default()
    };
    let site = Site::new(config, [AccountSpec::new(Platform::X, WHO, followers)]);
    let home = Home::new(&site);
    let mut long = Long {
        installation: Installation::of(site, home),
        chance: ChaCha12Rng::seed_from_u64(7),
        peaks: BTreeMap::new(),
        blows: 0,
    };
    long.installation.start_up();
    let limits = "--rate-limit followers=1000000000/900 --rate-limit lookup=1000000000/900";
    let add = format!("credential add x --platform x --type app-bearer {limits}");
    let added = long.installation.home.run_with(&add, X_TOKEN);
    assert_eq!(added.code, 0, "{added:?}");

    let first = long.scan("first", followers);
    let bulk = BulkSpec {
        unfollow_share: 0.01,
        rename_share: 0.002,
        follow: followers / 200,
        ..BulkSpec::default()
    };
    let done = long.installation.site.world.bulk(Platform::X, WHO, bulk).unwrap();
    let second = long.scan("second", followers);
    let told = long.installation.home.run("diff x:@nasa -o json");
    assert_eq!(told.code, 0, "{told:?}");
    let (counts, stretch) = (told.json()["counts"].clone(), (done.from_order, done.to_order));
    let count = |of| {
        long.installation
            .site
            .world
            .roll_digest(Platform::X, WHO, of, stretch)
            .unwrap()
            .count
    };
    assert_eq!(
        (&counts["firstSeen"], &counts["notSeen"], &counts["renamed"]),
        (
            &count(RollOf::Gained).into(),
            &count(RollOf::Lost).into(),
            &count(RollOf::Renamed).into()
        ),
        "{told:?}"
    );
    long.installation.stop_up();
    long.judge(&first, &second);
    println!(
        "{} blows; the most that was held, in MB: {:?}",
        long.blows, long.peaks
    );
    for (role, most) in MOST {
        let held = long.peaks.get(role).copied().unwrap_or_default();
        assert!((1..=most).contains(&held), "{role} held {held} MB");
    }
}

struct Long {
    installation: Installation,
    chance: ChaCha12Rng,
    peaks: BTreeMap<String, u64>,
    blows: u64,
}

/// A scan that has ended: its name, and the world's order before and after it.
struct Ended {
    name: &'static str,
    stretch: (u64, u64),
}

impl Long {
    fn scan(&mut self, name: &'static str, followers: u64) -> Ended {
        let from = self.installation.site.world.order();
        let object = json!({
            "apiVersion": "followlytics.io/v1alpha1",
            "kind": "Scan",
            "metadata": {"name": name},
            "spec": {
                "account": {"platform": "x", "handle": WHO},
                "credentialRef": {"name": "x"},
                "budget": {"maxUsd": (followers / 10).to_string()},
            },
        });
        self.installation.home.apply(&object.to_string());
        // A scan of any length ends: what is killed goes on, and is not begun again.
        for _ in 0..20_000 {
            self.look();
            let status = self.installation.home.get("scans", name)["status"].clone();
            match status["phase"].as_str() {
                Some("Succeeded") => {
                    let to = self.installation.site.world.order();
                    return Ended {
                        name,
                        stretch: (from, to),
                    };
                }
                Some("Failed" | "Partial" | "Suspended" | "Cancelled") => panic!("{name}: {status}"),
                _ => self.strike(),
            }
        }
        panic!("{name} does not end");
    }

    fn strike(&mut self) {
        const STRIKES: [Strike; 6] = [
            Strike::KillUp,
            Strike::KillRunner,
            Strike::KillRunner,
            Strike::KillWorker,
            Strike::FreezeRunner,
            Strike::FreezeWorker,
        ];
        for _ in 0..self.chance.random_range(5..30) {
            pause(std::time::Duration::from_millis(100));
            self.look();
        }
        let blow = Blow {
            after: self.chance.random_range(0..10),
            strike: STRIKES[self.chance.random_range(0..STRIKES.len())],
            milliseconds: self.chance.random_range(20..800),
        };
        self.blows += u64::from(blow.fall(&mut self.installation));
    }

    /// Keeps the most that each program held.
    fn look(&mut self) {
        let up = self.installation.up_pid();
        for process in processes().unwrap() {
            let role = process.role().unwrap_or_default();
            if process.pid != up && process.parent != up || role == "sandbox-exec" {
                continue;
            }
            let kib = process.peak_kib().map_or(0, u64::from);
            let held = self.peaks.entry(role.to_owned()).or_default();
            *held = (*held).max(kib * 1024 / 1_000_000);
        }
    }

    /// Both results hold exactly whom they must, and nobody else.
    fn judge(&self, first: &Ended, second: &Ended) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ledger, _, objects) = self.installation.open().await;
            for ended in [first, second] {
                let record = record(&ledger, ended.name).await;
                let certificate = &record.certificate;
                // X proves no order of its list: whoever should be there is counted below.
                assert_eq!(
                    (certificate.guarantee, certificate.unexplained),
                    (Guarantee::BestEffort, 0),
                    "{:?}",
                    certificate.evidence
                );
                self.judge_rows(&objects, &record, ended.stretch).await;
            }
        });
    }

    async fn judge_rows(&self, objects: &Objects, record: &ResultRecord, stretch: (u64, u64)) {
        let world = &self.installation.site.world;
        let mut rows = followlytics_worker::read::columns(objects, record, &["id", "id_num"])
            .await
            .unwrap();
        let (mut throughout, mut listed, mut last) = (0, 0, -1);
        while let Some(batch) = rows.next().await.unwrap() {
            let column = batch
                .column_by_name("id_num")
                .unwrap()
                .as_primitive::<Int64Type>();
            let numbers = column.values();
            for number in numbers {
                assert!(*number > last, "NO-DOUBLE: {number} after {last}");
                last = *number;
            }
            let ids: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let judged = world
                .judge(Platform::X, WHO, ids.iter().map(String::as_str), stretch)
                .unwrap();
            assert_eq!(judged.invented, 0, "never followed: {:?}", judged.example);
            throughout += judged.throughout;
            listed += ids.len();
        }
        assert_eq!(i64::try_from(listed).unwrap(), record.rows);
        let truth = world
            .roll_digest(Platform::X, WHO, RollOf::Throughout, stretch)
            .unwrap();
        assert_eq!(
            throughout, truth.count,
            "STABLE: some who followed throughout are missing"
        );
    }
}

async fn record(ledger: &Ledger, name: &str) -> ResultRecord {
    let account = ledger
        .find_account_of_scan("default", name)
        .await
        .unwrap()
        .unwrap();
    let all = ledger
        .list_results("default", account.platform, &account.id)
        .await
        .unwrap();
    let version = if name == "first" { 1 } else { 2 };
    assert_eq!(all.len(), 2, "VISIBLE-ONCE");
    all.into_iter().find(|record| record.version == version).unwrap()
}
