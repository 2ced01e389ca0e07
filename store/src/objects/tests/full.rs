//! A disk that is full, in a process of its own: this test binary again, under a limit or on a small disk.

use std::{env, path::PathBuf, process::Command};

use super::super::{Created, Objects, ObjectsError};

/// Where the child writes; unset in the test run itself.
const ROOT: &str = "FOLLOWLYTICS_FULL_DISK";
const CHILD: &str = "objects::tests::full::a_write_that_does_not_fit_leaves_nothing";

/// What the child does: a small object, one that does not fit, the small one again.
#[tokio::test]
async fn a_write_that_does_not_fit_leaves_nothing() {
    let own = tempfile::tempdir().unwrap();
    let limited = env::var_os(ROOT).map(PathBuf::from);
    let objects = Objects::files(limited.as_deref().unwrap_or(own.path())).unwrap();
    assert_eq!(objects.create("pages/small", "x").await.unwrap(), Created::New);
    let large = objects.create("pages/large", vec![7_u8; 4 << 20]).await;
    if limited.is_none() {
        assert_eq!(large.unwrap(), Created::New, "there is no limit here");
        return;
    }
    let error = large.unwrap_err();
    assert!(matches!(error, ObjectsError::Full { .. }), "{error:?}");
    assert!(
        error.is_transient() && error.to_string().contains("the disk is full ("),
        "{error}"
    );
    assert_eq!(objects.list("pages/").await.unwrap(), ["pages/small"]);
    assert_eq!(objects.create("pages/later", "y").await.unwrap(), Created::New);
    assert_eq!(objects.get("pages/small").await.unwrap(), "x");
}

/// Runs the child through this shell script, whose `$1` is where it writes and `$2`, `$3` the child.
fn run(program: &str, arguments: &[&str], script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(program)
        .args(arguments)
        .args(["sh", "-c", script, "full"])
        .arg(folder.path())
        .arg(env::current_exe().unwrap())
        .arg(CHILD)
        .env(ROOT, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let error = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}{error}"
    );
}

#[test]
fn a_file_over_the_limit_is_a_full_disk() {
    // 1 MiB in blocks of 512 bytes; without the signal the write itself fails.
    run(
        "env",
        &[],
        "trap '' XFSZ; ulimit -f 2048; exec \"$2\" --exact \"$3\"",
    );
}

#[test]
fn a_small_disk_fills_up_and_nothing_half_written_is_seen() {
    // A mount of its own takes root, or a kernel that lets users have one.
    let flags = if rustix::process::geteuid().is_root() {
        "-m"
    } else {
        "-Urm"
    };
    run(
        "unshare",
        &[flags],
        "mount -t tmpfs -o size=2m tmpfs \"$1\" || exit 99; exec \"$2\" --exact \"$3\"",
    );
}
