//! The checkout a job works on: its root, cargo's own description of it, and the files git knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::stream;

/// Variables that `cargo run` sets for this program and that must not reach the cargo it starts: build scripts
/// watch some of them (ring's does), and a leaked one rebuilds half the tree at every switch between
/// `cargo build` and `cargo xtask`.
const LEAKED: [&str; 6] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
];

/// The workspace around the current directory.
pub(crate) struct Checkout {
    root: PathBuf,
}

/// What `cargo metadata --no-deps` says.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

/// A library, program, test or bench of a package.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Checkout {
    /// Finds the workspace that the current directory belongs to.
    pub(crate) fn find() -> Result<Self> {
        let mut command = Command::new(cargo_program());
        command.args(["locate-project", "--workspace", "--message-format", "plain"]);
        let manifest = PathBuf::from(stream::capture(&mut command)?.trim());
        let root = manifest
            .parent()
            .context("failed to find the checkout: Cargo.toml has no folder")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A command that starts in the root, without what `cargo run` left in the environment.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for name in LEAKED {
            command.env_remove(name);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_")) {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(cargo_program());
        command.args(arguments);
        command
    }

    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let text = stream::capture(&mut self.cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_str(&text).context("failed to read the answer of `cargo metadata`")
    }

    /// Every file git tracks or would add, relative to the root, without those deleted from the work tree.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut command = self.command("git");
        command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = stream::capture(&mut command)?;
        let mut files: Vec<PathBuf> = listed
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .collect();
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        if files.is_empty() {
            bail!("failed to list the files of the checkout: git names none");
        }
        Ok(files)
    }

    /// A file of the checkout as text; bytes that are no UTF-8 are replaced.
    pub(crate) fn read(&self, file: impl AsRef<Path>) -> Result<String> {
        let file = file.as_ref();
        let bytes = std::fs::read(self.root.join(file))
            .with_context(|| format!("failed to read {}", file.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Metadata {
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    /// Whether the manifest has a target of this kind (`bin`, `test`, `bench`) and name.
    pub(crate) fn has_target(&self, kind: &str, name: &str) -> bool {
        self.targets
            .iter()
            .any(|target| target.name == name && target.kind.iter().any(|own| own == kind))
    }
}

/// The cargo that started this program, so that a chosen toolchain stays chosen.
pub(crate) fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
