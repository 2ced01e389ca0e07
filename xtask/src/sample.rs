//! `cargo xtask sample`: a random sample of small changes to the code, each of which a test must notice.
//!
//! cargo-mutants lists and makes the changes, in a clone of the last commit. The quick tests of the changed package look at
//! each first; what they miss is played by the simulation. A sample is named by its seed: the same seed and commit are the
//! same changes.

mod groups;
mod survivors;

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use self::groups::{GROUPS, Group, SIMULATION};
use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::{cache, stream, tools};

/// Share of the sample, in percent, that tests have to notice.
const ASKED: usize = 95;
/// Longest build of one change, and longest run of its tests, in seconds.
const LONGEST: &str = "600";
/// How the changed code is compiled: quick to link, and quick enough to run.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_INCREMENTAL", "1"),
    ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("FOLLOWLYTICS_SIM_SEEDS", "100"),
];
/// Exit codes of cargo-mutants after which its lists are whole: all caught, some missed, some too slow.
const DONE: [i32; 3] = [0, 2, 3];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Names the sample [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How many changes
    #[arg(long, default_value_t = 150)]
    count: usize,
}

impl Arguments {
    /// A sample of its own.
    pub(crate) const fn usual() -> Self {
        Self {
            seed: None,
            count: 150,
        }
    }
}

/// What came of changes, by their names.
#[derive(Default)]
struct Found {
    caught: BTreeSet<String>,
    missed: BTreeSet<String>,
    /// They do not compile: no test has to notice them.
    unviable: BTreeSet<String>,
}

/// Draws the sample, tries it and says which changes nothing noticed.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<Outcome> {
    let seed = arguments
        .seed
        .unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let laboratory = Laboratory::open(checkout)?;
    let all = laboratory.list()?;
    let chosen = draw(seed, &all, arguments.count);
    println!("sample {seed}: {} of {} changes", chosen.len(), all.len());
    let mut found = Found::default();
    for group in &GROUPS {
        let own: BTreeSet<String> = chosen.iter().filter(|name| group.owns(name)).cloned().collect();
        let tried = laboratory.attempt(group, &own)?;
        found.caught.extend(tried.caught);
        found.unviable.extend(tried.unviable);
        found.missed.extend(tried.missed);
    }
    println!("sample {seed}: {} are left to the simulation", found.missed.len());
    let played = laboratory.attempt(&SIMULATION, &found.missed)?;
    found.caught.extend(played.caught);
    found.missed = played.missed;
    report(checkout, seed, &found)
}

fn report(checkout: &Checkout, seed: u64, found: &Found) -> Result<Outcome> {
    let known = survivors::read(checkout)?;
    for name in &found.missed {
        let reason = known
            .get(&survivors::key(name))
            .map_or("not listed", String::as_str);
        println!("survived: {name} ({reason})");
    }
    let (caught, of) = (found.caught.len(), found.caught.len() + found.missed.len());
    let percent = caught * 100 / of.max(1);
    println!(
        "sample {seed}: {caught} of {of} caught ({percent} %), {} do not compile",
        found.unviable.len()
    );
    if percent < ASKED {
        bail!(
            "{percent} % of the sample are caught, {ASKED} % are asked: add tests, or list survivors with a reason"
        );
    }
    Ok(Outcome::Ok)
}

/// The `count` changes that the seed comes to first.
fn draw(seed: u64, all: &[String], count: usize) -> Vec<String> {
    let place = |name: &String| {
        let mut hasher = DefaultHasher::new();
        (seed, name).hash(&mut hasher);
        hasher.finish()
    };
    let mut drawn = all.to_vec();
    drawn.sort_by_key(place);
    drawn.truncate(count);
    drawn
}

/// A clone in which code is changed, and what is built of it.
struct Laboratory<'a> {
    checkout: &'a Checkout,
    program: PathBuf,
    tree: PathBuf,
    target: PathBuf,
}

impl<'a> Laboratory<'a> {
    /// Clones the last commit into the cache directory, over an earlier clone.
    fn open(checkout: &'a Checkout) -> Result<Self> {
        let program = tools::CARGO_MUTANTS.ensure()?;
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
            program,
            tree,
            target: kept.join("target"),
        })
    }

    fn command(&self) -> Command {
        let mut command = self.checkout.command(&self.program);
        command
            .args(["mutants", "--no-config", "--dir"])
            .arg(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(PROFILE);
        command
    }

    /// Every change that can be made.
    fn list(&self) -> Result<Vec<String>> {
        let mut command = self.command();
        command.args([
            "--workspace",
            "--list",
            "--exclude",
            "**/tests.rs",
            "--exclude",
            "**/tests/**",
        ]);
        for file in GROUPS.iter().flat_map(|group| group.files) {
            command.args(["--file", file]);
        }
        Ok(stream::capture(&mut command)?
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// Makes these changes one after the other and runs the tests of the group.
    fn attempt(&self, group: &Group, names: &BTreeSet<String>) -> Result<Found> {
        if names.is_empty() {
            return Ok(Found::default());
        }
        let output = tempfile::tempdir().context("failed to make a folder for what cargo-mutants finds")?;
        let mut command = self.command();
        command
            .args([
                "--workspace",
                "--in-place",
                "--no-shuffle",
                "--colors",
                "never",
                "--caught",
                "--output",
            ])
            .arg(output.path())
            .args(["--timeout", LONGEST, "--build-timeout", LONGEST])
            .args(["--test-package", group.package])
            .args(
                group
                    .cargo
                    .iter()
                    .map(|argument| format!("--cargo-arg={argument}")),
            );
        for name in names {
            command.arg("--re").arg(format!("^{}$", escape(name)));
        }
        println!("{}: {} changes", group.package, names.len());
        let status = command
            .status()
            .with_context(|| format!("failed to start {}", self.program.display()))?;
        if !status.code().is_some_and(|code| DONE.contains(&code)) {
            bail!(
                "cargo-mutants ended with {status}: the tests fail without a change, or it could not run them"
            );
        }
        let found = output.path().join("mutants.out");
        let mut caught = lines(&found.join("caught.txt"))?;
        caught.extend(lines(&found.join("timeout.txt"))?);
        let (missed, unviable) = (
            lines(&found.join("missed.txt"))?,
            lines(&found.join("unviable.txt"))?,
        );
        if caught.len() + missed.len() + unviable.len() != names.len() {
            bail!(
                "{} changes were to be tried, and cargo-mutants found others",
                names.len()
            );
        }
        Ok(Found {
            caught,
            missed,
            unviable,
        })
    }
}

fn lines(path: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The regular expression that matches this text alone.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sample() {
        let all: Vec<String> = (0..1_000)
            .map(|n| format!("a.rs:{n}:1: replace == with !="))
            .collect();
        let drawn = draw(7, &all, 150);
        assert_eq!(drawn, draw(7, &all, 150));
        assert_ne!(drawn, draw(8, &all, 150));
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 150);
        assert_eq!(draw(7, &all, 2_000).len(), all.len());
    }

    #[test]
    fn a_name_matches_itself_only() {
        assert_eq!(
            escape("a.rs:3:9: replace f -> (u8) with (0)"),
            r"a\.rs\:3\:9\: replace f \-\> \(u8\) with \(0\)"
        );
    }
}
