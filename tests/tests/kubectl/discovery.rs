//! What kubectl learns of the server by itself: resources, versions, schemas.

use followlytics_tests::toolkit::Site;

use crate::kubectl::Cluster;

#[test]
fn resources_and_versions_are_listed() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let resources = cluster.ok("api-resources --no-headers");
    for line in [
        "scans sc followlytics.io/v1alpha1 true Scan",
        "sandboxes sbx followlytics.io/v1alpha1 true Sandbox",
        "credentials cred followlytics.io/v1alpha1 true Credential",
        "namespaces ns v1 false Namespace",
        "events ev v1 true Event",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(
            resources
                .lines()
                .any(|found| found.split_whitespace().collect::<Vec<_>>() == words),
            "{line}: {resources}"
        );
    }
    let names = cluster.ok("api-resources --api-group=followlytics.io -o name");
    assert!(names.contains("scans.followlytics.io\n"), "{names}");
    let versions = cluster.ok("api-versions");
    for version in ["events.k8s.io/v1", "followlytics.io/v1alpha1", "v1"] {
        assert!(
            versions.lines().any(|line| line == version),
            "{version}: {versions}"
        );
    }
    let version = cluster.ok("version");
    assert!(
        version.contains("Server Version: v1.34") && version.contains("followlytics"),
        "{version}"
    );
    for raw in ["/healthz", "/readyz", "/livez"] {
        assert_eq!(cluster.ok(&format!("get --raw {raw}")), "ok");
    }
}

#[test]
fn every_field_is_explained() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let scan = cluster.ok("explain scan");
    for part in [
        "GROUP:      followlytics.io",
        "KIND:       Scan",
        "VERSION:    v1alpha1",
        "Lists the followers of one account on one platform",
        "spec\t<",
    ] {
        assert!(scan.contains(part), "{part:?}: {scan}");
    }
    let budget = cluster.ok("explain scans.spec.budget.maxUsd");
    assert!(budget.contains("Decimal US dollars"), "{budget}");
    let all = cluster.ok("explain scan --recursive");
    for field in [
        "account",
        "maxRunners",
        "operatingMode",
        "waitingOn",
        "certificate",
        "guarantee",
    ] {
        assert!(all.contains(field), "{field}: {all}");
    }
    for kind in ["sandbox", "credential", "namespace", "event"] {
        assert_eq!(cluster.run(&format!("explain {kind}")).code, 0, "{kind}");
    }
    let missing = cluster.run("explain scan.spec.nothing");
    assert!(missing.err.contains("does not exist"), "{missing:?}");
}

/// There are no roles here: whoever has the token may do everything. kubectl asks in protobuf, which this server does
/// not read; the answer says what it does read.
#[test]
fn rights_cannot_be_asked_for() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let asked = cluster.run("auth can-i get scans");
    assert_eq!(asked.code, 1, "{asked:?}");
    assert!(
        asked
            .err
            .contains("accepted media types include: application/json"),
        "{asked:?}"
    );
}
