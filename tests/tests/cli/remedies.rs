//! Every command that a message tells people to type works when it is typed.

use std::collections::BTreeSet;

use followlytics_simulator::Platform;
use followlytics_tests::toolkit::{Home, Ran, Site, X_TOKEN, bluesky, eventually, finish, signal, x};

/// Commands between backticks, without the program's name.
fn commands(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|command| Some(command.strip_prefix("followlytics ")?.to_owned()))
        .collect()
}

/// Types every command that `text` names, a token at hand, and returns them. `up` is started by the caller.
fn type_all(home: &Home, text: &str) -> BTreeSet<String> {
    let all: BTreeSet<String> = commands(text).into_iter().collect();
    for command in &all {
        if command == "up" {
            continue;
        }
        let ran = home.run_with(command, X_TOKEN);
        assert_eq!(ran.code, 0, "{command:?} of {text:?}: {ran:?}");
    }
    all
}

fn names(all: &BTreeSet<String>) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

fn home(site: &Site) -> Home {
    Home::new(site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN)
}

fn interrupted(home: &Home, site: &Site, line: &str) -> Ran {
    let pages = || {
        let requests = site.world.requests(0, usize::MAX);
        let of_x = requests.iter().filter(|r| r.platform == Platform::X);
        of_x.filter(|r| r.rows.len() > 1).count()
    };
    let before = pages();
    let child = home.command(line.split_whitespace()).spawn().unwrap();
    eventually("a page is in", || pages() > before);
    signal(&child, "INT");
    let ran = finish(child, line);
    assert_eq!(ran.code, 130, "{ran:?}");
    ran
}

#[test]
fn an_interrupted_scan_names_the_commands_that_resume_it() {
    let site = Site::slow(400, [x("nasa", 5000)]);
    let home = home(&site);
    interrupted(
        &home,
        &site,
        "scan x:@nasa --max-followers 4000 --name mine --budget 45",
    );
    let why = home.run("why mine").out;
    let typed = type_all(&home, &why);
    assert_eq!(
        names(&typed),
        [
            "resume mine",
            "scan x:@nasa --name mine --max-followers 4000",
            "up"
        ],
        "{why}"
    );
    assert_eq!(home.get("scans", "mine")["status"]["result"]["rows"], 4000);
}

#[test]
fn other_arguments_are_refused_by_the_field_and_both_ways_out_work() {
    let site = Site::slow(400, [x("nasa", 5000)]);
    let home = home(&site);
    interrupted(&home, &site, "scan x:@nasa --max-followers 4000 --budget 45");
    for (line, part) in [
        ("scan x:@nasa", "maxFollowers is 4000, not 0 (all)"),
        ("scan x:@nasa --max-followers 50", "maxFollowers is 4000, not 50"),
        (
            "scan x:@nasa --max-followers 4000 --since latest",
            "since is not set, not latest",
        ),
        (
            "scan x:@nasa --max-followers 4000 --sweeps 2",
            "sweeps is 1, not 2",
        ),
        (
            "scan x:@nasa --max-followers 4000 --source api",
            "source is Auto, not Api",
        ),
        (
            "scan x:@nasa --max-followers 4000 --followers-per-range 7",
            "followersPerRange is 10000, not 7",
        ),
        (
            "scan x:@nasa --max-followers 4000 --base-url http://127.0.0.1:1",
            "base URL is http://127.0.0.1",
        ),
    ] {
        let ran = home.run(line);
        ran.refused(2, &["scan x-nasa of this account is unfinished", part]);
        let both = commands(&ran.err);
        assert_eq!(
            both,
            ["scan x:@nasa --max-followers 4000", "cancel x-nasa"],
            "{ran:?}"
        );
    }
    let other = home.run("scan x:@nasa --max-followers 50 -q -o json");
    // What is said of how, not of what, applies.
    let applied = home.run("scan x:@nasa --max-followers 4000 --runners 2 --budget 41 -q -o json");
    assert_eq!(applied.json()["uniqueFollowers"], 4000, "{applied:?}");
    let scan = home.get("scans", "x-nasa");
    assert_eq!(
        (
            &scan["spec"]["parallelism"]["maxRunners"],
            &scan["spec"]["budget"]["maxUsd"]
        ),
        (&2.into(), &"41.00".into()),
        "{scan}"
    );
    assert_eq!(other.code, 2);

    interrupted(&home, &site, "scan x:@nasa --max-followers 4000 --budget 45");
    let ran = home.run("scan x:@nasa --max-followers 50 -q -o json");
    assert_eq!(home.run(&commands(&ran.err)[1]).code, 0);
    let again = home.run("scan x:@nasa --max-followers 50 -q -o json");
    assert_eq!(again.json()["uniqueFollowers"], 50, "{again:?}");
}

#[test]
fn a_scan_over_its_budget_names_the_command_that_pays_for_it() {
    let site = Site::slow(0, [x("nasa", 1500)]);
    let home = home(&site);
    let up = home.up("");
    home.apply(
        "{apiVersion: followlytics.io/v1alpha1, kind: Scan, metadata: {name: paid}, spec: {account: {platform: x, \
         handle: nasa}}}\n",
    );
    home.wait_for("paid", "Suspended");
    let why = home.run("why paid").out;
    assert_eq!(
        names(&type_all(&home, &why)),
        ["scan x:@nasa --name paid --budget 15.01"],
        "{why}"
    );
    assert_eq!(up.stop(), 0);
}

#[test]
fn a_token_that_is_missing_or_refused_names_the_commands_that_give_another() {
    let site = Site::slow(0, [x("nasa", 40)]);
    let home = Home::new(&site);
    let missing = home.run("scan x:@nasa --credential app");
    missing.refused(5, &["there is no credential app"]);
    assert_eq!(
        names(&type_all(&home, &missing.err)),
        ["credential add app --platform x --type app-bearer"]
    );
    assert_eq!(home.run("scan x:@nasa --credential app -q -o name").code, 0);

    assert_eq!(home.run_with("credential add app", "wrong").code, 0);
    let refused = home.run("scan x:@nasa --credential app");
    assert_eq!(refused.code, 5, "{refused:?}");
    let why = home.run("why x-nasa-2").out;
    assert_eq!(
        names(&type_all(&home, &why)),
        ["credential add app", "resume x-nasa-2", "up", "why x-nasa-2"],
        "{why}"
    );
    assert_eq!(home.run("scan x:@nasa -q -o name").code, 0);
    home.run_with("credential add new", X_TOKEN)
        .refused(2, &["--platform", "--type"]);
}

#[test]
fn what_is_not_there_or_not_named_is_found_by_the_command_that_is_said() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 30)]);
    let home = home(&site);
    for (line, command) in [
        ("get scan nobody", "get scans"),
        ("get credential nobody", "get credentials"),
        ("get sandbox nobody", "get sandboxes"),
        ("describe scan nobody", "get scans"),
        ("describe scan", "get scans"),
        ("why nobody", "get scans"),
        ("pause nobody", "get scans"),
        ("delete scans", "get scans"),
        ("diff bluesky:alice.bsky.social", "get scans"),
    ] {
        let ran = home.run(line);
        assert_eq!(names(&type_all(&home, &ran.err)), [command], "{ran:?}");
    }
    home.apply(
        "{apiVersion: followlytics.io/v1alpha1, kind: Credential, metadata: {name: app}, spec: {platform: x, type: \
         AppBearer, secretRef: {name: app}}}\n",
    );
    let doctor = home.run("doctor").out;
    assert!(
        type_all(&home, &doctor).contains("credential add app"),
        "{doctor}"
    );
    assert_eq!(home.run("doctor").code, 0);
}

#[test]
fn a_paused_scan_names_the_command_that_resumes_it() {
    let site = Site::slow(300, [x("nasa", 5000)]);
    let home = home(&site);
    let up = home.up("");
    let ran = interrupted(&home, &site, "scan x:@nasa --budget 60");
    assert_eq!(names(&type_all(&home, &ran.err)), ["pause x-nasa"], "{ran:?}");
    let why = home.run("why x-nasa").out;
    assert_eq!(names(&type_all(&home, &why)), ["resume x-nasa"], "{why}");
    home.wait_for("x-nasa", "Succeeded");
    assert_eq!(up.stop(), 0);
}
