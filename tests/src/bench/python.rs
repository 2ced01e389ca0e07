//! Peers written for Python, each in an environment of its own that is made once and kept in the cache.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use followlytics_testbed::tools::cache;

/// A Python that has this package, pinned as `name==version`.
pub fn with(package: &str) -> Result<PathBuf> {
    let environment = cache()?.join("python").join(package.replace("==", "-"));
    let python = environment.join("bin/python");
    let name = package.split("==").next().unwrap_or(package);
    if !has(&python, name) {
        std::fs::create_dir_all(&environment)?;
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment))
        .context("a peer of a bench needs Python: install python3 and python3-venv")?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
    }
    Ok(python)
}

fn has(python: &Path, name: &str) -> bool {
    let check = Command::new(python)
        .args(["-c", &format!("import {name}")])
        .output();
    check.is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("failed to run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
