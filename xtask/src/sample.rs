//! `cargo xtask sample`: a random sample of small changes to the code, each of which a test must notice.
//!
//! cargo-mutants says which changes there are. Each is made in a clone of the last commit: the quick tests of the changed
//! package look at it first, and what they miss is played by the simulation. A sample is named by its seed: the same seed
//! and commit are the same changes.

mod changes;
mod groups;
mod laboratory;
mod survivors;

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};

use anyhow::{Context as _, Result, bail};

use self::{
    changes::Change,
    groups::{GROUPS, SIMULATION},
    laboratory::Laboratory,
};
use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::{clock, tools};

/// Share of the sample, in percent, that tests have to notice.
const ASKED: usize = 95;

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

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Tests of this package failed with it, or did not end.
    Caught(&'static str),
    /// It does not compile: no test has to notice it.
    Unviable,
    Survived,
}

/// Draws the sample, tries it and says which changes nothing noticed.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<Outcome> {
    let seed = arguments
        .seed
        .unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let program = tools::CARGO_MUTANTS.ensure()?;
    let laboratory = Laboratory::open(checkout)?;
    let all = changes::list(checkout, &program, laboratory.tree())?;
    let chosen = draw(seed, &all, arguments.count);
    println!("sample {seed}: {} of {} changes", chosen.len(), all.len());
    for group in GROUPS.iter().chain([&SIMULATION]) {
        if !laboratory.passes(group)? {
            bail!("the tests of {} fail without a change", group.package);
        }
    }
    let known = survivors::read(checkout)?;
    let (mut caught, mut unviable, mut survived) = (0, 0, 0);
    for (number, change) in (1..).zip(&chosen) {
        let began = clock::now();
        let verdict = judge(&laboratory, change)?;
        let what = match verdict {
            Verdict::Caught(package) => {
                caught += 1;
                format!("caught by {package}")
            }
            Verdict::Unviable => {
                unviable += 1;
                "does not compile".to_owned()
            }
            Verdict::Survived => {
                survived += 1;
                let reason = known.get(&survivors::key(&change.name));
                format!("SURVIVED ({})", reason.map_or("not listed", String::as_str))
            }
        };
        let seconds = began.elapsed().as_secs();
        println!("{number}: {} ... {what}, {seconds} s", change.name);
    }
    let of = caught + survived;
    let percent = caught * 100 / of.max(1);
    println!("sample {seed}: {caught} of {of} caught ({percent} %), {unviable} do not compile");
    if percent < ASKED {
        bail!(
            "{percent} % of the sample are caught, {ASKED} % are asked: add tests, or list survivors with a reason"
        );
    }
    Ok(Outcome::Ok)
}

fn judge(laboratory: &Laboratory<'_>, change: &Change) -> Result<Verdict> {
    let group = GROUPS
        .iter()
        .find(|group| group.owns(&change.file))
        .with_context(|| format!("{} belongs to no group", change.file))?;
    laboratory.with(change, || {
        if !laboratory.builds(group)? {
            return Ok(Verdict::Unviable);
        }
        for tests in [group, &SIMULATION] {
            if !laboratory.passes(tests)? {
                return Ok(Verdict::Caught(tests.package));
            }
        }
        Ok(Verdict::Survived)
    })
}

/// The `count` changes that the seed comes to first.
fn draw(seed: u64, all: &[Change], count: usize) -> Vec<Change> {
    let place = |change: &Change| {
        let mut hasher = DefaultHasher::new();
        (seed, &change.name).hash(&mut hasher);
        hasher.finish()
    };
    let mut drawn = all.to_vec();
    drawn.sort_by_key(place);
    drawn.truncate(count);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sample() {
        let change = |line: u32| Change {
            name: format!("a.rs:{line}:1: replace == with !="),
            file: "a.rs".to_owned(),
            diff: String::new(),
        };
        let all: Vec<Change> = (0..1_000).map(change).collect();
        let names = |seed, count| -> Vec<String> {
            let drawn = draw(seed, &all, count);
            drawn.into_iter().map(|change| change.name).collect()
        };
        assert_eq!(names(7, 150), names(7, 150));
        assert_ne!(names(7, 150), names(8, 150));
        assert_eq!(names(7, 2_000).len(), all.len());
    }
}
