//! One scan to which everything happens: a renderer, the browser and the runner are killed, and it is paused.

use std::{path::Path, time::Duration};

use followlytics_tests::toolkit::{Process, eventually, families, pause};
use rustix::process::{Pid, Signal, kill_process};

use crate::stage::{Stage, WHO, browsers};

/// Longest that anything of a killed runner may run on.
const GONE: Duration = Duration::from_secs(2);
const NAME: &str = "x-nasa";

fn kill(process: &Process) {
    kill_process(Pid::from_raw(process.pid).unwrap(), Signal::KILL).unwrap();
}

/// Waits until so many rows are in.
fn rows(stage: &Stage, least: i64) {
    eventually(&format!("{least} rows are in"), || {
        let scanned = stage.home.get("scans", NAME)["status"]["progress"]["scanned"].as_i64();
        scanned.unwrap_or(0) >= least
    });
}

/// The first process of the browser that answers this.
fn browser(up: i32, is_it: impl Fn(&Process) -> bool) -> Process {
    let mut found = None;
    eventually("there is such a process", || {
        found = browsers(&[up]).into_iter().find(&is_it);
        found.is_some()
    });
    found.unwrap()
}

/// What follows `name` in its arguments. Chromium writes those of its parts anew, with blanks between them.
fn argument<'a>(process: &'a Process, name: &str) -> Option<&'a str> {
    let mut words = process.words.iter().flat_map(|word| word.split_whitespace());
    words.find_map(|word| word.strip_prefix(name))
}

fn kind(process: &Process) -> Option<&str> {
    argument(process, "--type=")
}

#[test]
fn a_scan_survives_every_death_and_a_pause_and_leaves_nothing_running() {
    const ALL: i64 = 1_600;
    // Eighty pages, four at a time: time enough for an accident now and then.
    let stage = Stage::signed_in(ALL.unsigned_abs(), 150);
    let up = stage.home.up("");
    let line = format!(
        "scan x:@{WHO} --source browser --session me --runners 1 --followers-per-range 400 -q --detach"
    );
    let ran = stage.home.run(&line);
    assert_eq!(ran.code, 0, "{ran:?}");

    rows(&stage, 100);
    kill(&browser(up.pid(), |process| kind(process) == Some("renderer")));
    rows(&stage, 400);
    kill(&browser(up.pid(), |process| kind(process).is_none()));
    rows(&stage, 700);

    let ran = stage.home.run(&format!("pause {NAME}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(browsers(&[up.pid()]).is_empty(), "paused means that nothing runs");
    let ran = stage.home.run(&format!("resume {NAME}"));
    assert_eq!(ran.code, 0, "{ran:?}");

    rows(&stage, 1_000);
    let main = browser(up.pid(), |process| kind(process).is_none());
    let all = families(&[up.pid()]).unwrap();
    let runner = all
        .iter()
        .find(|process| process.role() == Some("run-scan"))
        .unwrap();
    let family = families(&[runner.pid]).unwrap();
    assert!(family.len() > 4, "a browser and its parts: {family:?}");
    kill(runner);
    let mut waited = Duration::ZERO;
    while let Some(left) = family.iter().find_map(|process| Process::of(process.pid)) {
        assert!(waited < GONE, "still there: {left:?}");
        pause(Duration::from_millis(20));
        waited += Duration::from_millis(20);
    }
    let profile = Path::new(argument(&main, "--user-data-dir=").unwrap());
    eventually("its cookies are gone", || !profile.exists());

    let seen = stage.home.wait_for(NAME, "Succeeded");
    assert_eq!(seen["status"]["result"]["rows"], ALL, "{seen}");
    assert_eq!(
        seen["status"]["result"]["certificate"]["guarantee"], "Exact",
        "{seen}"
    );
    eventually("no browser is left", || browsers(&[up.pid()]).is_empty());
    assert_eq!(up.stop(), 0);
}
