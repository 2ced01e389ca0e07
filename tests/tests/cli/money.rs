//! Budgets: what a scan may cost without asking, dry runs, and what is never paid twice.

use followlytics_simulator::{Endpoint, Platform};
use followlytics_tests::toolkit::{Home, Site, X_TOKEN, bluesky, x};

fn home(site: &Site) -> Home {
    Home::new(site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN)
}

fn look_ups(site: &Site) -> usize {
    let requests = site.world.requests(0, usize::MAX);
    requests
        .iter()
        .filter(|r| r.platform == Platform::X && r.endpoint == Endpoint::Account)
        .count()
}

#[test]
fn a_scan_over_a_dollar_needs_a_budget_and_what_is_refused_is_not_kept() {
    let site = Site::slow(0, [x("nasa", 1500)]);
    let home = home(&site);
    home.run("scan x:@nasa")
        .refused(3, &["$15.01", "1500 followers", "$1.00", "--budget 15.01"]);
    home.run("scan x:@nasa --budget 15").refused(3, &["$15.00"]);
    assert_eq!(
        (site.requests(), look_ups(&site)),
        (2, 2),
        "only the account was looked up"
    );
    assert_eq!(home.run("get scans -o name").out, "");
    let report = home.run("scan x:@nasa --budget 15.01 -q -o json").json();
    assert_eq!(
        (&report["uniqueFollowers"], &report["costUsd"]),
        (&1500.into(), &"15.01".into()),
        "{report}"
    );
    assert_eq!(report["name"], "x-nasa");
    // It is over: the next one is another scan.
    let next = home.run("scan x:@nasa --budget 20 -q -o name");
    assert_eq!(
        (next.code, next.out.as_str()),
        (0, "scan.followlytics.io/x-nasa-2\n"),
        "{next:?}"
    );
}

#[test]
fn a_dry_run_shows_ranges_requests_time_and_dollars_and_lists_nothing() {
    let site = Site::slow(0, [x("nasa", 400_000), bluesky("alice.bsky.social", 30_000)]);
    let home = home(&site);
    let plan = home.run("scan x:@nasa --dry-run -q -o json").json();
    assert_eq!(plan["usd"], "4000.01");
    assert_eq!(plan["spentUsd"], "0.01");
    assert_eq!(
        (&plan["requests"], &plan["ranges"], &plan["followers"]),
        (&401.into(), &1.into(), &400_000.into())
    );
    // 400 pages, 300 a quarter of an hour.
    assert_eq!(plan["seconds"], 900);
    let shown = home.run("scan x:@nasa --dry-run -q").out;
    for part in ["400,000", "401", "15 min", "$4000.01", "this look-up"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let free = home
        .run("scan bluesky:alice.bsky.social --dry-run -q -o json")
        .json();
    assert_eq!(free["usd"], "0.00");
    assert!(
        free["ranges"].as_i64().unwrap() > 2 && free["requests"].as_i64().unwrap() >= 303,
        "{free}"
    );
    let requests = site.world.requests(0, usize::MAX);
    let pages = requests.iter().filter(|r| r.endpoint == Endpoint::Followers);
    assert!(
        pages.clone().all(|r| r.platform == Platform::Bluesky),
        "no page of X was read"
    );
    assert_eq!(
        home.run("get scans -o name").out,
        "",
        "a dry run leaves no Scan behind"
    );
}

#[test]
fn the_first_n_followers_cost_n_rows() {
    let site = Site::slow(0, [x("nasa", 5000)]);
    let home = home(&site);
    let report = home.run("scan x:@nasa --max-followers 50 -q -o json").json();
    assert_eq!(
        (&report["uniqueFollowers"], &report["costUsd"]),
        (&50.into(), &"0.51".into()),
        "{report}"
    );
}
