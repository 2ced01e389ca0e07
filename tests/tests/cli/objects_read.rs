//! Reading and deleting objects in every way the command line has; and what it says when there are none.

use followlytics_tests::toolkit::{Home, Site, bluesky, eventually};
use serde_json::Value;

fn scan(name: &str, namespace: &str) -> String {
    format!(
        "{{apiVersion: followlytics.io/v1alpha1, kind: Scan, metadata: {{name: {name}, namespace: {namespace},\n\
         labels: {{team: {name}}}}},\n\
         spec: {{account: {{platform: bluesky, handle: alice.bsky.social}}, operatingMode: Suspended}}}}\n"
    )
}

/// Two scans of one namespace, one of another, and a credential.
fn home(site: &Site) -> Home {
    let home = Home::new(site);
    let documents = [
        scan("one", "default"),
        scan("two", "default"),
        "{apiVersion: v1, kind: Namespace, metadata: {name: other}}\n".to_owned(),
        scan("three", "other"),
        "{apiVersion: followlytics.io/v1alpha1, kind: Credential, metadata: {name: app},\n\
         spec: {platform: x, type: AppBearer, secretRef: {name: app}}}\n"
            .to_owned(),
    ];
    home.apply(&documents.join("---\n"));
    home
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[test]
fn several_kinds_names_selectors_and_namespaces() {
    let site = Site::slow(0, []);
    let home = home(&site);
    let both = home.run("get scans,credentials").out;
    assert!(
        both.contains("scan.followlytics.io/one") && both.contains("credential.followlytics.io/app"),
        "{both}"
    );
    for (line, found) in [
        ("get scans", &["one", "two"][..]),
        ("get sc,cred", &["one", "two", "app"]),
        ("get scan one two", &["one", "two"]),
        ("get scan/two cred/app", &["two", "app"]),
        ("get scans -l team=two", &["two"]),
        ("get scans --field-selector metadata.name=one", &["one"]),
        ("get scans -n other", &["three"]),
        ("get scans -A", &["one", "two", "three"]),
        ("get scans -l team=nobody", &[]),
    ] {
        let ran = home.run(&format!("{line} -o json"));
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        assert_eq!(names(&ran.json()), found, "{line}");
    }
    let everywhere = home.run("get scans -A").out;
    assert!(
        everywhere.starts_with("NAMESPACE") && everywhere.contains("other "),
        "{everywhere}"
    );
    let one = home.run("get scan one -o yaml").out;
    assert!(one.contains("kind: Scan\n"), "one object is no list: {one}");
    let none = home.run("get sandboxes");
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("none found in namespace default"), "{none:?}");
    for (line, part) in [
        ("get scan one -l team=one", "leave either out"),
        ("get scans,sandboxes one", "write KIND/NAME"),
        ("get scans,sandboxes -w", "one kind or one object at a time"),
        ("get scans/one two", "every word has both"),
        ("describe scans", "name one object"),
        ("delete scans", "name the objects"),
    ] {
        home.run(line).refused(2, &[part]);
    }
}

#[test]
fn a_description_has_the_ranges_of_the_ledger() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 900)]);
    let home = Home::new(&site);
    let ran = home.run("scan bluesky:alice.bsky.social -q -o name --followers-per-range 300");
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown = home.run("describe scan bluesky-alice-bsky-social").out;
    for part in [
        "Name: bluesky-alice-bsky-social",
        "Ranges:",
        "Listing",
        "Done",
        "Events:",
    ] {
        assert!(shown.contains(part), "{part:?}: {shown}");
    }
    let whole = home.run("describe scan/bluesky-alice-bsky-social -o json").json();
    assert_eq!(whole["object"]["kind"], "Scan");
    let ranges = whole["ranges"].as_array().unwrap();
    let rows: i64 = ranges
        .iter()
        .filter(|range| range["kind"] == "Listing")
        .map(|range| range["rows"].as_str().unwrap().parse::<i64>().unwrap())
        .sum();
    assert!(rows >= 900, "{ranges:?}");
}

#[test]
fn what_is_gone_may_be_deleted_again() {
    let site = Site::slow(0, []);
    let home = home(&site);
    let _up = home.up("");
    assert_eq!(
        home.run("delete scan one nobody").out,
        "scan.followlytics.io/one deleted\nscan.followlytics.io/nobody is not there\n"
    );
    let again = home.run("delete scan/one cred/app --wait");
    assert_eq!(
        (again.code, again.out.as_str()),
        (
            0,
            "scan.followlytics.io/one is not there\ncredential.followlytics.io/app deleted\n"
        ),
        "{again:?}"
    );
    assert_eq!(home.run("delete scan two --no-wait").code, 0);
    home.run("delete pods a").refused(2, &["known are scans"]);
}

#[test]
fn why_names_reason_time_and_setting() {
    let site = Site::slow(0, [bluesky("alice.bsky.social", 30)]);
    let home = home(&site);
    let alone = home.run("why one").out;
    assert!(alone.contains("start `followlytics up`"), "{alone}");
    let _up = home.up("");
    home.wait_for("one", "Suspended");
    eventually("it is paused", || {
        home.run("why one -o json").json()["reason"] == "Requested"
    });
    let why = home.run("why one -o json").json();
    assert_eq!(
        (&why["scan"], &why["phase"]),
        (&"one".into(), &"Suspended".into())
    );
    assert!(why["since"].is_string(), "{why}");
    assert!(
        why["remedy"]
            .as_str()
            .unwrap()
            .contains("followlytics resume one"),
        "{why}"
    );
    assert_eq!(home.run("resume one").code, 0);
    home.wait_for("one", "Succeeded");
    let done = home.run("why one").out;
    assert!(
        done.contains("Succeeded (Complete)") && !done.contains("change"),
        "{done}"
    );
    home.run("why nobody").refused(2, &["not found"]);
}

#[test]
fn refusals_of_the_server_say_what_helps() {
    let site = Site::slow(0, []);
    let home = home(&site);
    home.run("get scan nobody")
        .refused(2, &["not found", "`followlytics get scans` lists what is there"]);
    home.run("describe scan nobody")
        .refused(2, &["not found", "`followlytics get scans`"]);
    let owned = home.run_with(
        "apply -f -",
        &scan("one", "default").replace("Suspended", "Suspended, priority: 1"),
    );
    assert_eq!(owned.code, 0, "{owned:?}");
    assert_eq!(
        home.run("scan bluesky:bob.bsky.social --name one --dry-run --base-url http://127.0.0.1:1")
            .code,
        6
    );
    let up = home.up("");
    home.run("scan bluesky:bob.bsky.social --name one --detach")
        .refused(2, &["already exists", "choose another name"]);
    assert_eq!(up.stop(), 0);
}

#[test]
fn every_platform_has_an_example_in_the_help() {
    let home = Home::new(&Site::slow(0, []));
    let help = home.run("scan --help").out;
    for platform in ["bluesky:", "gitea:", "github:", "mastodon:@", "x:@"] {
        assert!(help.contains(&format!("scan {platform}")), "{platform}: {help}");
    }
    let credential = home.run("credential add --help").out;
    for word in ["github", "mastodon", "--token-file", "--rate-limit"] {
        assert!(credential.contains(word), "{word}: {credential}");
    }
}
