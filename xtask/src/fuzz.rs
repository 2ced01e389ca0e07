//! `cargo xtask fuzz`: the programs of `fuzz/`, which look for input that breaks whatever reads it.
//!
//! They are compiled with coverage counters, by the stable compiler, beside the ordinary builds. What they find new
//! stays in the cache directory and is where the next run begins; an input that breaks something is kept there too.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::{cache, packages, stream};

/// Counters at every edge of the program and at every comparison, for libFuzzer to read.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";
/// Longest input, in bytes.
const LONGEST: u32 = 4_096;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each program looks, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Which programs: names of files in `fuzz/targets` [default: all]
    targets: Vec<String>,
}

impl Arguments {
    /// No arguments of one's own: every program, for a minute.
    pub(crate) const fn usual() -> Self {
        Self {
            seconds: 60,
            targets: Vec::new(),
        }
    }
}

/// Builds the programs and runs them one after the other; the first input that breaks one ends it.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<Outcome> {
    packages::ensure_cxx()?;
    let folder = checkout.root().join("fuzz");
    let all = targets(&folder)?;
    if let Some(unknown) = arguments.targets.iter().find(|name| !all.contains(name)) {
        bail!("fuzz/targets has no {unknown}.rs: there are {}", all.join(", "));
    }
    let chosen = if arguments.targets.is_empty() {
        &all
    } else {
        &arguments.targets
    };
    let programs = build(checkout)?;
    let kept = cache::directory()?.join("fuzz");
    for name in chosen {
        let corpus = kept.join(name);
        std::fs::create_dir_all(&corpus).with_context(|| format!("failed to create {}", corpus.display()))?;
        let mut command = checkout.command(programs.join(name));
        command
            .arg(&corpus)
            .args(Some(folder.join("seeds").join(name)).filter(|seeds| seeds.is_dir()))
            .arg(format!("-artifact_prefix={}/broken-{name}-", kept.display()))
            .arg(format!("-max_total_time={}", arguments.seconds))
            .arg(format!("-max_len={LONGEST}"))
            .args([
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-print_final_stats=1",
                "-verbosity=0",
            ]);
        stream::run(&mut command).with_context(|| format!("{name} was broken by an input"))?;
    }
    Ok(Outcome::Ok)
}

/// The folder with the built programs.
fn build(checkout: &Checkout) -> Result<PathBuf> {
    let target = checkout.metadata()?.target_directory.join("fuzz");
    let about = stream::capture(checkout.command("rustc").arg("-vV"))?;
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("failed to learn the host from `rustc -vV`")?;
    // With a target of their own, build scripts and macros are left without counters.
    let mut command = checkout.cargo([
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
    ]);
    command
        .args(["--target", host, "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", COUNTERS);
    stream::run(&mut command)?;
    Ok(target.join(host).join("release"))
}

/// The programs' names.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let targets = folder.join("targets");
    let entries =
        std::fs::read_dir(&targets).with_context(|| format!("failed to read {}", targets.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}
