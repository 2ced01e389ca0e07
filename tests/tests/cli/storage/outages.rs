//! Storage that is unavailable in the middle of a scan: status, `why`, one event, and nothing of it left afterwards.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use followlytics_testbed::{
    postgres::{Options, PASSWORD, Postgres},
    s3::S3,
};
use followlytics_tests::toolkit::{Home, Site, bluesky, eventually, finish, pause, program};
use serde_json::Value;

const ALICE: &str = "alice.bsky.social";
const REASON: &str = "StorageUnavailable";

fn scan(followers: u64) -> String {
    format!(
        "apiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {{name: one}}\nspec:\n  account: {{platform: \
         bluesky, handle: {ALICE}}}\n  parallelism: {{maxRunners: 2, followersPerRange: {}}}\n",
        followers / 4
    )
}

/// Waits until `why` says that this is what the scan waits on.
fn why(home: &Home, brief: &str) -> Value {
    let mut answer = Value::Null;
    eventually(&format!("`why` says {brief}"), || {
        let ran = home.run("why one -o json");
        assert!(
            !ran.out.contains(PASSWORD) && !ran.out.contains("127.0.0.1"),
            "{ran:?}"
        );
        answer = serde_json::from_str(&ran.out).unwrap_or_default();
        answer["reason"] == REASON && answer["message"].as_str().unwrap().starts_with(brief)
    });
    assert!(
        answer["since"].is_string() && answer["remedy"].is_string(),
        "{answer}"
    );
    answer
}

/// Waits until the status says so too.
fn in_status(home: &Home, brief: &str) {
    eventually(&format!("the status says {brief}"), || {
        let scan = home.get("scans", "one");
        let waiting = &scan["status"]["waitingOn"];
        waiting["reason"] == REASON
            && waiting["message"].as_str().unwrap().starts_with(brief)
            && condition(&scan) == Some("False".to_owned())
    });
}

fn condition(scan: &Value) -> Option<String> {
    let conditions = scan["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|one| one["type"] == "StorageAvailable")?;
    Some(found["status"].as_str()?.to_owned())
}

/// Waits until neither says so any more.
fn gone(home: &Home) {
    eventually("`why` says nothing of it any more", || {
        let ran = home.run("why one -o json");
        ran.code == 0 && !ran.out.contains(REASON)
    });
    eventually("the status says nothing of it any more", || {
        let scan = home.get("scans", "one");
        scan["status"]["waitingOn"]["reason"] != REASON && condition(&scan) != Some("False".to_owned())
    });
}

/// Notes of the events, in order.
fn events(shown: &Value) -> Vec<String> {
    let items = shown["items"].as_array().unwrap();
    let events = items.iter().filter(|event| event["reason"] == REASON);
    let note = |event: &Value| {
        let note = event["note"].as_str().or(event["message"].as_str());
        note.unwrap_or_default().to_owned()
    };
    events.map(note).collect()
}

fn complete(scan: &Value, rows: i64) {
    let result = &scan["status"]["result"];
    assert_eq!(result["rows"], rows, "{scan}");
    assert_eq!(result["certificate"]["guarantee"], "Exact", "{scan}");
}

#[test]
fn unavailable_database_or_bucket_is_shown_and_gone_once_it_answers() {
    let site = Site::slow(60, [bluesky(ALICE, 20_000)]);
    let postgres = Postgres::start(Options::default()).unwrap();
    let mut s3 = S3::start().unwrap();
    let database = postgres.create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, &s3);
    let up = home.up("");
    home.apply(&scan(20_000));
    eventually("rows are in", || site.requests() > 15);

    postgres.kill().unwrap();
    let answer = why(&home, "database: connection ");
    assert_eq!(answer["phase"], "Unknown", "{answer}");
    postgres.restart().unwrap();
    gone(&home);

    s3.kill();
    why(&home, "objects: connection refused");
    in_status(&home, "objects: connection refused");
    s3.restart().unwrap();
    gone(&home);

    postgres.pause().unwrap();
    why(&home, "database: timed out");
    postgres.resume().unwrap();
    gone(&home);

    s3.pause().unwrap();
    why(&home, "objects: timed out");
    in_status(&home, "objects: timed out");
    s3.resume().unwrap();
    gone(&home);

    complete(&home.wait_for("one", "Succeeded"), 20_000);
    let shown = home.run("get events -o json").json();
    let notes = events(&shown);
    for (part, outages) in [("database: ", 2), ("objects: ", 2)] {
        let of_part = notes.iter().filter(|note| note.starts_with(part)).count();
        // One per outage; two that are close together are one.
        assert!((1..=outages).contains(&of_part), "{notes:?}");
    }
    assert_eq!(up.stop(), 0);
}

#[test]
fn database_that_is_silent_for_longer_than_the_right_to_it_costs_time_alone() {
    let site = Site::slow(60, [bluesky(ALICE, 8_000)]);
    let postgres = Postgres::start(Options::default()).unwrap();
    let database = postgres.create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, S3::shared().unwrap());
    let up = home.up("");
    home.apply(&scan(8_000));
    eventually("rows are in", || site.requests() > 15);
    postgres.pause().unwrap();
    why(&home, "database: timed out");
    // The right to the database lasts a minute.
    pause(Duration::from_secs(65));
    why(&home, "database: timed out");
    postgres.resume().unwrap();
    gone(&home);
    complete(&home.wait_for("one", "Succeeded"), 8_000);
    assert_eq!(up.stop(), 0);
}

#[test]
fn difference_of_the_databases_clock_is_shown_beside_up() {
    let site = Site::slow(500, [bluesky(ALICE, 6_000)]);
    let postgres = Postgres::shared().unwrap();
    let database = postgres.create_database().unwrap();
    let name = database.rsplit('/').next().unwrap();
    for sql in [
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS \
         $$SELECT pg_catalog.clock_timestamp() - interval '20 s'$$",
        &format!("ALTER DATABASE {name} SET search_path = public, pg_catalog"),
    ] {
        postgres.run_sql(name, sql).unwrap();
    }
    let home = Home::new(&site);
    let up = home.up(&format!("--database {database}"));
    home.apply(&scan(6_000));
    // By 20 s, or by a second less or more where the answer took long.
    let said = "s behind the control plane's";
    eventually("`doctor` says it", || home.run("doctor").out.contains(said));
    eventually("`why` says it", || home.run("why one").out.contains(said));
    eventually("the status says it", || {
        let scan = home.get("scans", "one");
        let conditions = scan["status"]["conditions"].as_array().cloned();
        conditions.unwrap_or_default().iter().any(|one| {
            one["type"] == "ClockInSync"
                && one["status"] == "False"
                && one["message"].as_str().unwrap().contains(said)
        })
    });
    complete(&home.wait_for("one", "Succeeded"), 6_000);
    assert_eq!(up.stop(), 0);
}

#[test]
fn full_bucket_is_shown_while_it_is_full_also_by_the_merge() {
    let site = Site::slow(0, [bluesky(ALICE, 20_000)]);
    let s3 = S3::start_small(2).unwrap();
    let database = Postgres::shared().unwrap().create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, &s3);
    let up = home.up("");
    home.apply(&scan(20_000));
    let answer = why(&home, "objects: no space left");
    assert!(
        answer["message"].as_str().unwrap().contains("free some space"),
        "{answer}"
    );
    in_status(&home, "objects: no space left");
    s3.resize(200).unwrap();
    complete(&home.wait_for("one", "Succeeded"), 20_000);
    let notes = events(&home.run("get events -o json").json());
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(up.stop(), 0);
}

#[test]
fn attached_scan_shows_an_unavailable_database_and_resumes() {
    let site = Site::slow(60, [bluesky(ALICE, 8_000)]);
    let postgres = Postgres::start(Options::default()).unwrap();
    let database = postgres.create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, S3::shared().unwrap());
    let child = home
        .command(["scan", &format!("bluesky:{ALICE}"), "-o", "json"])
        .spawn()
        .unwrap();
    eventually("rows are in", || site.requests() > 15);
    postgres.kill().unwrap();
    pause(Duration::from_secs(3));
    postgres.restart().unwrap();
    let ran = finish(child, "scan");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["uniqueFollowers"], 8_000, "{ran:?}");
    assert!(
        ran.err
            .contains("waits (StorageUnavailable: database: connection"),
        "{ran:?}"
    );
    assert!(!ran.err.contains(PASSWORD), "{ran:?}");
}

#[test]
fn full_disk_of_the_objects_is_shown_and_gone_once_there_is_space() {
    let site = Site::slow(0, [bluesky(ALICE, 20_000)]);
    let home = Home::new(&site);
    std::fs::create_dir_all(home.path().join("objects")).unwrap();
    home.write("scan.yaml", &scan(20_000));
    // A small disk needs a mount of its own, in a namespace that ends with the shell.
    let script = r#"
        mount -t tmpfs -o size=1m tmpfs objects || exit 99
        "$0" up --ready-file ready -q 2>up.log & up=$!
        until [ -e ready ]; do sleep .05; done
        "$0" apply -f scan.yaml >/dev/null
        waits() { for i in $(seq 300); do eval "$1" && return; sleep .1; done; echo "not so: $1"; kill $up; exit 98; }
        waits '"$0" why one -o json | tee why | grep -q StorageUnavailable'
        cat why; echo ---
        waits '"$0" get scans one -o json | tee status | grep -q StorageUnavailable'
        cat status; echo ---
        mount -o remount,size=200m objects || exit 99
        waits '"$0" get scans one | grep -q Succeeded'
        "$0" get scans one -o json; echo ---
        "$0" why one; echo ---
        "$0" get events -o json
        kill $up; wait $up
    "#;
    let mut command = home.command_of("unshare");
    command
        .args(["-m", "sh", "-c", script])
        .arg(program())
        .env("FOLLOWLYTICS_DATA", home.data())
        .env("FOLLOWLYTICS_OBJECTS", home.path().join("objects"))
        .env("FOLLOWLYTICS_LOG", "error")
        .env("FOLLOWLYTICS_BLUESKY_URL", &site.url);
    if !can_mount() {
        return;
    }
    let ran = finish(command.spawn().unwrap(), "a scan beside a full disk");
    assert_eq!(ran.code, 0, "{ran:?}");
    let parts: Vec<&str> = ran.out.split("---\n").collect();
    let json = |part: usize| -> Value { serde_json::from_str(parts[part]).unwrap() };
    let brief = "objects: no space left";
    assert!(json(0)["message"].as_str().unwrap().starts_with(brief), "{ran:?}");
    let message = json(1)["status"]["waitingOn"]["message"].clone();
    assert!(message.as_str().unwrap().starts_with(brief), "{ran:?}");
    complete(&json(2), 20_000);
    assert!(!parts[3].contains(REASON), "{ran:?}");
    let notes = events(&json(4));
    assert!(notes.len() == 1 && notes[0].starts_with(brief), "{notes:?}");
}

fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]);
    let can = command.stderr(Stdio::null()).status();
    let can = can.is_ok_and(|status| status.success());
    let missing = "mounting a small disk takes root and `unshare`";
    assert!(can || std::env::var_os("CI").is_none(), "{missing}");
    if !can {
        println!("not run: {missing}");
    }
    can
}
