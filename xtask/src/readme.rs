//! `cargo xtask readme`: runs every command of README.md, so that none of them is only claimed to work.
//!
//! Each `sh` fence is one bash script, in order, in the checkout's root, with the built programs first on the
//! path and a data directory of its own run. `sh no_run: <reason>` leaves a fence out and says so; lines that
//! would start this very battery are left out too.

mod fences;
mod group;

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::readme::fences::{Fence, Rule};
use crate::stage::Outcome;
use crate::stream;

const DOCUMENT: &str = "README.md";

/// Time a fence may take, builds it starts included.
const LIMIT: Duration = Duration::from_mins(10);

/// Builds the programs as the whole battery does, then runs the commands.
pub(crate) fn build_and_run(checkout: &Checkout) -> Result<Outcome> {
    stream::run(&mut checkout.cargo(["build", "--release", "--workspace", "--bins"]))?;
    run(checkout)
}

/// Runs the commands with the programs as they were last built.
pub(crate) fn run(checkout: &Checkout) -> Result<Outcome> {
    if !checkout.root().join(DOCUMENT).is_file() {
        return Ok(Outcome::NotRun(format!("{DOCUMENT} is not there")));
    }
    let fences = fences::parse(&checkout.read(DOCUMENT)?)?;
    let programs = checkout.metadata()?.target_directory.join("release");
    let data = tempfile::Builder::new()
        .prefix("followlytics-")
        .tempdir()
        .context("failed to make a data directory")?;
    let (mut ran, mut skipped) = (0, 0);
    for fence in &fences {
        match &fence.rule {
            Rule::NoRun(reason) => {
                println!("-- {DOCUMENT} line {}: no_run: {reason}", fence.line);
                skipped += 1;
            }
            Rule::Run => {
                if let Err(reason) = run_fence(checkout, fence, &programs, data.path())? {
                    return Ok(Outcome::Failed(format!(
                        "the fence at {DOCUMENT} line {} {reason}",
                        fence.line
                    )));
                }
                ran += 1;
            }
        }
    }
    println!("-- {DOCUMENT}: {ran} fences run, {skipped} left out with their reason");
    if ran == 0 {
        return Ok(Outcome::NotRun(format!("{DOCUMENT} has no `sh` fence to run")));
    }
    Ok(Outcome::Ok)
}

/// Runs one fence to its end; the inner error says what became of it.
fn run_fence(checkout: &Checkout, fence: &Fence, programs: &Path, data: &Path) -> Result<Result<(), String>> {
    let script = fence.script_without_recursion();
    for line in &script.left_out {
        println!(
            "-- {DOCUMENT} line {}: left out, it would start this run again: {line}",
            fence.line
        );
    }
    println!("-- {DOCUMENT} line {}:\n{}", fence.line, script.text.trim_end());
    let mut command = checkout.command("bash");
    command
        .args(["-c", &format!("set -euo pipefail\n{}", script.text)])
        .env("FOLLOWLYTICS_DATA", data)
        .env("PATH", path_with(programs)?)
        .stdin(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().context("failed to start bash")?;
    let ended = stream::wait(&mut child, LIMIT)?;
    group::end(&child);
    Ok(match ended {
        None => {
            child.wait().context("failed to wait for a fence's shell")?;
            Err(format!("did not end within {} s", LIMIT.as_secs()))
        }
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("failed ({status})")),
    })
}

fn path_with(programs: &Path) -> Result<OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).context("failed to put the built programs on the path")
}

#[cfg(test)]
mod tests;
