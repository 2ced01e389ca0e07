//! Consent to spend: what an attached command pays for ends with the command, however it ends.

use std::{process::Child, time::Duration};

use followlytics_simulator::{Endpoint, Platform};
use followlytics_tests::toolkit::{
    Ends, Home, Ran, Site, X_TOKEN, bluesky, eventually, finish, pause, signal, through, x,
};
use serde_json::Value;

const NASA: &str = "scan x:@nasa --budget 130";
const OTHER: &str = "bluesky:other.bsky.social";

/// Ten thousand followers at a cent, ten pages of half a second.
fn site() -> Site {
    Site::slow(
        500,
        [
            x("nasa", 10_000),
            bluesky("other.bsky.social", 30),
            bluesky("third.bsky.social", 30),
        ],
    )
}

fn home(site: &Site) -> Home {
    Home::new(site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN)
}

/// Followers that X returned, each of which it charged for.
fn charged(site: &Site) -> usize {
    let requests = site.world.requests(0, usize::MAX);
    let of_x = requests
        .iter()
        .filter(|r| r.platform == Platform::X && r.endpoint == Endpoint::Followers);
    of_x.map(|r| r.rows.len()).sum()
}

/// Starts the program so that it hears of a closed terminal: tests that nohup started would have it ignored.
fn start(home: &Home, line: &str) -> Child {
    let plain = home.command(line.split_whitespace());
    through(&["env", "--default-signal=HUP"], &plain).spawn().unwrap()
}

/// It waits for a consent; Suspended is true once no request can be in flight.
fn interrupted(home: &Home) -> Value {
    let scan = home.get("scans", "x-nasa");
    assert_eq!(scan["status"]["waitingOn"]["reason"], "Interrupted", "{scan}");
    scan
}

fn suspended(home: &Home) -> Value {
    let mut scan = interrupted(home);
    // The outcome of a killed runner's request is awaited for up to 55 seconds.
    for _ in 0..600 {
        if scan["status"]["phase"] == "Suspended" {
            break;
        }
        pause(Duration::from_millis(100));
        scan = interrupted(home);
    }
    let status = &scan["status"];
    assert_eq!(
        (&status["phase"], &status["waitingOn"]["reason"]),
        (&"Suspended".into(), &"Interrupted".into()),
        "{scan}"
    );
    let conditions = status["conditions"].as_array().unwrap();
    let suspended = conditions.iter().find(|c| c["type"] == "Suspended").unwrap();
    assert_eq!(
        (&suspended["status"], &suspended["reason"]),
        (&"True".into(), &"Interrupted".into()),
        "{scan}"
    );
    scan
}

/// Ends an attached scan in the middle as `end` does, tempts others to go on with it, and goes on with it.
fn spends_nothing_unasked(end: impl FnOnce(Child) -> Option<Ran>) {
    let site = site();
    let home = home(&site);
    let command = start(&home, NASA);
    eventually("three pages are paid for", || charged(&site) >= 3000);
    let ran = end(command);
    if let Some(ran) = &ran {
        assert_eq!(ran.code, 130, "{ran:?}");
        assert!(
            ran.err.contains("the same command goes on with scan x-nasa"),
            "{ran:?}"
        );
    }
    // What was in flight may still have arrived.
    pause(Duration::from_millis(700));
    let paid = charged(&site);
    assert!(paid < 9000, "it was ended too late to prove anything: {paid}");
    let why = home.run("why x-nasa").out;
    assert!(
        why.contains("Interrupted") && why.contains("`followlytics scan x:@nasa`"),
        "{why}"
    );
    // Another command brings a control plane of its own, and then `up` works on every scan.
    assert_eq!(home.run(&format!("scan {OTHER} -q -o name")).code, 0);
    interrupted(&home);
    let up = home.up("");
    assert_eq!(home.run("scan bluesky:third.bsky.social -q -o name").code, 0);
    suspended(&home);
    assert_eq!(charged(&site), paid, "nobody asked for more");
    assert_eq!(up.stop(), 0);
    let why = home.run("why x-nasa").out;
    assert!(why.contains("`followlytics scan x:@nasa`"), "{why}");
    let events = home.run("get events -o json").json();
    let events = events["items"].as_array().unwrap().clone();
    let told = events
        .iter()
        .find(|e| e["reason"] == "Suspended" && e["involvedObject"]["name"] == "x-nasa");
    assert!(
        told.is_some_and(|e| e["message"]
            .as_str()
            .unwrap()
            .contains("`followlytics scan x:@nasa`")),
        "{events:?}"
    );

    let report = home.run("scan x:@nasa -q -o json").json();
    assert_eq!(
        (&report["uniqueFollowers"], &report["costUsd"]),
        (&10_000.into(), &"100.01".into()),
        "{report}"
    );
    assert!(
        charged(&site) <= 11_000,
        "at most the page in flight was paid twice"
    );
}

#[test]
fn ctrl_c_ends_the_spending_and_the_same_command_resumes_it() {
    spends_nothing_unasked(|command| {
        signal(&command, "INT");
        Some(finish(command, "scan"))
    });
}

#[test]
fn a_closed_terminal_ends_the_spending_and_the_same_command_resumes_it() {
    spends_nothing_unasked(|command| {
        signal(&command, "HUP");
        Some(finish(command, "scan"))
    });
}

#[test]
fn a_killed_command_ends_the_spending_and_the_same_command_resumes_it() {
    spends_nothing_unasked(|mut command| {
        command.kill().unwrap();
        command.wait().unwrap();
        None
    });
}

#[test]
fn a_frozen_command_pays_for_nothing_and_goes_on_when_it_does() {
    let site = site();
    let home = home(&site);
    let command = start(&home, &format!("{NASA} -q -o json"));
    eventually("two pages are paid for", || charged(&site) >= 2000);
    signal(&command, "STOP");
    pause(Duration::from_millis(1500));
    let paid = charged(&site);
    // Beyond the lease of its consent.
    pause(Duration::from_secs(16));
    assert_eq!(charged(&site), paid);
    signal(&command, "CONT");
    let ran = finish(command, "scan");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&ran.json()["uniqueFollowers"], &ran.json()["costUsd"]),
        (&10_000.into(), &"100.01".into()),
        "{ran:?}"
    );
}

#[test]
fn of_two_commands_on_one_scan_the_second_goes_on_when_the_first_is_interrupted() {
    let site = site();
    let home = home(&site);
    let first = start(&home, NASA);
    eventually("a page is paid for", || charged(&site) >= 1000);
    let second = start(&home, &format!("{NASA} -o json"));
    eventually("two more are", || charged(&site) >= 3000);
    signal(&first, "INT");
    let first = finish(first, "scan");
    assert_eq!(first.code, 130, "{first:?}");
    let second = finish(second, "scan");
    assert_eq!(second.code, 0, "{second:?}");
    assert_eq!(
        (&second.json()["uniqueFollowers"], &second.json()["costUsd"]),
        (&10_000.into(), &"100.01".into()),
        "{second:?}"
    );
    assert_eq!(home.run("get scans -o name").out.lines().count(), 1);
}

#[test]
fn a_commands_own_control_plane_works_on_its_own_scan_alone() {
    let site = site();
    let home = home(&site);
    for (name, account) in [
        ("paid", "{platform: x, handle: nasa}"),
        ("free", "{platform: bluesky, handle: third.bsky.social}"),
    ] {
        home.apply(&format!(
            "{{apiVersion: followlytics.io/v1alpha1, kind: Scan, metadata: {{name: {name}}}, spec: {{account: {account}, \
             budget: {{maxUsd: '130'}}}}}}\n"
        ));
    }
    let report = home.run(&format!("scan {OTHER} -q -o json")).json();
    assert_eq!(report["uniqueFollowers"], 30);
    assert_eq!(charged(&site), 0);
    let requests = site.world.requests(0, usize::MAX);
    assert!(
        requests.iter().all(|r| r.platform == Platform::Bluesky),
        "nothing was asked of X"
    );
    for name in ["paid", "free"] {
        assert_eq!(home.get("scans", name)["status"]["progress"], Value::Null);
    }
    // An applied scan consents by its budget: `up` works on it.
    let up = home.up("");
    let done = home.wait_for("paid", "Succeeded");
    assert_eq!(done["status"]["cost"]["spentUsd"], "100.01");
    home.wait_for("free", "Succeeded");
    assert_eq!(up.stop(), 0);
}

#[test]
fn beside_up_ctrl_c_says_that_the_scan_continues_and_how_to_pause_it() {
    let site = site();
    let home = home(&site);
    let up = home.up("");
    let command = start(&home, NASA);
    eventually("a page is paid for", || charged(&site) >= 1000);
    signal(&command, "INT");
    let ran = finish(command, "scan");
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(
        ran.err
            .contains("scan x-nasa continues in the running control plane")
            && ran.err.contains("`followlytics pause x-nasa`"),
        "{ran:?}"
    );
    let then = charged(&site);
    eventually("it continues", || charged(&site) >= then + 2000);
    assert_eq!(home.run("pause x-nasa").code, 0);
    let paused = home.get("scans", "x-nasa");
    assert_eq!(paused["status"]["waitingOn"]["reason"], "Requested", "{paused}");
    assert_eq!(up.stop(), 0);
}

#[test]
fn an_interrupted_scan_that_is_resumed_or_detached_is_paid_by_its_budget() {
    for by_budget in ["resume x-nasa", "scan x:@nasa --detach"] {
        let site = site();
        let home = home(&site);
        let command = start(&home, NASA);
        eventually("a page is paid for", || charged(&site) >= 1000);
        signal(&command, "INT");
        assert_eq!(finish(command, "scan").code, 130);
        let up = home.up("");
        suspended(&home);
        assert_eq!(home.run(by_budget).code, 0);
        let done = home.wait_for("x-nasa", "Succeeded");
        assert_eq!(done["status"]["cost"]["spentUsd"], "100.01", "{by_budget}");
        assert_eq!(up.stop(), 0);
    }
}

#[test]
fn budget_that_a_command_gives_an_applied_scan_ends_with_the_command() {
    let site = site();
    let home = home(&site);
    home.apply(
        "{apiVersion: followlytics.io/v1alpha1, kind: Scan, metadata: {name: x-nasa}, spec: {account: {platform: x, \
         handle: nasa}}}\n",
    );
    let up = home.up("");
    eventually("$1 is too little", || {
        home.get("scans", "x-nasa")["status"]["waitingOn"]["reason"] == "BudgetTooSmall"
    });
    assert_eq!(up.stop(), 0);
    let mut command = start(&home, NASA);
    eventually("three pages are paid for", || charged(&site) >= 3000);
    command.kill().unwrap();
    command.wait().unwrap();
    pause(Duration::from_millis(700));
    let paid = charged(&site);
    let up = home.up("");
    eventually("it waits for a consent", || {
        home.get("scans", "x-nasa")["status"]["waitingOn"]["reason"] == "Interrupted"
    });
    suspended(&home);
    assert_eq!(charged(&site), paid, "`apply` consented to $1");
    assert_eq!(up.stop(), 0);
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let site = site();
    let home = home(&site);
    home.run("scan x:@nasa --budget 130 --detach")
        .refused(2, &["`followlytics up`", "--detach"]);
    assert_eq!(site.requests(), 0);
    home.run("scan x:@nasa").refused(3, &["--budget 100.01"]);
    home.run(&format!("scan {OTHER} --since 7"))
        .refused(2, &["since"]);
    assert_eq!(home.run("get scans -o name").out, "");
    let up = home.up("");
    home.run("scan x:@nasa").refused(3, &["--budget 100.01"]);
    assert_eq!(home.run("get scans -o name").out, "");
    // Neither does what a detached command learns of only afterwards.
    home.apply(
        "{apiVersion: followlytics.io/v1alpha1, kind: Credential, metadata: {name: g}, spec: {platform: gitea, type: \
         UserToken, secretRef: {name: g}}}\n",
    );
    let detached = "scan x:@nasa --budget 130 --credential g --detach";
    home.run(detached).refused(2, &["is for gitea"]);
    assert_eq!(home.run("get scans -o name").out, "");
    assert_eq!(up.stop(), 0);
    assert_eq!(charged(&site), 0);
}

#[test]
fn a_command_that_waits_for_its_turn_has_begun_nothing() {
    let site = site();
    let home = home(&site);
    let first = Ends(start(&home, NASA));
    eventually("a page is paid for", || charged(&site) >= 1000);
    let second = start(&home, &format!("scan {OTHER}"));
    pause(Duration::from_secs(1));
    signal(&second, "INT");
    let ran = finish(second, "scan");
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.err.contains("scan default/x-nasa alone"), "{ran:?}");
    home.run(&format!("scan {OTHER} --detach"))
        .refused(2, &["`followlytics up`"]);
    assert_eq!(home.run("get scans -o name").out.lines().count(), 1);
    drop(first);
}
