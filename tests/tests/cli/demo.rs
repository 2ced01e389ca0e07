//! The demo, in small.

use std::path::Path;

use followlytics_tests::toolkit::{Home, Site, assert_order_alone_unproven};
use serde_json::Value;

const SMALL: &str = "demo --followers 8000 --x-followers 2500 --followers-per-range 2000 --latency-ms 25";

fn home() -> Home {
    Home::new(&Site::slow(0, []))
}

#[test]
fn nothing_is_lost_though_followers_change_and_a_runner_is_killed() {
    let home = home();
    let ran = home.run(&format!("{SMALL} -q -o json --out out"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let demo = ran.json();
    let [parallel, chain] = [0, 1].map(|n| &demo["scans"][n]);
    for (scan, guarantee) in [(parallel, "Exact"), (chain, "BestEffort")] {
        assert_eq!(scan["phase"], "Succeeded");
        assert_eq!(scan["result"]["guarantee"], guarantee);
        assert_eq!(
            (&scan["checked"]["missing"], &scan["checked"]["invented"]),
            (&0.into(), &0.into())
        );
        let stable = scan["checked"]["stable"].as_i64().unwrap();
        let unique = scan["uniqueFollowers"].as_i64().unwrap();
        assert!(
            unique >= stable && stable * 10 > scan["platformCount"].as_i64().unwrap() * 9,
            "{scan}"
        );
        for path in scan["result"]["parquet"].as_array().unwrap() {
            assert!(
                Path::new(path.as_str().unwrap()).starts_with(home.path().canonicalize().unwrap()),
                "{path}"
            );
            assert!(Path::new(path.as_str().unwrap()).is_file(), "{path}");
        }
        let manifest = std::fs::read_to_string(scan["result"]["manifest"].as_str().unwrap()).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["certificate"]["guarantee"], guarantee);
        assert_eq!(manifest["rows"], scan["uniqueFollowers"]);
    }
    let killed = &demo["killed"];
    assert!(killed["pid"].as_i64().unwrap() > 0, "{killed}");
    assert!(
        killed["rowsThen"].as_i64().unwrap() * 2 >= killed["rowsExpected"].as_i64().unwrap(),
        "{killed}"
    );
    assert!(parallel["ranges"].as_i64().unwrap() >= 4, "{parallel}");
    // The killed runner's own request is the only one that may be made twice; the end is proved by two, and each page
    // repeats a row.
    let requests = &parallel["requests"];
    let [made, necessary, failed] =
        ["made", "necessary", "failed"].map(|name| requests[name].as_i64().unwrap());
    assert!(made <= necessary + failed + 4, "{requests}");
    assert!(parallel["refetchedRows"].as_i64().unwrap() <= 100, "{parallel}");
    assert!(
        parallel["checked"]["platformRequests"].as_i64().unwrap() <= made + 1,
        "{parallel}"
    );
}

#[test]
fn an_api_and_a_browser_meet_in_the_third_account() {
    let ran = home().run(&format!("{SMALL} -q -o json --out out"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let demo = ran.json();
    assert_eq!(demo["scans"].as_array().unwrap().len(), 3, "{demo}");
    let both = &demo["scans"][2];
    assert_eq!(
        (&both["phase"], &both["platformCount"], &both["costUsd"]),
        (&"Succeeded".into(), &10_000.into(), &"70.01".into()),
        "{both}"
    );
    // A few unfollow meanwhile.
    let stable = both["checked"]["stable"].as_i64().unwrap();
    assert!(
        stable > 9_000 && both["uniqueFollowers"].as_i64().unwrap() >= stable,
        "{both}"
    );
    assert_order_alone_unproven(&both["result"]["certificate"]);
    assert_eq!(
        (&both["checked"]["missing"], &both["checked"]["invented"]),
        (&0.into(), &0.into())
    );
    let by_browser = both["rowsByBrowser"].as_i64().unwrap();
    assert!((3_000..10_000).contains(&by_browser), "{both}");
}

#[test]
fn without_chromium_one_line_says_how_to_get_it() {
    let home = home().with("FOLLOWLYTICS_CHROMIUM", "/nowhere/chromium");
    let ran = home.run("demo --followers 1000 --x-followers 500 -q");
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains("browser")).collect();
    assert_eq!(lines.len(), 1, "{ran:?}");
    assert!(
        lines[0].starts_with("no browser took part: ") && lines[0].contains("chromium"),
        "{lines:?}"
    );
}

#[test]
fn the_chain_is_paid_row_by_row_and_look_up() {
    let home = home();
    let ran = home.run(&format!("{SMALL} -q -o json --out out"));
    let demo = ran.json();
    let chain = &demo["scans"][1];
    let rows = chain["rowsScanned"].as_i64().unwrap();
    let cents = rows + 1;
    assert_eq!(chain["costUsd"], format!("{}.{:02}", cents / 100, cents % 100));
    assert_eq!(chain["ranges"], 1);
    assert_eq!(chain["requests"]["lookups"], 1);
    assert_eq!(chain["requests"]["made"], chain["requests"]["necessary"]);
}

#[test]
fn in_a_pipe_there_are_a_table_and_plain_lines() {
    let home = home();
    let ran = home.run("demo --followers 1000 --x-followers 500");
    assert_eq!(ran.code, 0, "{ran:?}");
    for fact in [
        "platform count",
        "rows scanned",
        "unique followers",
        "duplicates removed",
        "re-fetched rows",
        "ranges",
        "splits",
        "requests / necessary",
        "cost",
        "… rows once a day",
        "time",
        "certificate",
        "… order of the list",
        "order of the list, Source: ",
        "order of the list, Observed: ",
        "followlytics-demo/bluesky-observatory/part-",
        "followlytics-demo/x-observatory/manifest-",
    ] {
        assert!(ran.out.contains(fact), "{fact} is missing: {}", ran.out);
    }
    assert!(
        !ran.err.contains('\u{1b}') && ran.err.contains("/500 followers"),
        "{}",
        ran.err
    );
    assert!(home.path().join("followlytics-demo/x-observatory").is_dir());
    assert!(!home.data().join("ledger.db-journal").exists());
}
