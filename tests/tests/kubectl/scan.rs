//! One scan as somebody sees it who has kubectl and nothing else.

use std::time::Duration;

use followlytics_testbed::{postgres::Postgres, s3::S3};
use followlytics_tests::toolkit::{Home, Site, bluesky, eventually, pause, x};
use serde_json::Value;

use crate::kubectl::{Cluster, scan};

const ALICE: &str = "alice.bsky.social";

#[test]
fn a_scan_is_applied_paused_resumed_awaited_and_deleted() {
    let site = Site::slow(25, [bluesky(ALICE, 12_000)]);
    live(&site, Home::new(&site));
}

#[test]
fn the_same_with_postgresql_and_s3() {
    let site = Site::slow(25, [bluesky(ALICE, 12_000)]);
    let database = Postgres::shared().unwrap().create_database().unwrap();
    let (home, _) = Home::elsewhere(&site, &database, S3::shared().unwrap());
    live(&site, home);
}

/// The life of a scan.
fn live(site: &Site, home: Home) {
    let cluster = Cluster::of(home, "");
    cluster.apply(&scan("one", ALICE));
    let watch = cluster.follow("watch", "get scan one -w --no-headers");
    watch.says("Scanning");
    eventually("the first rows are in", || site.requests() > 15);

    let mode = |mode: &str| {
        let patch = format!(r#"{{"spec":{{"operatingMode":"{mode}"}}}}"#);
        cluster.ok_words(&["patch", "scan", "one", "--type=merge", "-p", &patch])
    };
    assert_eq!(mode("Suspended"), "scan.followlytics.io/one patched\n");
    cluster.ok("wait scan/one --for=condition=Suspended --timeout=90s");
    let then = cluster.json("get scan one");
    assert_eq!(then["status"]["waitingOn"]["reason"], "Requested");
    let before = site.requests();
    pause(Duration::from_millis(500));
    assert_eq!(site.requests(), before, "nothing is requested while it is paused");
    assert_eq!(
        cluster.ok("get sandboxes -o name"),
        "",
        "its runners are given back"
    );

    mode("Running");
    cluster.ok("wait scan/one --for=condition=Complete --timeout=90s");
    cluster.ok("wait scan/one --for=jsonpath={.status.phase}=Succeeded --timeout=20s");
    let done = cluster.json("get scan one");
    assert_eq!(done["status"]["result"]["rows"], 12_000);
    assert_eq!(done["status"]["result"]["certificate"]["guarantee"], "Exact");
    watch.says("Succeeded");

    let shown = cluster.ok("describe scan one");
    for reason in ["Suspended", "Resumed", "Succeeded"] {
        assert!(
            events(&shown).any(|line| line.split_whitespace().nth(1) == Some(reason)),
            "{reason}: {shown}"
        );
    }
    let rows =
        cluster.ok("get events --field-selector involvedObject.name=one,reason=Succeeded --no-headers");
    assert_eq!(rows.lines().count(), 1, "one event an outcome: {rows}");
    cluster.ok("delete scan one --timeout=30s");
    assert_eq!(cluster.ok("get scans -o name"), "");
}

fn events(described: &str) -> impl Iterator<Item = &str> {
    described.lines().skip_while(|line| !line.starts_with("Events:"))
}

#[test]
fn runners_can_be_watched_and_go_with_their_scan() {
    let site = Site::slow(40, [bluesky(ALICE, 20_000)]);
    let cluster = Cluster::start(&site);
    cluster.apply(&scan("one", ALICE));
    eventually("a runner is there", || {
        !cluster.ok("get sandboxes -o name").is_empty()
    });
    let sandboxes: Value = cluster.json("get sandboxes");
    let sandbox = &sandboxes["items"][0];
    assert_eq!(sandbox["spec"]["scanRef"]["name"], "one", "{sandbox}");
    let name = sandbox["metadata"]["name"].as_str().unwrap();
    let shown = cluster.run(&format!("describe sandbox {name}"));
    assert!(
        shown.code == 0 || shown.err.contains("not found"),
        "a runner may have ended meanwhile: {shown:?}"
    );
    let deleted = cluster.ok("delete scan one --timeout=60s");
    assert!(deleted.contains("\"one\" deleted"), "{deleted}");
    eventually("its runners are gone", || {
        cluster.ok("get sandboxes -o name").is_empty()
    });
}

#[test]
fn a_scan_that_cannot_go_on_says_why() {
    let site = Site::slow(0, [x("nasa", 40)]);
    let cluster = Cluster::start(&site);
    cluster.apply(&scan("lost", "nobody.bsky.social"));
    cluster.ok("wait scan/lost --for=jsonpath={.status.phase}=Failed --timeout=60s");
    let shown = cluster.ok("describe scan lost");
    assert!(
        shown.contains("AccountNotFound") && shown.contains("check the handle"),
        "{shown}"
    );
    let myspace = scan("myspace", "tom").replace("bluesky", "myspace");
    cluster.apply(&myspace);
    cluster.ok("wait scan/myspace --for=jsonpath={.status.phase}=Failed --timeout=60s");
    assert!(cluster.ok("describe scan myspace").contains("UnknownPlatform"));
}
