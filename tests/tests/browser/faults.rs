//! What a platform does to a browser: the scan waits, says why, and goes on where it stopped.

use followlytics_tests::toolkit::assert_order_alone_unproven;
use std::{fs, os::unix::fs::PermissionsExt as _};

use followlytics_simulator::{Endpoint, FaultKind, WebSessionSpec};
use followlytics_tests::toolkit::eventually;

use crate::stage::{AUTH_TOKEN, CT0, READER, Stage, WHO, complete, session};

const BROWSER: &str = "--source browser --runners 1";

#[test]
fn a_session_that_ends_in_mid_scan_is_asked_for_and_the_scan_goes_on() {
    const ALL: i64 = 500;
    let stage = Stage::signed_in(ALL.unsigned_abs(), 0);
    stage.goes_wrong(Endpoint::WebFollowers, 8, FaultKind::LoggedOut);
    stage
        .scan(BROWSER)
        .refused(5, &["sign in again", "followlytics why x-nasa"]);
    let why = stage.home.run("why x-nasa");
    assert!(
        why.out.contains("SessionEnded") && why.out.contains("--type web-session"),
        "{why:?}"
    );
    let before = stage.asked(Endpoint::WebFollowers);
    // The other three tabs may have asked at the same moment; then nobody knocks at a door that is shut.
    assert!((9..=12).contains(&before), "{before}");
    let anew = WebSessionSpec {
        auth_token: "an0therc00k1e".to_owned(),
        ct0: CT0.to_owned(),
        handle: READER.to_owned(),
    };
    stage.site.world.sign_in_web(anew).unwrap();
    stage.sign_in(&session("an0therc00k1e", READER));
    let report = complete(&stage.scan(BROWSER), ALL);
    assert_eq!(report["name"], "x-nasa", "the same scan");
    let after = stage.asked(Endpoint::WebFollowers) - before;
    assert!(after <= 24, "it goes on where it stopped: {after} pages");
}

#[test]
fn a_session_of_another_account_and_one_that_never_was_are_told_apart() {
    let stage = Stage::new(100, 0);
    stage.sign_in(&session("n0b0dy", READER));
    let ran = stage.scan(BROWSER);
    ran.refused(5, &["sign in again"]);
    assert!(!ran.err.contains("n0b0dy"), "{ran:?}");
    stage.sign_in(&session(AUTH_TOKEN, "somebody_else"));
    let ran = stage.scan(BROWSER);
    ran.refused(5, &["somebody_else"]);
    assert_eq!(stage.asked(Endpoint::WebFollowers), 0, "no list was read");
}

#[test]
fn a_page_that_is_slower_than_its_permit_is_no_failure() {
    // In windows of a second the request must leave within one: neither the document nor the look-up is there by then.
    let stage = Stage::signed_in(20, 1_100);
    let report = complete(&stage.scan(BROWSER), 20);
    assert_eq!(report["requests"]["failed"], 0, "{report}");
    assert_order_alone_unproven(&report["result"]["certificate"]);
}

#[test]
fn a_challenge_is_for_a_person() {
    let stage = Stage::signed_in(100, 0);
    stage.goes_wrong(Endpoint::WebPage, 0, FaultKind::Challenge);
    stage.scan(BROWSER).refused(5, &["sign in by hand"]);
    let why = stage.home.run("why x-nasa");
    assert!(why.out.contains("ChallengeShown"), "{why:?}");
    assert_eq!(stage.asked(Endpoint::WebPage), 1, "it is not tried again");
    complete(&stage.scan(BROWSER), 100);
}

#[test]
fn markup_that_changed_leaves_a_trace_without_secrets() {
    let stage = Stage::signed_in(100, 0);
    // A page is tried twice before the scan waits, and two tabs may read one each.
    for _ in 0..4 {
        stage.goes_wrong(Endpoint::WebFollowers, 0, FaultKind::UnknownShape);
    }
    let mut command = stage
        .home
        .command(format!("scan x:@{WHO} --session me {BROWSER} -q --detach").split_whitespace());
    let up = stage.home.up("");
    assert!(command.status().unwrap().success());
    let mut held = serde_json::Value::Null;
    eventually("the scan waits", || {
        held = stage.home.get("scans", "x-nasa")["status"]["waitingOn"].clone();
        held["reason"] == "MarkupChanged"
    });
    let message = held["message"].as_str().unwrap();
    let folder = stage.home.data().join("traces");
    assert!(
        message.contains(&folder.canonicalize().unwrap().display().to_string()),
        "{message}"
    );
    let traces: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!((2..=4).contains(&traces.len()), "one a try: {traces:?}");
    for trace in traces {
        assert_eq!(fs::metadata(&trace).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(trace).unwrap();
        assert!(text.contains("expected"), "{text}");
        for secret in [AUTH_TOKEN, CT0] {
            assert!(!text.contains(secret) && !message.contains(secret), "{text}");
        }
    }
    assert_eq!(up.stop(), 0);
}
