//! One source gives out and the other takes over, where it may.

use followlytics_simulator::{Endpoint, FaultKind};
use followlytics_tests::toolkit::assert_order_alone_unproven;

use crate::stage::{Stage, complete};

#[test]
fn the_api_takes_over_from_a_session_that_ended_where_money_allows() {
    const ALL: i64 = 800;
    let stage = Stage::signed_in(ALL.unsigned_abs(), 0);
    // The list costs over four fifths of the month: a browser goes first.
    stage.has_a_month_of(9);
    stage.goes_wrong(Endpoint::WebFollowers, 10, FaultKind::LoggedOut);
    let report = complete(&stage.scan("--credential app --budget 8.90 --runners 1"), ALL);
    assert!(report["rowsByBrowser"].as_i64().unwrap() > 0, "{report}");
    let pages = stage.asked(Endpoint::WebFollowers);
    assert!((10..=14).contains(&pages), "{pages} of the browser: {report}");
    assert_eq!(stage.asked(Endpoint::Followers), 1, "{report}");
}

#[test]
fn what_is_paid_twice_where_they_meet_is_at_most_a_page_and_shown() {
    const ALL: i64 = 3_000;
    let stage = Stage::signed_in(ALL.unsigned_abs(), 0);
    stage.has_a_month_of(32);
    // The browser goes first, and no browser is as quick as a million requests a second: the API comes to its help.
    let line = "--credential app --budget 31 --runners 1 --followers-per-range 100";
    let report = complete(&stage.scan(line), ALL);
    assert!(stage.asked(Endpoint::Followers) > 0, "{report}");
    let again = report["refetchedRows"].as_i64().unwrap();
    assert!((0..=1_000).contains(&again), "{report}");
    let certificate = &report["result"]["certificate"];
    assert_order_alone_unproven(certificate);
    let seams = certificate["seams"].as_array().unwrap();
    let newest = seams.iter().max_by_key(|seam| seam["position"].as_i64()).unwrap();
    assert_eq!(newest["join"], "Overlap", "{report}");
}

#[test]
fn a_browser_takes_over_from_an_api_without_credits() {
    const ALL: i64 = 1_200;
    let stage = Stage::signed_in(ALL.unsigned_abs(), 0);
    stage.goes_wrong(Endpoint::Followers, 0, FaultKind::CreditsDepleted);
    let report = complete(&stage.scan("--budget 20 --runners 1"), ALL);
    let rows = report["rowsByBrowser"].as_i64().unwrap();
    assert!(rows >= ALL, "{report}");
    assert_eq!(report["costUsd"], "0.01", "the look-up: {report}");
}
