//! Ledger and objects elsewhere: PostgreSQL and S3 instead of the data directory, and what becomes of both when they go
//! away, or when two control planes want them.

use std::{fs, path::Path, time::Duration};

use followlytics_testbed::{
    postgres::{Options, PASSWORD, Postgres},
    s3::S3,
};
use followlytics_tests::toolkit::{Home, Site, bluesky, eventually, families, finish, pause};
use serde_json::Value;

const ALICE: &str = "alice.bsky.social";

/// A scan in ranges small enough to be stopped in the middle of.
fn scan(followers: u64) -> String {
    format!(
        "apiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {{name: one}}\nspec:\n  account: {{platform: \
         bluesky, handle: {ALICE}}}\n  parallelism: {{maxRunners: 2, followersPerRange: {}}}\n",
        followers / 4
    )
}

fn rows(scan: &Value) -> i64 {
    scan["status"]["result"]["rows"].as_i64().unwrap()
}

/// Every process below this one: its arguments and its environment, one a line.
fn children(parent: i32) -> Vec<(String, String)> {
    let family = families(&[parent]).unwrap();
    let children = family.iter().filter(|process| process.pid != parent);
    children
        .map(|process| (process.words.join("\n"), process.environment()))
        .collect()
}

#[test]
fn a_scan_lives_in_postgresql_and_s3_alone_and_its_secrets_stay_where_they_belong() {
    let site = Site::slow(40, [bluesky(ALICE, 6_000)]);
    let (postgres, s3) = (Postgres::shared().unwrap(), S3::shared().unwrap());
    let database = postgres.create_database().unwrap();
    let (home, objects) = Home::elsewhere(&site, &database, s3);
    let up = home.up("");
    home.apply(&scan(6_000));
    eventually("runners are at it", || site.requests() > 8);

    let processes = children(up.pid());
    let runners = processes.iter().filter(|(line, _)| line.contains("run-scan"));
    let workers = processes
        .iter()
        .filter(|(line, _)| line.ends_with("worker\n") || line.contains("worker\n--data"));
    assert!(
        runners.clone().count() > 0 && workers.clone().count() > 0,
        "{processes:?}"
    );
    for (line, environment) in &processes {
        assert!(
            !line.contains(PASSWORD) && !line.contains(s3.secret_key()),
            "{line}"
        );
        let trusted = line.contains("worker");
        for secret in [PASSWORD, s3.secret_key()] {
            assert_eq!(environment.contains(secret), trusted, "{line}\n{environment}");
        }
    }

    assert_eq!(rows(&home.wait_for("one", "Succeeded")), 6_000);
    // Another process's report, with what only the manifest in the bucket knows.
    let told = home.run(&format!("scan bluesky:{ALICE} -q -o json"));
    assert_eq!(told.code, 0, "{told:?}");
    let told = told.json();
    let number = |name: &str| told[name].as_i64().unwrap();
    assert_eq!(
        number("duplicatesRemoved"),
        number("rowsScanned") - number("uniqueFollowers"),
        "{told}"
    );
    assert!(
        told["result"]["parquet"][0]
            .as_str()
            .unwrap()
            .starts_with(&objects),
        "{told}"
    );
    assert_eq!(told["result"]["certificate"]["guarantee"], "Exact", "{told}");
    let shown = home.run("get scans").out;
    assert!(shown.contains("one") && shown.contains("Succeeded"), "{shown}");
    assert_eq!(up.stop(), 0);

    for own in ["ledger.db", "objects"] {
        assert!(!home.data().join(own).exists(), "{own} is in the data directory");
    }
    let stored = s3.bucket_directory().join(objects.rsplit('/').next().unwrap());
    for folder in ["pages", "results"] {
        assert!(stored.join(folder).is_dir(), "{folder} is not in the bucket");
    }
    assert!(!stored.join("probes").exists() || fs::read_dir(stored.join("probes")).unwrap().next().is_none());
    let name = database.rsplit('/').next().unwrap();
    assert_eq!(postgres.run_sql(name, "SELECT count(*) FROM scans").unwrap(), "2");
    assert_eq!(
        postgres
            .run_sql(name, "SELECT count(*) FROM locks WHERE name = 'control-plane'")
            .unwrap(),
        "0"
    );
    nothing_secret_in(&home.data(), s3);

    // A command without `up` has a control plane of its own on the same storage, from whatever data directory.
    let ran = home.run(&format!("scan bluesky:{ALICE} -q -o json"));
    assert_eq!(
        (ran.code, &ran.json()["uniqueFollowers"]),
        (0, &6_000.into()),
        "{ran:?}"
    );
    let report = ran.json();
    let part = report["result"]["parquet"][0].as_str().unwrap().to_owned();
    assert!(part.starts_with(&objects), "{part}");
    let key = part.strip_prefix(&s3.url()).unwrap();
    assert!(
        s3.bucket_directory().join(key.trim_start_matches('/')).is_file(),
        "{part}"
    );
}

fn nothing_secret_in(folder: &Path, s3: &S3) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            nothing_secret_in(&entry.path(), s3);
        } else if let Ok(bytes) = fs::read(entry.path()) {
            let text = String::from_utf8_lossy(&bytes);
            for secret in [PASSWORD, s3.secret_key()] {
                assert!(
                    !text.contains(secret),
                    "{} holds a secret",
                    entry.path().display()
                );
            }
        }
    }
}

#[test]
fn storage_that_cannot_be_used_ends_up_before_any_scan_begins() {
    let site = Site::slow(0, [bluesky(ALICE, 100)]);
    let (postgres, s3) = (Postgres::shared().unwrap(), S3::shared().unwrap());
    let database = postgres.create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, s3);
    let wrong = database.replace(PASSWORD, "wrong-horse");
    let nobody = "postgres://me:wrong-horse@127.0.0.1:1/scans";
    for (name, value, code, parts) in [
        (
            "AWS_ENDPOINT_URL",
            "http://127.0.0.1:1",
            7,
            ["s3://followlytics", "AWS_ENDPOINT_URL"],
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wrong-horse",
            7,
            ["access is denied", "AWS_SECRET_ACCESS_KEY"],
        ),
        (
            "FOLLOWLYTICS_OBJECTS",
            "s3://nobodys-bucket",
            7,
            ["no bucket s3://nobodys-bucket", "create it"],
        ),
        ("FOLLOWLYTICS_OBJECTS", "s3://x", 2, ["s3://x", "3 to 63"]),
        ("FOLLOWLYTICS_OBJECTS", "gs://bucket", 2, ["--objects", "s3://"]),
        (
            "AWS_ENDPOINT_URL",
            "http://example.com",
            2,
            ["not encrypted", "AWS_ALLOW_HTTP"],
        ),
        ("FOLLOWLYTICS_DATABASE", &wrong, 7, ["log in", "--database"]),
        ("FOLLOWLYTICS_DATABASE", nobody, 7, ["127.0.0.1:1", "--database"]),
        (
            "FOLLOWLYTICS_DATABASE",
            "mysql://me:wrong-horse@db/scans",
            2,
            ["--database", "postgres://"],
        ),
    ] {
        // The last value of a variable is the one that counts.
        let mut command = home.command(["up"]);
        command.env(name, value);
        if value == "http://example.com" {
            command.env_remove("AWS_ALLOW_HTTP");
        }
        let ran = finish(command.spawn().unwrap(), "up");
        ran.refused(code, &parts);
        assert!(
            !ran.err.contains("wrong-horse") && !ran.err.contains(s3.secret_key()),
            "{ran:?}"
        );
    }
    assert_eq!(site.requests(), 0);
    // Nothing of it is in the way of the one that is right.
    assert_eq!(home.run(&format!("scan bluesky:{ALICE} -q")).code, 0);
}

#[test]
fn a_control_plane_that_is_killed_is_followed_at_once_and_nothing_is_lost() {
    let site = Site::slow(60, [bluesky(ALICE, 8_000)]);
    let database = Postgres::shared().unwrap().create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, S3::shared().unwrap());
    let up = home.up("");
    home.apply(&scan(8_000));
    eventually("rows are in", || site.requests() > 20);
    up.kill();
    let before = site.requests();
    let up = home.up("");
    assert_eq!(rows(&home.wait_for("one", "Succeeded")), 8_000);
    assert_eq!(up.stop(), 0);
    // 80 pages of 100, what was on its way, and what comes before and after every range.
    assert!(
        site.requests() - before < 80,
        "{} after {before}",
        site.requests()
    );
}

#[test]
fn a_database_or_a_bucket_that_goes_away_and_comes_back_costs_time_alone() {
    let site = Site::slow(60, [bluesky(ALICE, 8_000)]);
    let postgres = Postgres::start(Options::default()).unwrap();
    let mut s3 = S3::start().unwrap();
    let database = postgres.create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, &s3);
    let up = home.up("");
    home.apply(&scan(8_000));
    eventually("rows are in", || site.requests() > 15);
    postgres.kill().unwrap();
    pause(Duration::from_secs(2));
    postgres.restart().unwrap();
    let before = site.requests();
    eventually("the scan goes on", || site.requests() > before + 10);
    s3.kill();
    pause(Duration::from_secs(2));
    s3.restart().unwrap();
    let done = home.wait_for("one", "Succeeded");
    assert_eq!(rows(&done), 8_000);
    assert_eq!(done["status"]["result"]["certificate"]["guarantee"], "Exact");
    assert_eq!(up.stop(), 0);
}

#[test]
fn a_database_has_one_control_plane() {
    let site = Site::slow(0, [bluesky(ALICE, 100)]);
    let (postgres, s3) = (Postgres::shared().unwrap(), S3::shared().unwrap());
    let database = postgres.create_database().unwrap();
    let (first, objects) = Home::elsewhere(&site, &database, s3);
    let (second, _) = Home::elsewhere(&site, &database, s3);
    let up = first.up("");
    let parts = [
        "another followlytics",
        first.data().to_str().unwrap().to_owned().leak(),
        "--server",
        "until",
    ];
    for line in ["up", "get scans"] {
        let ran = second.run(line);
        ran.refused(7, &parts);
        assert!(
            ran.err.contains(&format!("process {}", up.pid())) && !ran.err.contains(PASSWORD),
            "{ran:?}"
        );
    }
    // On its own data directory it is found by itself, unless arguments say that it must be another one.
    assert_eq!(first.run("get scans").code, 0);
    let other = first.run(&format!("get scans --objects {objects}-other"));
    other.refused(2, &["--objects", &objects, "leave --objects out"]);
    assert_eq!(up.stop(), 0);
    let up = second.up("");
    first.run("up").refused(7, &["another followlytics"]);
    assert_eq!(up.stop(), 0);
}

#[test]
fn a_control_plane_that_lost_its_database_to_another_one_ends() {
    let site = Site::slow(0, []);
    let (postgres, s3) = (Postgres::shared().unwrap(), S3::shared().unwrap());
    let database = postgres.create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, s3);
    let ready = home.path().join("ready");
    let mut command = home.command(["up", "--ready-file"]);
    let child = command.arg(&ready).spawn().unwrap();
    eventually("`up` is ready", || ready.is_file());
    // As if it had stood still for longer than its right lasts.
    let name = database.rsplit('/').next().unwrap();
    let taken = "UPDATE locks SET holder = 'another one' WHERE name = 'control-plane'";
    postgres.run_sql(name, taken).unwrap();
    let ran = finish(child, "up");
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(
        ran.err.contains("taken it over") && ran.err.contains("nothing is lost"),
        "{ran:?}"
    );
    assert!(!ran.err.contains(PASSWORD), "{ran:?}");
    assert_eq!(
        postgres
            .run_sql(name, "SELECT holder FROM locks WHERE name = 'control-plane'")
            .unwrap(),
        "another one"
    );
}

#[test]
fn files_elsewhere_are_shared_under_the_same_rule() {
    let site = Site::slow(0, [bluesky(ALICE, 250)]);
    let folder = tempfile::tempdir().unwrap();
    let with = |home: Home| {
        home.with(
            "FOLLOWLYTICS_DATABASE",
            folder.path().join("db/ledger.db").to_str().unwrap(),
        )
        .with(
            "FOLLOWLYTICS_OBJECTS",
            folder.path().join("objects").to_str().unwrap(),
        )
    };
    let (first, second) = (with(Home::new(&site)), with(Home::new(&site)));
    let up = first.up("");
    second
        .run("up")
        .refused(7, &["another followlytics", "db/ledger.db"]);
    assert_eq!(up.stop(), 0);
    let ran = second.run(&format!("scan bluesky:{ALICE} -q -o json"));
    assert_eq!(
        (ran.code, &ran.json()["uniqueFollowers"]),
        (0, &250.into()),
        "{ran:?}"
    );
    assert!(folder.path().join("objects/results").is_dir());
    assert!(!second.data().join("ledger.db").exists() && !second.data().join("objects").exists());
}

/// The demo is a show: it leaves nothing in anybody's database, and needs none.
#[test]
fn the_demo_keeps_to_itself() {
    let home = Home::new(&Site::slow(0, []))
        .with(
            "FOLLOWLYTICS_DATABASE",
            "postgres://nobody:secret@127.0.0.1:1/none",
        )
        .with("FOLLOWLYTICS_OBJECTS", "s3://nobodys-bucket");
    let ran = home
        .run("demo --followers 2000 --x-followers 1200 --followers-per-range 1000 --latency-ms 5 -q -o json");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["scans"][0]["phase"], "Succeeded", "{ran:?}");
}
