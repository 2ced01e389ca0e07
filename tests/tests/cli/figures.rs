//! Requests in the report of a scan, compared with the platform's own log.

use followlytics_simulator::{BulkSpec, Platform};
use followlytics_tests::toolkit::{Home, Site, bluesky, eventually, families, finish};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const ALICE: &str = "alice.bsky.social";

fn number(report: &Value, name: &str) -> i64 {
    report["requests"][name]
        .as_i64()
        .unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Kills one runner below this process; whether there was one.
fn kill_a_runner(parent: i32) -> bool {
    let family = families(&[parent]).unwrap();
    let runner = family
        .iter()
        .find(|process| process.words.iter().any(|word| word == "run-scan"));
    runner.is_some_and(|runner| kill_process(Pid::from_raw(runner.pid).unwrap(), Signal::KILL).is_ok())
}

#[test]
fn report_counts_the_requests_of_killed_runners_and_of_a_since_scan() {
    let site = Site::slow(300, [bluesky(ALICE, 6_000)]);
    let home = Home::new(&site);
    let line = format!("bluesky:{ALICE}");
    let child = home.command(["scan", &line, "-o", "json", "-q"]).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut killed = 0;
    for requests in [12, 24] {
        eventually("requests are made", || site.requests() > requests);
        killed += i64::from(kill_a_runner(pid));
    }
    let ran = finish(child, "scan");
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    let seen = i64::try_from(site.requests()).unwrap();
    assert!(killed > 0 && number(&report, "unanswered") > 0, "{report}");
    // A runner may have been killed between its permit and its request.
    let made = number(&report, "made");
    assert!(
        (seen..=seen + killed).contains(&made),
        "{made} made, {seen} seen: {report}"
    );
    assert!(number(&report, "necessary") <= made, "{report}");

    // New followers, and only these are read.
    let bulk = BulkSpec {
        follow: 150,
        ..BulkSpec::default()
    };
    site.world.bulk(Platform::Bluesky, ALICE, bulk).unwrap();
    let before = site.requests();
    let ran = home.run(&format!("scan {line} --since latest -o json -q"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    let made = number(&report, "made");
    assert_eq!(made, i64::try_from(site.requests() - before).unwrap(), "{report}");
    assert!((1..=made).contains(&number(&report, "necessary")), "{report}");
}
