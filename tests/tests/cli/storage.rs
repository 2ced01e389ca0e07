//! Storage that fails: a full disk, long paths, directories nobody may write to.

mod outages;
mod remote;

use std::process::{Command, Stdio};

use followlytics_tests::toolkit::{Home, Site, X_TOKEN, bluesky, finish, program, x};

#[test]
fn attached_scan_waits_while_the_disk_is_full_and_resumes_once_there_is_space() {
    let site = Site::slow(0, [x("nasa", 20_000)]);
    let home = Home::new(&site);
    let disk = home.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    // A small disk needs a mount of its own, in a namespace that ends with the shell.
    let can = Command::new("unshare")
        .args(["-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs \"$0\""])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !can.is_ok_and(|status| status.success()) {
        let missing = "mounting a small disk takes root and `unshare`";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        println!("not run: {missing}");
        return;
    }
    let script = r#"
        mount -t tmpfs -o size=2m tmpfs "$1" || exit 99
        "$0" --data "$1" scan x:@nasa --budget 210 -o json 2>"$1.err" & scan=$!
        shown() { grep -q "waits (StorageUnavailable: .*: no space left)" "$1.err"; }
        for i in $(seq 300); do shown "$1" && break; sleep .1; done
        # Longer than a consent and any lease last.
        sleep 20
        mount -o remount,size=200m "$1" || exit 99
        wait $scan; code=$?
        cat "$1.err" >&2
        exit $code
    "#;
    let mut command = home.command_of("unshare");
    command.args(["-m", "sh", "-c", script]).arg(program()).arg(&disk);
    command
        .env("FOLLOWLYTICS_X_URL", &site.url)
        .env("FOLLOWLYTICS_X_TOKEN", X_TOKEN)
        .env_remove("FOLLOWLYTICS_DATA");
    let ran = finish(command.spawn().unwrap(), "scan on a full disk");
    assert_eq!(ran.code, 0, "{ran:?}");
    let brief = "waits (StorageUnavailable: ";
    let shown = ran
        .err
        .lines()
        .any(|line| line.contains(brief) && line.contains(": no space left)"));
    assert!(shown, "{ran:?}");
    let report = ran.json();
    assert_eq!(report["uniqueFollowers"], 20_000, "{report}");
    // No page that was paid for is thrown away: a request for another one would not fit the budget.
    assert_eq!(
        (&report["costUsd"], site.requests()),
        (&"200.01".into(), 21),
        "{report}"
    );
}

#[test]
fn a_data_directory_may_have_a_longer_path_than_a_socket() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 250)]);
    let home = Home::new(&site);
    let long = home
        .path()
        .join("a-directory-with-a-rather-long-name")
        .join("x".repeat(100));
    let ran = home.run(&format!(
        "--data {} scan bluesky:alice.bsky.social -q -o json",
        long.display()
    ));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["uniqueFollowers"], 250);
}

#[test]
fn a_data_directory_that_is_none_is_named() {
    let site = Site::slow(0, []);
    let home = Home::new(&site);
    let file = home.write("file", "");
    home.run(&format!("--data {}/sub get scans", file.display()))
        .refused(2, &["data directory", "--data DIR"]);
}

#[test]
fn a_ledger_of_a_newer_release_is_left_alone() {
    let site = Site::slow(0, []);
    let home = Home::new(&site);
    assert_eq!(home.run("get scans").code, 0);
    let ledger = || rusqlite::Connection::open(home.data().join("ledger.db")).unwrap();
    ledger().pragma_update(None, "user_version", 99).unwrap();
    for command in ["get scans", "up", "scan bluesky:alice.bsky.social"] {
        home.run(command)
            .refused(7, &["version 99", "use the newer `followlytics`"]);
    }
    let left: i64 = ledger()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(left, 99);
}

#[test]
fn a_file_that_is_no_ledger_is_left_alone() {
    let site = Site::slow(0, []);
    let home = Home::new(&site);
    std::fs::create_dir(home.data()).unwrap();
    std::fs::write(
        home.data().join("ledger.db"),
        b"this is no database, and it is long enough to be read as one\n",
    )
    .unwrap();
    let ran = home.run("get scans");
    ran.refused(7, &["database"]);
    assert!(
        std::fs::read(home.data().join("ledger.db"))
            .unwrap()
            .starts_with(b"this is no database")
    );
}
