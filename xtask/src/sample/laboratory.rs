//! A clone in which code is changed, and what is built of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{changes::Change, groups::Group};
use crate::checkout::{self, Checkout};
use crate::{cache, stream};

/// How changed code is compiled, quick to link and quick enough to run, and how many seeds the simulation plays.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_INCREMENTAL", "1"),
    ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("FOLLOWLYTICS_SIM_SEEDS", "100"),
];
/// Longest build, and longest run of tests, in seconds: a change may make a loop that does not end.
const LONGEST: &str = "600";

/// The clone.
pub(super) struct Laboratory<'a> {
    checkout: &'a Checkout,
    tree: PathBuf,
    target: PathBuf,
}

impl<'a> Laboratory<'a> {
    /// Clones the last commit into the cache directory, over an earlier clone.
    pub(super) fn open(checkout: &'a Checkout) -> Result<Self> {
        let kept = cache::directory()?.join("sample");
        let tree = kept.join("tree");
        if tree.exists() {
            std::fs::remove_dir_all(&tree).with_context(|| format!("failed to clear {}", tree.display()))?;
        }
        std::fs::create_dir_all(&kept).with_context(|| format!("failed to create {}", kept.display()))?;
        let mut clone = checkout.command("git");
        clone
            .args(["clone", "--quiet", "--no-hardlinks"])
            .arg(checkout.root())
            .arg(&tree);
        stream::run(&mut clone)?;
        Ok(Self {
            checkout,
            tree,
            target: kept.join("target"),
        })
    }

    /// Where the clone is.
    pub(super) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Makes a change for as long as `look` lasts.
    pub(super) fn with<T>(&self, change: &Change, look: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut apply = self.command("git");
        apply.args(["apply", "-p0", "-"]).stdin(Stdio::piped());
        let mut child = apply.spawn().context("failed to start git")?;
        if let Some(mut input) = child.stdin.take() {
            input
                .write_all(change.patch().as_bytes())
                .context("failed to hand a change to git")?;
        }
        if !child.wait().context("failed to wait for git")?.success() {
            bail!("failed to make the change {}", change.name);
        }
        let seen = look();
        let mut restore = self.command("git");
        restore.args(["checkout", "--quiet", "--", &change.file]);
        stream::capture(&mut restore)?;
        seen
    }

    /// Whether the tests of a group compile.
    pub(super) fn builds(&self, group: &Group) -> Result<bool> {
        self.succeeds(group, &["--no-run"])
    }

    /// Whether the tests of a group pass.
    pub(super) fn passes(&self, group: &Group) -> Result<bool> {
        self.succeeds(group, &[])
    }

    fn succeeds(&self, group: &Group, how: &[&str]) -> Result<bool> {
        let mut command = self.command("timeout");
        command
            .args(["--kill-after=10", LONGEST])
            .arg(checkout::cargo_program())
            .args(["test", "--quiet", "--package", group.package])
            .args(group.cargo)
            .args(how)
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(PROFILE);
        let output = command
            .output()
            .context("failed to start the tests of a change")?;
        Ok(output.status.success())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.checkout.command(program);
        command.current_dir(&self.tree);
        command
    }
}
