//! Packages of npm: `package.json` and the lock file in `xtask/tools/bluesky` pin versions and hashes of every file.
//!
//! They are installed into the cache. `bin/bluesky` is Node.js with these packages in its search path.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::stream;

/// The version of `@atproto/dev-env`: the newest one that runs on Node.js 20.
pub(super) const BLUESKY_VERSION: &str = "0.3.215";

/// The oldest Node.js that runs every installed package.
const OLDEST_NODE: u32 = 20;

const PACKAGE: &str = include_str!("../../tools/bluesky/package.json");
const LOCK: &str = include_str!("../../tools/bluesky/package-lock.json");

/// Starts Node.js. `--version` prints the version of the installed packages: it fails without them.
const PROGRAM: &str = r#"#!/bin/sh
export NODE_PATH="$(dirname "$0")/../bluesky/node_modules"
[ "$1" = --version ] || exec node "$@"
exec node -p 'require("@atproto/dev-env/package.json").version'
"#;

/// Installs the packages into `<tools>/bluesky` and writes `<tools>/bin/bluesky`.
pub(super) fn install_bluesky(tools: &Path) -> Result<()> {
    require_node()?;
    let packages = tools.join("bluesky");
    let program = tools.join("bin").join("bluesky");
    for directory in [Some(packages.as_path()), program.parent()].into_iter().flatten() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("failed to create {}", directory.display()))?;
    }
    write(&packages.join("package.json"), PACKAGE)?;
    write(&packages.join("package-lock.json"), LOCK)?;
    let mut install = Command::new("npm");
    install
        .args(["ci", "--omit=dev", "--no-audit", "--no-fund"])
        .current_dir(&packages);
    stream::run(&mut install).context(
        "failed to install the packages of npm; better-sqlite3 is compiled, which needs python3, make and g++",
    )?;
    write(&program, PROGRAM)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("failed to make {} executable", program.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))
}

fn require_node() -> Result<()> {
    let remedy =
        format!("install Node.js {OLDEST_NODE} or newer with npm (https://nodejs.org) and put it on PATH");
    let answer = stream::capture(Command::new("node").arg("--version"))
        .with_context(|| format!("failed to run `node`: {remedy}"))?;
    match major_version(&answer) {
        Some(version) if version >= OLDEST_NODE => Ok(()),
        _ => bail!("Node.js {} is too old: {remedy}", answer.trim()),
    }
}

/// `v20.20.2` is 20.
fn major_version(answer: &str) -> Option<u32> {
    answer.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_versions_of_node_are_read() {
        assert_eq!(major_version("v20.20.2\n"), Some(20));
        assert_eq!(major_version("20"), None);
    }

    #[test]
    fn lock_file_pins_version_and_hashes_and_names_no_registry() {
        let pinned = format!("\"@atproto/dev-env\": \"{BLUESKY_VERSION}\"");
        assert!(PACKAGE.contains(&pinned) && LOCK.contains(&pinned), "{pinned}");
        assert!(LOCK.contains("\"integrity\": \"sha512-"));
        assert!(
            !LOCK.contains("\"resolved\""),
            "take every `resolved` out of the lock file"
        );
    }
}
