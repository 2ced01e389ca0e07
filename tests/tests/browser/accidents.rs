//! One scan to which everything happens: a renderer, the browser and the runner are killed, and it is paused.

use std::{path::Path, time::Duration};

use followlytics_tests::toolkit::{Process, eventually, pause};
use rustix::process::{Pid, Signal, kill_process};

use crate::stage::{Stage, WHO, argument, below, browser};

/// Longest that anything of a killed runner may run on.
const GONE: Duration = Duration::from_secs(2);
const NAME: &str = "x-nasa";

fn kill(process: &Process) {
    kill_process(Pid::from_raw(process.pid).unwrap(), Signal::KILL).unwrap();
}

/// Waits until so many rows are in.
fn rows(stage: &Stage, least: i64) {
    eventually(&format!("{least} rows are in"), || stage.rows() >= least);
}

/// The part of Chromium below `up` that this is: `renderer`, or nothing for the main one.
fn part(up: i32, kind: Option<&str>) -> Process {
    let mut found = None;
    eventually(&format!("there is a {kind:?} of Chromium"), || {
        found = below(up).into_iter().find(|process| {
            let is_chromium = process
                .words
                .first()
                .is_some_and(|program| program.ends_with("/chromium"));
            (is_chromium || kind.is_some()) && argument(process, "--type=") == kind
        });
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_scan_survives_every_death_and_a_pause_and_leaves_nothing_running() {
    const ALL: i64 = 2_400;
    // A hundred and twenty pages, four at a time: time enough for an accident now and then.
    let stage = Stage::signed_in(ALL.unsigned_abs(), 150);
    let up = stage.home.up("");
    let line = format!(
        "scan x:@{WHO} --source browser --session me --runners 1 --followers-per-range 600 -q --detach"
    );
    let ran = stage.home.run(&line);
    assert_eq!(ran.code, 0, "{ran:?}");

    rows(&stage, 100);
    kill(&part(up.pid(), Some("renderer")));
    rows(&stage, 500);
    kill(&part(up.pid(), None));
    rows(&stage, 900);

    let ran = stage.home.run(&format!("pause {NAME}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let left: Vec<Process> = below(up.pid())
        .into_iter()
        .filter(|process| process.words.iter().any(|word| word.contains("chrom")))
        .collect();
    assert!(left.is_empty(), "paused means that nothing runs: {left:?}");
    assert!(stage.rows() < ALL, "it was paused in mid-scan");
    let ran = stage.home.run(&format!("resume {NAME}"));
    assert_eq!(ran.code, 0, "{ran:?}");

    rows(&stage, 1_300);
    let main = part(up.pid(), None);
    let profile = argument(&main, "--user-data-dir=").unwrap();
    let all = below(up.pid());
    let runner = all
        .iter()
        .find(|process| process.role() == Some("run-scan"))
        .unwrap();
    let mut family = below(runner.pid);
    assert!(family.len() > 4, "a browser and its parts: {family:?}");
    family.extend(browser(profile));
    kill(runner);
    let mut waited = Duration::ZERO;
    while let Some(left) = family.iter().find_map(|process| Process::of(process.pid)) {
        assert!(waited < GONE, "still there: {left:?}");
        pause(Duration::from_millis(20));
        waited += Duration::from_millis(20);
    }
    eventually("its cookies are gone", || !Path::new(profile).exists());

    let seen = stage.home.wait_for(NAME, "Succeeded");
    assert_eq!(seen["status"]["result"]["rows"], ALL, "{seen}");
    assert_eq!(
        seen["status"]["result"]["certificate"]["unexplained"], 0,
        "{seen}"
    );
    eventually("no browser is left", || {
        below(up.pid())
            .iter()
            .all(|process| process.role() == Some("worker"))
    });
    assert_eq!(up.stop(), 0);
}
