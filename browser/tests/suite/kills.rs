//! Whatever dies, nothing is left running, and the next call works.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use followlytics_core::{
    retry::Class,
    scan::range::{NEWEST, Place},
};
use followlytics_simulator::{Endpoint, FaultKind};
use serde_json::json;

use crate::bench::{Bench, ids, profiles, until};

/// How long anything may take to be gone.
const GONE: Duration = Duration::from_secs(2);
/// Names the role of a test that starts itself a second time.
const ROLE: &str = "FOLLOWLYTICS_TEST_CHILD";

/// Processes whose arguments name this path; zombies have none.
fn processes(path: &Path) -> Vec<(u32, String)> {
    let needle = path.display().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let lines = pids.filter_map(|pid| Some((pid, fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?)));
    lines.filter(|(_, line)| line.contains(&needle)).collect()
}

/// Living processes of a group, whatever their arguments.
fn members(group: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let words: Vec<&str> = stat
            .rsplit_once(')')
            .map_or(vec![], |(_, rest)| rest.split_whitespace().collect());
        words.first().is_some_and(|state| *state != "Z") && words.get(2) == Some(&group.to_string().as_str())
    })
    .collect()
}

fn kill(pid: u32) {
    signal(pid, "-9");
}

fn signal(pid: u32, which: &str) {
    let done = Command::new("kill")
        .args([which, &pid.to_string()])
        .status()
        .unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_leaves_no_process_and_no_profile_within_two_seconds() {
    let bench = Bench::new(json!({}), 100).await;
    bench.page(&Place::at(NEWEST)).await.unwrap();
    let group = bench.webx.pid().await.unwrap();
    assert!(members(group).len() > 3 && profiles(bench.root.path()).len() == 1);
    tokio::time::timeout(GONE, bench.webx.close())
        .await
        .expect("closed in time");
    assert!(members(group).is_empty() && processes(bench.root.path()).is_empty());
    assert!(profiles(bench.root.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_leaves_no_process_and_no_profile() {
    let bench = Bench::new(json!({}), 100).await;
    bench.page(&Place::at(NEWEST)).await.unwrap();
    let group = bench.webx.pid().await.unwrap();
    let webx = bench.webx.clone();
    let root = bench.root.path().to_owned();
    // The directory stays to be looked at.
    let mut bench = bench;
    bench.webx = followlytics_browser::WebX::new(followlytics_browser::Options::default());
    drop(webx);
    until("everything is gone", GONE, || {
        members(group).is_empty() && processes(&root).is_empty() && profiles(&root).is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_browser_fails_its_call_and_the_next_starts_another() {
    let bench = Bench::new(json!({}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let place = first.next.clone().unwrap();
    let group = bench.webx.pid().await.unwrap();
    bench.set(
        Endpoint::WebFollowers,
        FaultKind::ExtraLatency { milliseconds: 4_000 },
    );
    let (page, ()) = tokio::join!(bench.page(&place), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        kill(group);
    });
    let failure = page.unwrap_err();
    assert_eq!(failure.class, Class::BrowserCrashed, "{}", failure.message);
    until("its processes are gone", GONE, || members(group).is_empty()).await;
    let mut pages = bench.walk(place, 0).await;
    pages.push(first);
    assert_eq!(ids(&pages), bench.truth());
    assert_ne!(bench.webx.pid().await.unwrap(), group);
    assert_eq!(profiles(bench.root.path()).len(), 1, "the old profile is gone");
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_hangs_costs_one_call_and_is_replaced() {
    let bench = Bench::new(json!({}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let (place, group) = (first.next.clone().unwrap(), bench.webx.pid().await.unwrap());
    signal(group, "-STOP");
    let failure = bench.page(&place).await.unwrap_err();
    let is_lost = matches!(failure.class, Class::BrowserCrashed | Class::PageStuck);
    assert!(is_lost, "{failure:?}");
    let second = bench.page(&place).await.unwrap();
    assert_eq!(second.returned, 20);
    assert_ne!(bench.webx.pid().await.unwrap(), group);
    until("its processes are gone", GONE, || members(group).is_empty()).await;
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_killed_between_calls_is_not_missed() {
    let bench = Bench::new(json!({}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let group = bench.webx.pid().await.unwrap();
    kill(group);
    until("its processes are gone", GONE, || members(group).is_empty()).await;
    let second = bench.page(&first.next.unwrap()).await.unwrap();
    assert_eq!(second.returned, 20);
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_renderer_costs_one_call_and_not_the_browser() {
    let bench = Bench::new(json!({}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let place = first.next.clone().unwrap();
    let group = bench.webx.pid().await.unwrap();
    let renderers: Vec<u32> = members(group)
        .into_iter()
        .filter(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("--type=renderer")
        })
        .collect();
    assert!(!renderers.is_empty());
    for renderer in renderers {
        kill(renderer);
    }
    let failure = bench.page(&place).await.unwrap_err();
    assert_eq!(failure.class, Class::BrowserCrashed, "{}", failure.message);
    let mut pages = bench.walk(place, 0).await;
    pages.push(first);
    assert_eq!(ids(&pages), bench.truth());
    assert_eq!(bench.webx.pid().await, Some(group), "the browser itself lives on");
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_runner_that_is_killed() {
    if let Ok(root) = env::var(ROLE) {
        return play_runner(Path::new(&root)).await;
    }
    let root = crate::bench::root();
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "kills::nothing_outlives_a_runner_that_is_killed",
            "--nocapture",
        ])
        .env(ROLE, root.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let group: u32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("group ")?.1.trim().parse().ok())
        .unwrap();
    assert!(members(group).len() > 3);
    kill(child.id());
    child.wait().unwrap();
    until("its browser is gone", GONE, || {
        members(group).is_empty() && processes(root.path()).is_empty()
    })
    .await;
    // It could not delete its profile any more; whoever comes next does.
    assert_eq!(profiles(root.path()).len(), 1);
    followlytics_browser::sweep(Some(&root.path().join("profiles"))).unwrap();
    assert!(profiles(root.path()).is_empty());
}

/// A runner in the middle of its work, until it is killed.
async fn play_runner(root: &Path) {
    let options = crate::bench::options(root);
    let bench = Bench::with(json!({}), 300, |_| options).await;
    bench.page(&Place::at(NEWEST)).await.unwrap();
    println!("group {}", bench.webx.pid().await.unwrap());
    std::future::pending::<()>().await;
}
