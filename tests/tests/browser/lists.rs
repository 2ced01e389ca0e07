//! Lists that are read to their end.

use followlytics_simulator::Endpoint;
use followlytics_tests::toolkit::assert_order_alone_unproven;
use followlytics_tests::toolkit::finish;
use serde_json::Value;

use crate::stage::{Stage, WHO, complete};

#[test]
fn a_browser_alone_lists_everybody_and_pays_nothing() {
    let stage = Stage::signed_in(600, 0);
    // A browser wants a home; that of its sandbox does, whoever started the program.
    let line = format!(
        "scan x:@{WHO} --source browser --session me --runners 1 --followers-per-range 200 -q -o json"
    );
    let mut command = stage.home.command(line.split_whitespace());
    command.env_remove("HOME");
    let report = complete(&finish(command.spawn().unwrap(), &line), 600);
    assert_eq!(report["rowsByBrowser"], report["rowsScanned"], "{report}");
    assert_eq!(report["costUsd"], "0.00", "{report}");
    assert_eq!(report["estimatedChargeUsd"], Value::Null, "{report}");
    assert!(report["ranges"].as_i64().unwrap() >= 3, "{report}");
    assert_order_alone_unproven(&report["result"]["certificate"]);
    let requests = stage.site.world.requests(0, usize::MAX);
    assert!(
        requests.iter().all(|request| request.principal == "web:reader"),
        "the API was left alone"
    );
}

#[test]
fn where_no_entry_is_had_one_reader_comes_from_the_newest_end_and_later_scans_use_its_cursors() {
    let stage = Stage::without_entry(600);
    let scan = |name: &str| {
        let report = complete(
            &stage.scan(&format!(
                "--source browser --followers-per-range 200 --name {name}"
            )),
            600,
        );
        assert_order_alone_unproven(&report["result"]["certificate"]);
        stage.ranges_read()
    };
    let first = scan("first");
    assert_eq!(first, 1, "one reader");
    assert!(
        scan("second") - first > 1,
        "several readers, each from a cursor of before"
    );
}

#[test]
fn both_ends_meet_where_the_money_ends() {
    const ALL: i64 = 6_000;
    let stage = Stage::signed_in(ALL.unsigned_abs(), 0);
    // Four pages of a thousand rows, and the look-up.
    let report = complete(&stage.scan("--budget 40.01 --runners 2"), ALL);
    let by_browser = report["rowsByBrowser"].as_i64().unwrap();
    // Beyond what is needed its four tabs may each have begun a range of five hundred.
    assert!((ALL - 4_000..ALL - 1_000).contains(&by_browser), "{report}");
    assert_eq!(report["costUsd"], "40.01", "{report}");
    let seams = report["result"]["certificate"]["seams"].as_array().unwrap();
    let newest = seams.iter().max_by_key(|seam| seam["position"].as_i64()).unwrap();
    assert_eq!(newest["join"], "Overlap", "{report}");
    assert!(stage.asked(Endpoint::Followers) <= 4, "{report}");
}
