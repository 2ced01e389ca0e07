//! `cargo xtask test`: the one command that, on a fresh machine, installs what is missing and runs everything.
//!
//! A failing stage does not stop later ones that do not need it. The last line of the output is
//! `N passed, N failed` over all tests of the run.

use anyhow::{Result, bail};

use crate::checkout::Checkout;
use crate::stage::{self, Board, Outcome};
use crate::{bench, fuzz, generate, lint, mutants, packages, readme, sample, stream, tools};

/// Settings of the long battery; a value already in the environment wins.
///
/// `FOLLOWLYTICS_SIM_SEEDS`: how many seeds every simulation test plays. `PROPTEST_CASES`: cases of a property.
/// `FOLLOWLYTICS_PROCESS_SEEDS`: schedules of killed processes on each database. `FOLLOWLYTICS_LONG_FOLLOWERS`: how long
/// the list is that is scanned under kills. `FOLLOWLYTICS_SERVER_RUNS`: rounds on each real server; more than one have
/// lists of 20,000 and 100,000 followers.
const LONG: [(&str, &str); 5] = [
    ("FOLLOWLYTICS_SIM_SEEDS", "100000"),
    ("PROPTEST_CASES", "10000"),
    ("FOLLOWLYTICS_PROCESS_SEEDS", "200"),
    ("FOLLOWLYTICS_LONG_FOLLOWERS", "10000000"),
    ("FOLLOWLYTICS_SERVER_RUNS", "30"),
];

/// How many tests run at once, by the test runner's own variable; most of them wait, for processes, servers and clocks.
const THREADS: &str = "RUST_TEST_THREADS";
/// Tests at once for each core.
const TESTS_PER_CORE: usize = 3;

/// The feature that compiles deliberate faults in; what is shipped must never have it.
const MUTANTS: &str = "mutants";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The long battery: many more simulation seeds and property cases, the fuzz targets, a sample of changes and the benches
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<()> {
    let mut board = Board::new(stage::in_ci());
    board.run("tools", &[], |_| {
        packages::ensure(checkout)?;
        tools::install_all()?;
        Ok(Outcome::Ok)
    });
    board.run("lint", &[], |_| lint::run(checkout, &lint::Arguments::all()));
    board.run("generate", &[], |_| {
        generate::check(checkout).map(|()| Outcome::Ok)
    });
    board.run("build", &[], |_| {
        stream::run(&mut checkout.cargo(["build", "--release", "--workspace", "--all-targets"]))?;
        Ok(Outcome::Ok)
    });
    board.run("tests", &["build"], |tally| {
        let mut command = checkout.cargo(["test", "--release", "--workspace", "--no-fail-fast"]);
        if arguments.all {
            lengthen(&mut command);
        }
        if std::env::var_os(THREADS).is_none() {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            command.env(THREADS, (cores * TESTS_PER_CORE).to_string());
        }
        stream::run_reading(&mut command, |line| tally.read(line))?;
        Ok(Outcome::Ok)
    });
    board.run("mutants", &["build"], |tally| {
        mutants::run(checkout, &mutants::Arguments::all(), tally)
    });
    board.run("shipped features", &[], |_| check_shipped_features(checkout));
    board.run("readme", &["build"], |_| readme::run(checkout));
    if arguments.all {
        board.run("fuzz", &["build"], |_| {
            fuzz::run(checkout, &fuzz::Arguments::usual())
        });
        board.run("sample", &["build"], |_| {
            sample::run(checkout, &sample::Arguments::usual())
        });
        board.run("bench", &["build"], |_| {
            bench::run(checkout, &bench::Arguments::usual())
        });
    }

    println!("\n{}", board.table());
    println!("{}", board.closing_line());
    if board.is_green() {
        return Ok(());
    }
    // The closing line stays the last one: an error message after it would hide it from whoever reads the end.
    std::process::exit(1)
}

fn lengthen(command: &mut std::process::Command) {
    for (name, value) in LONG {
        if std::env::var_os(name).is_none() {
            println!("{name}={value}");
            command.env(name, value);
        }
    }
}

/// Neither the shipped program nor a plain build of the workspace (features of one build are united) may be
/// compiled with the mutants in it.
fn check_shipped_features(checkout: &Checkout) -> Result<Outcome> {
    for selection in [["-p", "followlytics"].as_slice(), &["--workspace"]] {
        let mut command = checkout.cargo(["tree", "-e", "features", "--prefix", "none"]);
        command.args(selection);
        let tree = stream::capture(&mut command)?;
        if let Some(line) = enabled(&tree, MUTANTS) {
            bail!(
                "`{}` shows {line}: the mutants would be shipped",
                stream::shown(&command)
            );
        }
        println!("{}: no `{MUTANTS}`", stream::shown(&command));
    }
    Ok(Outcome::Ok)
}

/// The first line of `cargo tree -e features` that enables the feature on a package of ours.
fn enabled<'a>(tree: &'a str, feature: &str) -> Option<&'a str> {
    let feature = format!("feature \"{feature}\"");
    tree.lines()
        .map(str::trim)
        .find(|line| line.starts_with("followlytics") && line.contains(&feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enabled_feature_is_found_in_the_tree() {
        let tree =
            "followlytics v0.1.0 (x)\nfollowlytics-core feature \"mutants\"\nserde feature \"derive\"\n";
        assert_eq!(
            enabled(tree, "mutants"),
            Some("followlytics-core feature \"mutants\"")
        );
        assert_eq!(
            enabled(
                "followlytics-core feature \"crds\"\nother feature \"mutants\"",
                "mutants"
            ),
            None
        );
    }
}
