//! Reading: columns, formats, selectors, orders, watches, descriptions.

use followlytics_tests::toolkit::{Site, eventually};
use serde_json::Value;

use crate::kubectl::{Cluster, paused};

/// Two paused scans of one namespace, a third elsewhere.
fn cluster() -> Cluster {
    let cluster = Cluster::start(&Site::slow(0, []));
    cluster.apply(&paused("beta"));
    cluster.apply(&paused("alpha").replace("team: blue", "team: red"));
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: other}}\n");
    cluster.apply(&paused("gamma").replace("{name: gamma", "{namespace: other, name: gamma"));
    cluster
}

/// First words of the lines.
fn names(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
fn columns_are_those_of_the_kind() {
    let cluster = cluster();
    let shown = cluster.ok("get scans");
    let header: Vec<&str> = shown.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        [
            "NAME", "PLATFORM", "ACCOUNT", "PHASE", "SCANNED", "EXPECTED", "SPENT", "AGE"
        ]
    );
    assert_eq!(names(&shown), ["NAME", "alpha", "beta"]);
    let line = shown.lines().nth(1).unwrap();
    assert!(
        line.contains("bluesky") && line.contains("alice.bsky.social"),
        "{shown}"
    );
    let age = line.split_whitespace().last().unwrap();
    assert!(
        age.ends_with('s') && age.trim_end_matches('s').parse::<u32>().is_ok(),
        "{shown}"
    );
    assert_eq!(
        names(&cluster.ok("get sc --no-headers")),
        ["alpha", "beta"],
        "by the short name"
    );
    assert_eq!(
        names(&cluster.ok("get scan.followlytics.io beta")),
        ["NAME", "beta"]
    );
    assert!(names(&cluster.ok("get scans -o wide")).contains(&"alpha"));
    assert!(
        cluster.ok("get followlytics --no-headers").contains("alpha"),
        "by the category"
    );
}

#[test]
fn every_format_shows_the_same_objects() {
    let cluster = cluster();
    assert_eq!(
        cluster.ok("get scans -o name"),
        "scan.followlytics.io/alpha\nscan.followlytics.io/beta\n"
    );
    let list = cluster.json("get scans");
    assert_eq!(list["kind"], "List");
    assert_eq!(list["items"][1]["metadata"]["name"], "beta");
    assert_eq!(list["items"][1]["spec"]["account"]["handle"], "alice.bsky.social");
    let yaml = cluster.ok("get scan beta -o yaml");
    assert!(
        yaml.contains("kind: Scan\n") && yaml.contains("operatingMode: Suspended\n"),
        "{yaml}"
    );
    let columns = cluster.ok("get scans -o custom-columns=N:.metadata.name,P:.spec.account.platform");
    assert_eq!(columns, "N       P\nalpha   bluesky\nbeta    bluesky\n");
    let path = cluster.ok_words(&["get", "scans", "-o", "jsonpath={.items[*].metadata.name}"]);
    assert_eq!(path, "alpha beta");
}

#[test]
fn lists_can_be_narrowed_and_put_in_order() {
    let cluster = cluster();
    for (line, found) in [
        ("get scans -l team=red", &["alpha"][..]),
        ("get scans -l team!=red", &["beta"]),
        ("get scans -l team", &["alpha", "beta"]),
        ("get scans --field-selector metadata.name=beta", &["beta"]),
        (
            "get scans --sort-by=.metadata.creationTimestamp",
            &["beta", "alpha"],
        ),
        ("get scans --sort-by=.metadata.name", &["alpha", "beta"]),
        ("get scans -n other", &["gamma"]),
    ] {
        let shown = cluster.ok(&format!("{line} --no-headers"));
        let mut names = names(&shown);
        if line.contains("creationTimestamp") {
            // They may be of one second.
            names.sort_unstable_by(|a, b| b.cmp(a));
        }
        assert_eq!(names, found, "{line}");
    }
    let labels = cluster.ok("get scans --show-labels");
    assert!(
        labels.contains("LABELS") && labels.contains("team=red"),
        "{labels}"
    );
    let column = cluster.ok("get scans -L team --no-headers");
    assert!(
        column.lines().next().unwrap().trim_end().ends_with("red"),
        "{column}"
    );
    let all = cluster.ok("get scans -A --no-headers");
    let spaces: Vec<&str> = names(&all);
    assert_eq!(spaces, ["default", "default", "other"]);
    let none = cluster.run("get scans -l team=green");
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(
        none.err.contains("No resources found in default namespace"),
        "{none:?}"
    );
}

#[test]
fn a_watch_prints_a_line_a_change() {
    let cluster = cluster();
    let many = cluster.follow("many", "get scans -w --no-headers");
    let one = cluster.follow("one", "get scan alpha -w -o json");
    let events = cluster.follow("events", "get scans -w --output-watch-events");
    many.says("beta");
    one.says("\"alpha\"");
    events.says("ADDED");
    cluster.ok("annotate scan alpha note=1");
    cluster.apply(&paused("delta"));
    many.says("delta");
    one.says("\"note\": \"1\"");
    events.says("MODIFIED");
    cluster.ok("delete scan delta");
    events.says("DELETED");
}

#[test]
fn a_description_holds_spec_status_and_events() {
    let cluster = cluster();
    cluster.ok("wait scan/alpha --for=condition=Suspended --timeout=20s");
    let shown = cluster.ok("describe scan alpha");
    for part in [
        "Name:         alpha",
        "Namespace:    default",
        "Labels:       team=red",
        "API Version:  followlytics.io/v1alpha1",
        "Kind:         Scan",
        "Operating Mode:  Suspended",
        "alice.bsky.social",
        "Phase:",
        "Events:",
    ] {
        assert!(shown.contains(part), "{part:?} is missing: {shown}");
    }
    let about = "get events --field-selector involvedObject.name=alpha";
    eventually("its pause is told", || {
        !cluster.json(about)["items"].as_array().unwrap().is_empty()
    });
    let event = cluster.json(about)["items"][0].clone();
    assert_eq!(
        (&event["involvedObject"]["kind"], &event["reason"]),
        (&"Scan".into(), &"Suspended".into()),
        "{event}"
    );
}

#[test]
fn metadata_says_who_changed_what_and_when() {
    let cluster = cluster();
    let before = cluster.json("get scan alpha");
    cluster.ok("label scan alpha stage=test");
    let after = cluster.json("get scan alpha");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_ne!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    assert_eq!(
        after["metadata"]["generation"], before["metadata"]["generation"],
        "a label is no change of the spec"
    );
    assert_eq!(
        before["metadata"]["managedFields"],
        Value::Null,
        "kubectl hides them"
    );
}
