//! What is done with results: compared, exported, gone on from.

use std::{collections::BTreeSet, fs};

use followlytics_simulator::{BulkSpec, Platform, RollOf};
use followlytics_tests::toolkit::{Home, Site, X_TOKEN, bluesky, x};

#[test]
fn who_came_left_and_was_renamed_is_told_as_the_platform_knows_it() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 3_000)]);
    let home = Home::new(&site);
    let scan = "scan bluesky:alice.bsky.social -q -o json";
    assert_eq!(home.run(scan).json()["uniqueFollowers"], 3_000);
    home.run("diff bluesky:alice.bsky.social")
        .refused(1, &["one result only", "scan it again"]);
    let bulk = BulkSpec {
        unfollow_share: 0.02,
        rename_share: 0.01,
        follow: 25,
        ..BulkSpec::default()
    };
    let (platform, who) = (Platform::Bluesky, "alice.bsky.social");
    let done = site.world.bulk(platform, who, bulk).unwrap();
    let stretch = (done.from_order, done.to_order);
    let renamed = site
        .world
        .roll_digest(platform, who, RollOf::Renamed, stretch)
        .unwrap()
        .count;
    assert!(done.unfollowed > 20 && renamed > 10, "{done:?}");
    assert_eq!(home.run(scan).json()["uniqueFollowers"], 3_025 - done.unfollowed);

    let out = home.path().join("changes.ndjson");
    let told = home
        .run(&format!(
            "diff bluesky:alice.bsky.social -o json --out {}",
            out.display()
        ))
        .json();
    let counts = &told["counts"];
    assert_eq!(
        (
            &counts["from"],
            &counts["to"],
            &counts["gained"],
            &counts["lost"],
            &counts["renamed"]
        ),
        (
            &1.into(),
            &2.into(),
            &25.into(),
            &done.unfollowed.into(),
            &renamed.into()
        ),
        "{told}"
    );
    assert_eq!(told["changes"].as_array().unwrap().len(), 20);
    let lines = fs::read_to_string(&out).unwrap();
    let all = 25 + done.unfollowed + renamed;
    assert_eq!(lines.lines().count() as u64, all);
    let named = lines.lines().filter(|line| line.contains("renamed"));
    assert!(named.clone().all(|line| line.contains("earlierHandle")));

    let shown = home.run("diff bluesky-alice-bsky-social --limit 3");
    let head = format!(
        "version 1 to 2: 25 gained, {} lost, {renamed} renamed\n",
        done.unfollowed
    );
    assert!(shown.out.starts_with(&head), "{shown:?}");
    assert!(
        shown.out.contains(&format!("… and {} more", all - 3)),
        "{shown:?}"
    );
    home.run("diff bluesky:alice.bsky.social --since 9")
        .refused(1, &["version 9", "the newest is 2"]);
}

#[test]
fn a_result_is_exported_in_every_format_and_never_by_halves() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 1_234)]);
    let home = Home::new(&site);
    assert_eq!(home.run("scan bluesky:alice.bsky.social -q").code, 0);
    let csv = home.run("export bluesky:alice.bsky.social");
    // A bio may hold line breaks, in quotes.
    let records = csv.out.lines().filter(|line| line.starts_with("did:plc:"));
    assert_eq!((csv.code, records.count()), (0, 1_234), "{}", csv.err);
    assert!(
        csv.out.starts_with("account,id,id_num,handle,name,bio,"),
        "{}",
        &csv.out[..80]
    );
    let out = home.path().join("rows.ndjson");
    let told = home.run(&format!(
        "export bluesky-alice-bsky-social --out {}",
        out.display()
    ));
    assert!(told.out.ends_with("1,234 followers, version 1\n"), "{told:?}");
    let ids: BTreeSet<String> = fs::read_to_string(&out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1_234);
    let parquet = home.path().join("rows.parquet");
    assert_eq!(
        home.run(&format!(
            "export bluesky:alice.bsky.social --out {}",
            parquet.display()
        ))
        .code,
        0
    );
    assert!(fs::read(&parquet).unwrap().starts_with(b"PAR1"));

    home.run("export bluesky:alice.bsky.social --out rows.xlsx")
        .refused(2, &[".parquet, .csv or .ndjson"]);
    home.run("export bluesky:bob.bsky.social")
        .refused(1, &["bluesky:bob.bsky.social", "name an account"]);
    home.run("export bluesky:alice.bsky.social --out missing/rows.csv")
        .refused(7, &["missing/rows.csv", "--out"]);
    let left = fs::read_dir(home.path()).unwrap().flatten();
    let parts = left.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "part"));
    assert_eq!(parts.count(), 0);
}

#[test]
fn a_damaged_result_is_named_and_nothing_is_written() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 500)]);
    let home = Home::new(&site);
    let report = home.run("scan bluesky:alice.bsky.social -q -o json").json();
    let part = report["result"]["parquet"][0].as_str().unwrap().to_owned();
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&part, &bytes).unwrap();
    let out = home.path().join("rows.csv");
    let export = format!("export bluesky:alice.bsky.social --out {}", out.display());
    home.run(&export).refused(7, &["part-", "restore this object"]);
    assert!(!out.exists());
    fs::write(&part, &bytes[..middle]).unwrap();
    home.run(&export).refused(7, &["part-", "restore this object"]);
}

#[test]
fn a_scan_since_the_latest_result_pays_for_what_is_new_and_one_page_more() {
    let site = Site::slow(0, [x("nasa", 20_000)]);
    let home = Home::new(&site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN);
    let first = home
        .run("scan x:@nasa --budget 250 -q -o json --since latest")
        .json();
    assert_eq!(
        (&first["uniqueFollowers"], &first["costUsd"]),
        (&20_000.into(), &"200.01".into()),
        "without an earlier result the whole list is read"
    );
    let bulk = BulkSpec {
        unfollow_share: 0.01,
        follow: 1_500,
        ..BulkSpec::default()
    };
    site.world.bulk(Platform::X, "nasa", bulk).unwrap();
    let second = home
        .run("scan x:@nasa --budget 30 -q -o json --since latest")
        .json();
    assert_eq!(
        (
            &second["uniqueFollowers"],
            &second["costUsd"],
            &second["rowsScanned"]
        ),
        (&21_500.into(), &"20.01".into(), &2_000.into()),
        "{second}"
    );
    assert_eq!(second["result"]["guarantee"], "BestEffort", "{second}");
    let diff = home.run("diff x:@nasa -o json").json();
    let counts = &diff["counts"];
    assert_eq!(
        (
            &counts["gained"],
            &counts["lost"],
            &counts["firstSeen"],
            &counts["notSeen"]
        ),
        (
            &serde_json::Value::Null,
            &serde_json::Value::Null,
            &1_500.into(),
            &0.into()
        ),
        "{diff}"
    );
    assert!(
        counts["gainedUnknown"]
            .as_str()
            .is_some_and(|why| why.contains("result 1 is not complete")),
        "{diff}"
    );
    // Nothing is new: the page that proves it.
    let third = home.run("scan x:@nasa --budget 30 -q -o json --since 2").json();
    assert_eq!(
        (&third["uniqueFollowers"], &third["costUsd"]),
        (&21_500.into(), &"10.01".into()),
        "{third}"
    );
    let refused = home.run("scan x:@nasa --budget 30 -q --since 9");
    assert!(
        refused.code != 0 && refused.err.contains("no result 9; the newest is 3"),
        "{refused:?}"
    );
}
