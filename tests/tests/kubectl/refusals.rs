//! What kubectl is told of objects that break a rule: one clear sentence with the field, and nothing is stored.

use followlytics_tests::toolkit::Site;

use crate::kubectl::{Cluster, paused};

#[test]
fn every_rule_that_a_file_breaks_is_named_by_its_field() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let good = paused("bad");
    let mut wrong = Vec::new();
    for (from, to, parts) in [
        (
            "handle:",
            "hanlde:",
            &["spec.account.hanlde", "unknown field"][..],
        ),
        (
            "  parallelism:",
            "  paralelism:",
            &["spec.paralelism", "unknown field"],
        ),
        (
            "handle: alice.bsky.social",
            "handle: \"\"",
            &["spec.account.handle", "should be at least 1 chars long"],
        ),
        (
            "{platform: bluesky, ",
            "{",
            &["spec.account.platform", "Required value"],
        ),
        (
            "maxRunners: 2",
            "maxRunners: 0",
            &["spec.parallelism.maxRunners", "greater than or equal to 1"],
        ),
        (
            "maxRunners: 2",
            "maxRunners: 1001",
            &["spec.parallelism.maxRunners", "less than or equal to 1000"],
        ),
        (
            "maxRunners: 2",
            "maxRunners: two",
            &["spec.parallelism.maxRunners", "must be of type integer"],
        ),
        (
            "operatingMode: Suspended",
            "operatingMode: Resting",
            &["spec.operatingMode", "supported values", "\"Running\""],
        ),
        (
            "operatingMode: Suspended",
            "priority: 2000",
            &["spec.priority", "less than or equal to 1000"],
        ),
        (
            "operatingMode: Suspended",
            "budget: {maxUsd: \"a lot\"}",
            &["spec.budget.maxUsd", "should match"],
        ),
        (
            "operatingMode: Suspended",
            "credentialRef: {name: \"\"}",
            &["credentialRef.name must not be empty"],
        ),
        ("name: bad", "name: Not_A_Name", &["metadata.name", "RFC 1123"]),
        (
            "labels: {team: blue}",
            "labels: {team: \"a b\"}",
            &["metadata.labels"],
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let file = good.replace(from, to);
        for verb in [
            "create",
            "apply",
            "apply --server-side",
            "create --dry-run=server",
        ] {
            let refused = cluster.with_file(&format!("{verb} -f FILE"), &file);
            // A server-side apply is read field by field, in sentences of its own.
            let said = refused
                .err
                .replace("field not declared in schema", "unknown field")
                .replace(
                    "expected numeric (int or float), got string",
                    "must be of type integer",
                );
            let silent: Vec<&&str> = parts.iter().filter(|part| !said.contains(**part)).collect();
            if refused.code != 1 || !silent.is_empty() {
                wrong.push(format!("{verb} {to}: {silent:?} not in {refused:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cluster.ok("get scans -o name"), "", "nothing was stored");
}

#[test]
fn what_cannot_be_changed_cannot_be_changed() {
    let cluster = Cluster::start(&Site::slow(0, []));
    cluster.apply(&paused("one"));
    let moved = cluster.with_file("apply -f FILE", &paused("one").replace("alice", "bob"));
    assert_eq!(moved.code, 1, "{moved:?}");
    assert!(
        moved.err.contains("account is immutable: create another Scan"),
        "{moved:?}"
    );
    let browser = cluster.with_file("apply -f FILE", &(paused("one") + "  source: Browser\n"));
    assert_eq!(browser.code, 1, "{browser:?}");
    assert!(
        browser.err.contains("source is immutable: create another Scan"),
        "{browser:?}"
    );
    let again = cluster.with_file("create -f FILE", &paused("one"));
    assert!(again.err.contains("already exists"), "{again:?}");
    let elsewhere = cluster.with_file("-n nowhere create -f FILE", &paused("two"));
    assert!(elsewhere.err.contains("\"nowhere\" not found"), "{elsewhere:?}");
    let other = "{apiVersion: v1, kind: Pod, metadata: {name: p}}\n";
    let pod = cluster.with_file("apply -f FILE", other);
    // kubectl asks for the schema of a kind that it cannot find, in a form that is not served, before it looks further.
    assert_eq!(pod.code, 1, "{pod:?}");
    let unchecked = cluster.with_file("apply --validate=false -f FILE", other);
    assert!(
        unchecked.err.contains("no matches for kind \"Pod\""),
        "{unchecked:?}"
    );
    let strategic = cluster.run("patch scan one -p {\"spec\":{\"priority\":3}}");
    assert_eq!(strategic.code, 1, "{strategic:?}");
    assert!(
        strategic.err.to_lowercase().contains("strategic") || strategic.err.contains("media type"),
        "{strategic:?}"
    );
    let resource = cluster.run("get pods");
    assert!(
        resource.err.contains("doesn't have a resource type \"pods\""),
        "{resource:?}"
    );
}

#[test]
fn an_object_that_is_too_large_is_refused() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let note = "x".repeat(300_000);
    let file = paused("large").replace("labels:", &format!("annotations: {{note: {note}}}, labels:"));
    let refused = cluster.with_file("create -f FILE", &file);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("262144"),
        "{}",
        refused.err.get(..300).unwrap_or(&refused.err)
    );
}

#[test]
fn a_credential_that_breaks_a_rule_is_named_by_its_field() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let good = "apiVersion: followlytics.io/v1alpha1\nkind: Credential\nmetadata: {name: mine}\n\
                spec: {platform: x, type: AppBearer, secretRef: {name: mine}, monthlyBudgetUsd: '5'}\n";
    for (from, to, parts) in [
        (
            "type: AppBearer",
            "type: Password",
            ["spec.type", "supported values"],
        ),
        (
            "{name: mine}, monthly",
            "{name: ''}, monthly",
            ["spec.secretRef.name", "at least 1 chars"],
        ),
        ("'5'", "'-5'", ["spec.monthlyBudgetUsd", "should match"]),
    ] {
        assert!(good.contains(from), "{from}");
        let refused = cluster.with_file("apply -f FILE", &good.replace(from, to));
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(parts.iter().all(|part| refused.err.contains(part)), "{refused:?}");
    }
    assert_eq!(cluster.ok("get credentials -o name"), "", "nothing was stored");
    cluster.apply(good);
    let moved = cluster.with_file("apply -f FILE", &good.replace("platform: x", "platform: gitea"));
    assert!(
        moved
            .err
            .contains("platform is immutable: create another Credential"),
        "{moved:?}"
    );
}
