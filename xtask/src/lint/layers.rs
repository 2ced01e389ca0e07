//! Who may know whom: what a crate must not reach, directly or through others, and what a package is called.

use anyhow::Result;

use super::report;
use crate::checkout::Checkout;
use crate::stream;

/// Anything that does I/O, has a clock of its own or starts threads.
const IMPURE: [&str; 12] = [
    "async-std",
    "axum",
    "getrandom",
    "hyper",
    "mio",
    "object_store",
    "reqwest",
    "rusqlite",
    "smol",
    "socket2",
    "sqlx",
    "tokio",
];

/// The parts of the system: they meet in custom resources, ledger rows, object keys and the broker's HTTP.
const PARTS: [&str; 5] = [
    "followlytics-agent",
    "followlytics-api",
    "followlytics-controller",
    "followlytics-runner",
    "followlytics-worker",
];

/// Fails where a crate reaches what it must not know. Build and test dependencies are free.
pub(super) fn check(checkout: &Checkout) -> Result<()> {
    let mut findings = Vec::new();
    for package in &checkout.metadata()?.packages {
        let mut command =
            checkout.cargo(["tree", "-e", "normal", "--all-features", "--prefix", "none", "-p"]);
        command.args([package.name.as_str(), "--format", "{p}"]);
        let tree = stream::capture(&mut command)?;
        findings.extend(reached(&package.name, &tree));
    }
    findings.extend(unrepeated_bans(
        &checkout.read("clippy.toml")?,
        &checkout.read("core/clippy.toml")?,
    ));
    report(&findings)
}

/// Lines of the root's clippy.toml that core's does not repeat: the nearest file replaces the root's, so that a ban
/// added there alone would not hold where it matters most.
fn unrepeated_bans(root: &str, core: &str) -> Vec<String> {
    let missing =
        |line: &&str| line.trim_start().starts_with("{ path = ") && !core.lines().any(|own| own == *line);
    root.lines()
        .filter(missing)
        .map(|line| format!("core/clippy.toml does not repeat `{}`", line.trim()))
        .collect()
}

/// Fails where a package is not named `followlytics-<folder>`; the root's is `followlytics`.
pub(super) fn check_names(checkout: &Checkout) -> Result<()> {
    let mut findings = Vec::new();
    for package in &checkout.metadata()?.packages {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|folder| folder.strip_prefix(checkout.root()).ok());
        let Some(folder) = folder.and_then(|folder| folder.to_str()) else {
            findings.push(format!("{} lies outside the checkout", package.name));
            continue;
        };
        let expected = if folder.is_empty() {
            "followlytics".to_owned()
        } else {
            format!("followlytics-{folder}")
        };
        if package.name != expected {
            findings.push(format!(
                "the package in {folder}/ is named {}, not {expected}",
                package.name
            ));
        }
    }
    report(&findings)
}

/// What the package's tree holds and must not hold.
fn reached(package: &str, tree: &str) -> Vec<String> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| is_forbidden(package, name))
        .map(|name| {
            format!("{package} reaches {name}; `cargo tree -e normal -p {package} -i {name}` shows how")
        })
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn is_forbidden(package: &str, reached: &str) -> bool {
    if package == reached {
        return false;
    }
    match package {
        "followlytics-core" | "followlytics-crds" if IMPURE.contains(&reached) => true,
        "followlytics-platforms" | "followlytics-runner" if reached == "k8s-openapi" => true,
        // It stands for the platforms: what it shares with the code under test, it cannot test.
        "followlytics-simulator" => reached.starts_with("followlytics"),
        _ => PARTS.contains(&package) && PARTS.contains(&reached),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_must_not_reach_a_runtime() {
        let tree = "followlytics-core v0.1.0 (x)\njiff v0.2.43\ntokio v1.54.0\ntokio v1.54.0 (*)\n";
        let findings = reached("followlytics-core", tree);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("followlytics-core reaches tokio;"));
    }

    #[test]
    fn a_ban_that_core_does_not_repeat_is_found() {
        let root = "disallowed-methods = [\n  { path = \"a\" },\n  { path = \"b\" },\n]\n";
        assert_eq!(unrepeated_bans(root, root), Vec::<String>::new());
        let core = root.replace("\"b\"", "\"c\"");
        assert_eq!(
            unrepeated_bans(root, &core),
            ["core/clippy.toml does not repeat `{ path = \"b\" },`"]
        );
    }

    #[test]
    fn parts_must_not_reach_one_another_but_may_share_what_lies_below() {
        assert!(is_forbidden("followlytics-api", "followlytics-worker"));
        assert!(is_forbidden("followlytics-runner", "followlytics-controller"));
        assert!(!is_forbidden("followlytics-api", "followlytics-api"));
        assert!(!is_forbidden("followlytics-api", "followlytics-store"));
        assert!(!is_forbidden("followlytics", "followlytics-api"));
    }

    #[test]
    fn runner_and_platforms_stay_without_kubernetes_types_and_the_simulator_alone() {
        assert!(is_forbidden("followlytics-runner", "k8s-openapi"));
        assert!(is_forbidden("followlytics-platforms", "k8s-openapi"));
        assert!(is_forbidden("followlytics-simulator", "followlytics-core"));
        assert!(!is_forbidden("followlytics-simulator", "tokio"));
    }
}
