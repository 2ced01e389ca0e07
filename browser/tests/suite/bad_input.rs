//! What a person can get wrong: an error that names it and the remedy, and nothing left behind.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use followlytics_browser::Options;
use followlytics_core::{
    retry::{Class, Failure},
    scan::range::{NEWEST, Place},
};
use followlytics_platforms::connector::Connector as _;
use followlytics_simulator::Endpoint;
use serde_json::json;

use crate::bench::{Bench, profiles};

async fn started_with(script: &str) -> (Failure, usize) {
    let bench = Bench::with(json!({}), 10, |options| {
        let program = options.profile_root.as_ref().unwrap().with_file_name("chromium");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Options {
            program: Some(program),
            ..options
        }
    })
    .await;
    let failure = bench.page(&Place::at(NEWEST)).await.unwrap_err();
    bench.webx.close().await;
    crate::bench::until("its profile is gone", std::time::Duration::from_secs(2), || {
        profiles(bench.root.path()).is_empty()
    })
    .await;
    (failure, profiles(bench.root.path()).len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_crashes_at_its_start_is_quoted() {
    let script = "case \"$1\" in --version) echo 'Chromium 150.0.1.2';; *) echo 'No usable sandbox!' >&2; exit 1;; esac";
    let (failure, left) = started_with(script).await;
    assert_eq!((failure.class, left), (Class::NoBrowser, 0));
    assert!(
        failure.message.contains("its last words: No usable sandbox!"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_too_old_is_not_started() {
    let (failure, _) = started_with("echo 'Chromium 99.0.4844.51'").await;
    assert_eq!(failure.class, Class::NoBrowser);
    assert!(
        failure.message.contains("version 99") && failure.message.contains("120"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_program_and_a_root_that_is_no_directory_are_named() {
    let nowhere = |options| Options {
        program: Some(PathBuf::from("/nowhere/chromium")),
        ..options
    };
    let bench = Bench::with(json!({}), 10, nowhere).await;
    let failure = bench.look_up().await.unwrap_err();
    assert_eq!(failure.class, Class::NoBrowser);
    assert!(failure.message.contains("/nowhere/chromium") && failure.message.contains("package `chromium`"));
    let file = |options: Options| {
        let root = options.profile_root.as_ref().unwrap().with_file_name("file");
        fs::write(&root, "").unwrap();
        Options {
            profile_root: Some(root),
            ..options
        }
    };
    let bench = Bench::with(json!({}), 10, file).await;
    let failure = bench.look_up().await.unwrap_err();
    assert_eq!(failure.class, Class::NoBrowser);
    assert!(
        failure.message.contains("failed to make a profile"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_none_start_no_browser() {
    let mut bench = Bench::new(json!({}), 10).await;
    for (token, part) in [
        ("a1b2c3", "it must be JSON"),
        (r#"{"authToken":"a1b2c3"}"#, "ct0 is missing"),
        (
            r#"{"authToken":"a b","ct0":"c"}"#,
            "authToken is not what a cookie can hold",
        ),
    ] {
        bench.token = token.to_owned();
        let failure = bench.look_up().await.unwrap_err();
        assert_eq!(failure.class, Class::LoggedOut);
        assert!(failure.message.contains(part), "{}", failure.message);
        assert!(!failure.message.contains("a1b2c3"));
    }
    assert_eq!(bench.webx.pid().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_or_anothers_is_told_before_any_row_is_asked_for() {
    let mut bench = Bench::new(json!({}), 10).await;
    bench.token = json!({"authToken": "a1b2c3", "ct0": "csrfa1b2c3", "handle": "somebody"}).to_string();
    let failure = bench.page(&Place::at(NEWEST)).await.unwrap_err();
    assert_eq!(failure.class, Class::LoggedOut);
    assert!(failure.message.contains("@somebody"), "{}", failure.message);
    bench.token = json!({"authToken": "f0f0f0", "ct0": "csrff0f0f0"}).to_string();
    let failure = bench.page(&Place::at(NEWEST)).await.unwrap_err();
    assert_eq!(failure.class, Class::LoggedOut);
    assert!(failure.message.contains("sign in again"), "{}", failure.message);
    assert_eq!(bench.seen(Endpoint::WebFollowers), 0);
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_nobody_has_is_not_found() {
    let bench = Bench::new(json!({}), 10).await;
    let ctx = bench.context();
    let account = "x:@nobody_at_all".parse().unwrap();
    let failure = bench.webx.look_up(&ctx, &account, None).await.unwrap_err();
    assert_eq!(failure.class, Class::NotFound, "{}", failure.message);
    let account = "x:@nasa".parse().unwrap();
    let failure = bench.webx.look_up(&ctx, &account, Some("1")).await.unwrap_err();
    assert_eq!(failure.class, Class::NotFound, "{}", failure.message);
    bench.webx.close().await;
}
