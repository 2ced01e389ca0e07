//! What is refused before anybody is asked: without the consent, without a session, with one that is none.

use std::{fs, os::unix::fs::PermissionsExt as _};

use followlytics_tests::toolkit::{Home, X_TOKEN, finish};

use crate::stage::{CONSENT, READER, Stage, session, site};

#[test]
fn without_the_consent_the_risk_is_named_and_nobody_is_asked() {
    let site = site(100, 0);
    let home = Home::new(&site);
    let stored = home.run_with(
        "credential add me --platform x --type web-session",
        &session("abc", READER).to_string(),
    );
    assert_eq!(stored.code, 0, "{stored:?}");
    home.run("scan x:@nasa --source browser --session me").refused(
        5,
        &["rules forbid it", "suspend the account", "--browser", CONSENT],
    );
    // What is refused leaves nothing behind.
    home.run("why x-nasa").refused(2, &["x-nasa", "not found"]);
    assert_eq!(site.requests(), 0);
}

#[test]
fn a_consent_that_names_no_risk_is_none() {
    let site = site(100, 0);
    for wrong in ["x", "x=yes", "x=true"] {
        let home = Home::new(&site).with("FOLLOWLYTICS_BROWSER", wrong);
        home.run("scan x:@nasa --source browser --session me")
            .refused(2, &["FOLLOWLYTICS_BROWSER", "may suspend the account", CONSENT]);
    }
    let home = Home::new(&site);
    home.run("up --browser bluesky=yes")
        .refused(2, &["--browser", "bluesky", "no browser lists followers"]);
    assert_eq!(site.requests(), 0);
}

#[test]
fn a_browser_needs_a_session_that_is_one() {
    let stage = Stage::new(100, 0);
    stage
        .home
        .run("scan x:@nasa --source browser")
        .refused(5, &["spec.sessionRef", "credential add", "web-session"]);
    stage
        .home
        .run("scan x:@nasa --source browser --session me --name other")
        .refused(5, &["spec.sessionRef.name", "\"me\""]);
    let stored = stage
        .home
        .run_with("credential add app --platform x --type app-bearer", X_TOKEN);
    assert_eq!(stored.code, 0, "{stored:?}");
    stage
        .home
        .run("scan x:@nasa --source browser --session app --name third")
        .refused(2, &["spec.sessionRef.name", "\"app\"", "WebSession"]);
    stage
        .home
        .run("scan bluesky:alice.bsky.social --source browser --session app")
        .refused(2, &["spec.source", "bluesky"]);
    assert_eq!(stage.site.requests(), 0);
}

#[test]
fn a_malformed_session_is_refused_by_its_field_and_never_repeated() {
    let stage = Stage::new(100, 0);
    for (text, parts) in [
        ("s3cret", ["must be JSON", "authToken"]),
        (r#"{"ct0":"s3cret"}"#, ["authToken is missing", "auth_token"]),
        (
            r#"{"authToken":"s3cret"}"#,
            ["ct0 is missing", "signed-in browser"],
        ),
        (
            r#"{"authToken":"s3cret; x","ct0":"s3cret"}"#,
            ["authToken is not", "auth_token"],
        ),
        (
            r#"{"authToken":"s3cret","ct0":"s3cret","handle":"s3cret !"}"#,
            ["handle", "15 letters"],
        ),
        (
            r#"{"authToken":"s3cret","ct0":"s3cret","password":"s3cret"}"#,
            ["must be JSON", "ct0"],
        ),
    ] {
        let ran = stage
            .home
            .run_with("credential add me --platform x --type web-session", text);
        ran.refused(2, &parts);
        assert!(!ran.err.contains("s3cret"), "{ran:?}");
    }
    stage
        .home
        .run_with("credential add me --platform gitea --type web-session", "{}")
        .refused(2, &["gitea", "--type"]);
    assert_eq!(
        stage.home.run("get credentials -o name").out,
        "",
        "nothing is stored"
    );
}

#[test]
fn a_chromium_that_cannot_be_used_is_quoted_and_the_scan_waits() {
    let crashes = "case \"$1\" in --version) echo 'Chromium 150.0.1.2';; *) echo 'No usable sandbox!' >&2; exit 1;; esac";
    for (script, parts) in [
        (
            "echo 'Chromium 99.0.4844.51'",
            ["version 99", "update the package `chromium`"],
        ),
        (crashes, ["ended at once", "No usable sandbox!"]),
    ] {
        let stage = Stage::signed_in(100, 0);
        let program = stage.home.write("chromium", &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let home = stage
            .home
            .with("FOLLOWLYTICS_CHROMIUM", &program.display().to_string());
        home.run("scan x:@nasa --source browser --session me")
            .refused(5, &parts);
        assert!(home.run("why x-nasa").out.contains("BrowserMissing"));
        assert_eq!(stage.site.requests(), 0);
    }
}

#[test]
fn without_space_for_a_profile_the_scan_waits() {
    let stage = Stage::signed_in(100, 0);
    let scan = stage
        .home
        .command("scan x:@nasa --source browser --session me".split_whitespace());
    let mut small = stage.home.command_of("unshare");
    let namespace = if rustix::process::geteuid().is_root() {
        "-m"
    } else {
        "-Urm"
    };
    let mount = r#"mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@""#;
    small
        .args([namespace, "sh", "-c", mount, "sh"])
        .arg(scan.get_program())
        .args(scan.get_args())
        .envs(scan.get_envs().filter_map(|(name, value)| Some((name, value?))));
    finish(small.spawn().unwrap(), "scan on a small tmpfs")
        .refused(5, &["/dev/shm", "48 are needed", "larger tmpfs"]);
    assert!(stage.home.run("why x-nasa").out.contains("BrowserMissing"));
    assert_eq!(stage.site.requests(), 0);
}

#[test]
fn without_chromium_the_scan_waits_and_says_what_to_install() {
    let stage = Stage::signed_in(100, 0);
    let home = stage.home.with("FOLLOWLYTICS_CHROMIUM", "/nonexistent/chromium");
    home.run("scan x:@nasa --source browser --session me").refused(
        5,
        &[
            "FOLLOWLYTICS_CHROMIUM names /nonexistent/chromium",
            "package `chromium`",
        ],
    );
    let why = home.run("why x-nasa");
    assert!(
        why.out.contains("BrowserMissing") && why.out.contains("package chromium"),
        "{why:?}"
    );
    let doctor = home.run("doctor");
    assert_eq!(doctor.code, 5, "{doctor:?}");
    assert!(
        doctor
            .out
            .lines()
            .any(|line| line.starts_with("bad") && line.contains("Chromium") && line.contains("`chromium`")),
        "{doctor:?}"
    );
    assert_eq!(stage.site.requests(), 0);
}
