//! Objects through a running `up`: applied, watched, paused, resumed, cancelled, deleted; and what survives its end.

use std::{collections::BTreeSet, time::Duration};

use followlytics_simulator::Platform;
use followlytics_tests::toolkit::{Home, Site, bluesky, eventually, finish, gitea, pause, signal};
use serde_json::Value;

const ALICE: &str = "alice.bsky.social";

fn scan(name: &str, handle: &str) -> String {
    format!(
        "apiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {{name: {name}}}\n\
         spec:\n  account: {{platform: bluesky, handle: {handle}}}\n  \
         parallelism: {{maxRunners: 2, followersPerRange: 2000}}\n"
    )
}

fn scanned(scan: &Value) -> i64 {
    scan["status"]["progress"]["scanned"].as_i64().unwrap_or(0)
}

#[test]
fn applied_scans_are_worked_on_and_obey() {
    let site = Site::slow(
        25,
        [
            bluesky(ALICE, 20_000),
            bluesky("two.bsky.social", 60_000),
            gitea("bob", 120),
        ],
    );
    let home = Home::new(&site);
    let up = home.up("");
    let documents = format!(
        "{}---\n{}---\napiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {{name: three}}\nspec:\n  \
         account: {{platform: gitea, handle: bob, host: git.example.org}}\n",
        scan("one", ALICE),
        scan("two", "two.bsky.social")
    );
    let applied = home.run_with("apply -f -", &documents);
    let created = "scan.followlytics.io/one created\nscan.followlytics.io/two created\nscan.followlytics.io/three created\n";
    assert_eq!((applied.code, applied.out.as_str()), (0, created), "{applied:?}");
    assert!(
        home.run_with("apply -f -", &documents)
            .out
            .contains("one unchanged")
    );

    eventually("the first rows are in", || site.requests() > 15);
    pause_is_true(&home);

    assert_eq!(home.run("cancel two").out, "scan.followlytics.io/two cancelled\n");
    assert_eq!(home.get("scans", "two")["status"]["phase"], "Cancelled");
    assert_eq!(home.run("resume one").code, 0);
    let done = home.wait_for("one", "Succeeded");
    assert_eq!(done["status"]["result"]["rows"], 20_000);
    assert_eq!(
        home.wait_for("three", "Succeeded")["status"]["result"]["rows"],
        120
    );

    let shown = home.run("get scans").out;
    assert!(
        shown.starts_with("NAME") && shown.contains("one") && shown.contains("Cancelled"),
        "{shown}"
    );
    let described = home.run("describe scan one").out;
    assert!(
        described.contains("Events:") && described.contains("Succeeded"),
        "{described}"
    );
    assert_eq!(home.run("delete scans one two three").code, 0);
    assert_eq!(home.run("get scans -o name").out, "");
    assert_eq!(home.run("get sandboxes -o name").out, "");
    assert_eq!(up.stop(), 0);
}

/// A pause says that it is one, why, and how to end it; and nothing moves.
fn pause_is_true(home: &Home) {
    let paused = home.run("pause one");
    assert_eq!(
        (paused.code, paused.out.as_str()),
        (0, "scan.followlytics.io/one paused\n"),
        "{paused:?}"
    );
    let then = home.wait_for("one", "Suspended");
    assert_eq!(then["status"]["waitingOn"]["reason"], "Requested");
    let why = home.run("why one").out;
    assert!(
        why.contains("Requested") && why.contains("followlytics resume one"),
        "{why}"
    );
    pause(Duration::from_millis(700));
    assert_eq!(
        scanned(&home.get("scans", "one")),
        scanned(&then),
        "nothing moves while it is paused"
    );
}

#[test]
fn a_watch_shows_the_way_to_the_end() {
    let site = Site::slow(10, [bluesky(ALICE, 1500)]);
    let home = Home::new(&site);
    let _up = home.up("");
    let watching = home
        .command(["get", "scans", "-w", "-o", "json"])
        .spawn()
        .unwrap();
    home.apply(&scan("one", ALICE));
    home.wait_for("one", "Succeeded");
    eventually("the runners are cleared away", || {
        home.run("get sandboxes -o name").out.is_empty()
    });
    signal(&watching, "INT");
    let ran = finish(watching, "get -w");
    assert_eq!(ran.code, 0, "{ran:?}");
    let phases: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"]["phase"].clone())
        .collect();
    assert_eq!(phases.last(), Some(&"Succeeded".into()), "{phases:?}");
    assert!(phases.contains(&"Scanning".into()), "{phases:?}");
    // A status that wrote itself again and again would show here.
    assert!(phases.len() < 60, "{} changes", phases.len());
}

#[test]
fn two_control_planes_never_share_a_data_directory() {
    let site = Site::slow(0, [bluesky(ALICE, 250)]);
    let home = Home::new(&site);
    let up = home.up("");
    home.run("up").refused(7, &["another followlytics", "--data DIR"]);
    // Another command finds the one that runs, and uses it.
    let report = home.run(&format!("scan bluesky:{ALICE} -q -o json")).json();
    assert_eq!(report["uniqueFollowers"], 250);
    assert_eq!(
        report["result"]["parquet"].as_array().unwrap().len(),
        1,
        "{report}"
    );
    let server = format!("unix://{}", home.data().join("api.sock").display());
    let named = home.run(&format!("--server {server} get scans -o name"));
    assert_eq!(
        named.out, "scan.followlytics.io/bluesky-alice-bsky-social\n",
        "{named:?}"
    );
    home.run("--server unix:///nowhere/api.sock get scans")
        .refused(2, &["followlytics up"]);
    home.run("--server 127.0.0.1:1 get scans")
        .refused(2, &["unix:///PATH"]);
    assert_eq!(up.stop(), 0);
    assert!(!home.data().join("api.address").exists());
    let again = home.up("");
    assert_eq!(again.stop(), 0);
}

#[test]
fn a_control_plane_that_was_killed_is_continued_by_the_next() {
    let site = Site::slow(25, [bluesky(ALICE, 6000)]);
    let home = Home::new(&site);
    let up = home.up("");
    home.apply(&scan("one", ALICE));
    eventually("a third is in", || {
        scanned(&home.get("scans", "one")) > 2000 || site.requests() > 25
    });
    up.kill();
    let before = site.requests();
    pause(Duration::from_millis(300));
    assert!(site.requests() <= before + 2, "its runners died with it");
    let up = home.up("");
    let done = home.wait_for("one", "Succeeded");
    assert_eq!(done["status"]["result"]["rows"], 6000);
    assert_eq!(done["status"]["result"]["certificate"]["guarantee"], "Exact");
    assert_eq!(up.stop(), 0);
    // 60 pages, a short one for each cut, look-up and probes; two runners had at most a request each in flight.
    let requests = site.world.requests(0, usize::MAX);
    let mut pages = BTreeSet::new();
    let again = requests
        .iter()
        .filter(|r| !pages.insert((r.cursor.clone(), r.rows.first().cloned())))
        .count();
    assert!(again <= 4, "{again} requests were made twice");
    let account = site.world.account(Platform::Bluesky, ALICE).unwrap();
    assert_eq!(account.followers, 6000);
}

#[test]
fn a_scan_that_was_interrupted_goes_on_when_it_is_run_again() {
    let site = Site::slow(25, [bluesky(ALICE, 6000)]);
    let home = Home::new(&site);
    let first = home
        .command(["scan", "bluesky:alice.bsky.social"])
        .spawn()
        .unwrap();
    eventually("some pages are in", || site.requests() > 15);
    signal(&first, "INT");
    let ran = finish(first, "scan");
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(
        ran.err
            .contains("the same command goes on with scan bluesky-alice-bsky-social"),
        "{ran:?}"
    );
    let before = site.requests();
    let again = home.run("scan bluesky:alice.bsky.social -o json");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.contains("goes on where it stopped"), "{again:?}");
    let report = again.json();
    assert_eq!(
        (&report["name"], &report["uniqueFollowers"]),
        (&"bluesky-alice-bsky-social".into(), &6000.into()),
        "{report}"
    );
    let necessary = usize::try_from(report["requests"]["necessary"].as_i64().unwrap()).unwrap();
    assert!(
        site.requests() <= necessary + 4,
        "{} of {necessary}, {before} before",
        site.requests()
    );
}

#[test]
fn a_command_whose_control_plane_was_another_commands_takes_its_place() {
    let site = Site::slow(25, [bluesky(ALICE, 6000), bluesky("two.bsky.social", 1500)]);
    let home = Home::new(&site);
    let first = home
        .command(["scan", "bluesky:two.bsky.social", "-q", "-o", "json"])
        .spawn()
        .unwrap();
    eventually("the first one works", || site.requests() > 2);
    let second = home.run("scan bluesky:alice.bsky.social -q -o json");
    let first = finish(first, "scan");
    assert_eq!(
        (first.code, &first.json()["uniqueFollowers"]),
        (0, &1500.into()),
        "{first:?}"
    );
    assert_eq!(
        (second.code, &second.json()["uniqueFollowers"]),
        (0, &6000.into()),
        "{second:?}"
    );
    let scans = home.run("get scans -o name").out;
    assert_eq!(scans.lines().count(), 2, "neither was begun twice: {scans}");
}

#[test]
fn columns_and_causes_come_at_will() {
    let site = Site::slow(0, [bluesky(ALICE, 30)]);
    let home = Home::new(&site);
    assert_eq!(
        home.run(&format!("scan bluesky:{ALICE} -q -o name")).out,
        "scan.followlytics.io/bluesky-alice-bsky-social\n"
    );
    let wide = home.run("get scans -o wide").out;
    assert!(
        wide.contains("RESULT") && wide.contains("results/default/bluesky/"),
        "{wide}"
    );
    let yaml = home.run("get scan bluesky-alice-bsky-social -o yaml").out;
    assert!(
        yaml.contains("kind: Scan") && yaml.contains("phase: Succeeded"),
        "{yaml}"
    );
    let list = home.run("get scans -l team=a -o json").json();
    assert_eq!(list["items"].as_array().unwrap().len(), 0);
    let plain = home.run("get scans nobody").err;
    let chain = home.run("-v get scans nobody").err;
    assert!(
        !plain.contains("because:") && chain.contains("because:"),
        "{chain}"
    );
}

#[test]
fn completions_and_help_are_there() {
    let site = Site::slow(0, []);
    let home = Home::new(&site);
    assert!(home.run("completions bash").out.contains("_followlytics"));
    let help = home.run("--help");
    assert!(
        help.out.contains("Exit codes:") && help.out.contains("130"),
        "{help:?}"
    );
    assert!(!help.out.contains("run-scan"), "children are not for people");
    assert_eq!(home.run("fetch").code, 2);
}
