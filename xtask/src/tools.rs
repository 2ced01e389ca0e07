//! Foreign tools: pinned, built once, kept in the cache directory under `tools/`.
//!
//! A tool that is there in its exact version is left alone. A new one is one more entry of [`TOOLS`]: its name,
//! its version, how it tells that version and the function that builds it. Crates come with `cargo install`,
//! Go programs by the pinned modules of `xtask/tools` ([`go`]), packages of npm by the lock file beside them ([`npm`]).

mod go;
mod npm;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, checkout, stream};

/// A program of someone else, in one version.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    why: &'static str,
    /// What makes the program say its version.
    version_arguments: &'static [&'static str],
    /// Builds the tool into `<tools>/bin/<name>`.
    build: fn(tool: &Tool, tools: &Path) -> Result<()>,
}

pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    why: "checks licences, banned packages and sources",
    version_arguments: &["--version"],
    build: install_crate,
};

/// Not among [`TOOLS`]: only the long battery changes code.
pub(crate) const CARGO_MUTANTS: Tool = Tool {
    name: "cargo-mutants",
    version: "27.1.0",
    why: "makes the changes of a sample",
    version_arguments: &["mutants", "--version"],
    build: install_crate,
};

const ETCD: Tool = Tool {
    name: "etcd",
    version: "3.6.16",
    why: "keeps the objects of the real API server in tests",
    version_arguments: &["--version"],
    build: |_, tools| go::ETCD.build(tools),
};

const BLUESKY: Tool = Tool {
    name: "bluesky",
    version: npm::BLUESKY_VERSION,
    why: "Bluesky's own PDS and AppView, which are scanned in tests",
    version_arguments: &["--version"],
    build: |_, tools| npm::install_bluesky(tools),
};

const GITEA: Tool = Tool {
    name: "gitea",
    version: "1.26.0",
    why: "a real Gitea, which is scanned in tests",
    version_arguments: &["--version"],
    build: |_, tools| go::GITEA.build(tools),
};

const KUBE_APISERVER: Tool = kubernetes(
    "kube-apiserver",
    "what the embedded API server is compared with",
    &["--version"],
);

const KUBE_CONTROLLER_MANAGER: Tool = kubernetes(
    "kube-controller-manager",
    "collects garbage and empties namespaces beside kube-apiserver",
    &["--version"],
);

const KUBECTL: Tool = kubernetes(
    "kubectl",
    "an ordinary client for tests",
    &["version", "--client"],
);

const VERSITYGW: Tool = Tool {
    name: "versitygw",
    version: "1.8.0",
    why: "an S3 server for tests",
    version_arguments: &["--version"],
    build: |_, tools| go::VERSITYGW.build(tools),
};

const TOOLS: [&Tool; 8] = [
    &CARGO_DENY,
    &BLUESKY,
    &ETCD,
    &GITEA,
    &KUBE_APISERVER,
    &KUBE_CONTROLLER_MANAGER,
    &KUBECTL,
    &VERSITYGW,
];

/// Kubernetes' programs come out of one build: whichever is missing first builds all of them.
const fn kubernetes(
    name: &'static str,
    why: &'static str,
    version_arguments: &'static [&'static str],
) -> Tool {
    Tool {
        name,
        version: "1.34.4",
        why,
        version_arguments,
        build: |_, tools| go::KUBERNETES.build(tools),
    }
}

/// Builds every tool that is not there yet.
pub(crate) fn install_all() -> Result<()> {
    for tool in TOOLS {
        let program = tool.ensure()?;
        println!("{} {}: there ({})", tool.name, tool.version, program.display());
    }
    Ok(())
}

impl Tool {
    /// The path of the tool's program, built first where this very version is not there.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        let tools = cache::directory()?.join("tools");
        let program = tools.join("bin").join(self.name);
        if self.is_there(&program) {
            return Ok(program);
        }
        println!(
            "{} {} is not there ({}): building it, which takes minutes",
            self.name, self.version, self.why
        );
        std::fs::create_dir_all(&tools)
            .with_context(|| format!("failed to create the cache directory {}", tools.display()))?;
        (self.build)(self, &tools)
            .with_context(|| format!("failed to build {} {}", self.name, self.version))?;
        if !self.is_there(&program) {
            bail!(
                "{} was built, yet does not say that it is {}",
                program.display(),
                self.version
            );
        }
        Ok(program)
    }

    fn is_there(&self, program: &Path) -> bool {
        stream::capture(Command::new(program).args(self.version_arguments))
            .is_ok_and(|answer| says_version(&answer, self.version))
    }
}

/// Whether the answer to `--version` names exactly this version: as a word of its own, with or without a `v`.
fn says_version(answer: &str, version: &str) -> bool {
    answer
        .split_whitespace()
        .any(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

/// `cargo install` from the registry. What is half built stays in the cache, so that a broken run is taken up.
fn install_crate(tool: &Tool, tools: &Path) -> Result<()> {
    let half_built = tools.join("build").join(tool.name);
    let mut command = Command::new(checkout::cargo_program());
    command
        .args([
            "install",
            "--locked",
            "--force",
            "--version",
            &format!("={}", tool.version),
            "--root",
        ])
        .arg(tools)
        .arg(tool.name)
        .env("CARGO_TARGET_DIR", &half_built)
        // The checkout's own settings must not reach a foreign build.
        .current_dir(tools);
    stream::run(&mut command)?;
    std::fs::remove_dir_all(&half_built)
        .with_context(|| format!("failed to clear the build directory {}", half_built.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_version_counts_as_there() {
        assert!(says_version("cargo-deny 0.20.2\n", "0.20.2"));
        assert!(says_version("etcd Version: 3.6.16\nGit SHA: abc", "3.6.16"));
        assert!(says_version("Kubernetes v1.34.4", "1.34.4"));
        assert!(!says_version("cargo-deny 0.20.20", "0.20.2"));
        assert!(!says_version("cargo-deny 0.20.2-beta", "0.20.2"));
        assert!(!says_version("", "0.20.2"));
    }

    #[test]
    fn a_missing_program_is_not_there() {
        assert!(!CARGO_DENY.is_there(Path::new("/nonexistent/cargo-deny")));
    }
}
