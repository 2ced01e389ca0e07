//! Changes that cargo-mutants proposes.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::groups::GROUPS;
use crate::checkout::Checkout;
use crate::stream;

/// One change.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Change {
    /// File, line, column, and what changes in which function.
    pub(super) name: String,
    /// Path of the file within the tree.
    pub(super) file: String,
    /// The change, with the file as its first line and its description as its second.
    pub(super) diff: String,
}

impl Change {
    /// The change as `git apply -p0` reads it.
    pub(super) fn patch(&self) -> String {
        let rest = self.diff.splitn(3, '\n').nth(2).unwrap_or_default();
        format!("--- {0}\n+++ {0}\n{rest}", self.file)
    }
}

/// Every change of the code that is sampled.
pub(super) fn list(checkout: &Checkout, program: &Path, tree: &Path) -> Result<Vec<Change>> {
    let mut command = checkout.command(program);
    command
        .args([
            "mutants",
            "--no-config",
            "--workspace",
            "--list",
            "--json",
            "--dir",
        ])
        .arg(tree)
        .args(["--exclude", "**/tests.rs", "--exclude", "**/tests/**"]);
    for file in GROUPS.iter().flat_map(|group| group.files) {
        command.args(["--file", file]);
    }
    let text = stream::capture(&mut command)?;
    serde_json::from_str(&text).context("failed to read the list of changes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_its_file_twice() {
        let change = Change {
            name: String::new(),
            file: "a/b.rs".to_owned(),
            diff: "--- a/b.rs\n+++ replace == with !=\n@@ -1 +1 @@\n-a == b\n+a != b\n".to_owned(),
        };
        assert_eq!(
            change.patch(),
            "--- a/b.rs\n+++ a/b.rs\n@@ -1 +1 @@\n-a == b\n+a != b\n"
        );
    }
}
