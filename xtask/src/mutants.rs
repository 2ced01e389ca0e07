//! `cargo xtask mutants`: each deliberate bug of `docs/mutants.md` must be caught by the test that the table names.
//!
//! The simulation chooses its bugs itself, one per test. Every other row's test is run twice: as the code is, it must pass;
//! with the bug it must fail, and must have reached the place of the bug.

mod programs;
mod table;

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use self::{
    programs::{Ended, Program, Programs},
    table::{DOCUMENT, Row},
};
use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::stream;
use crate::tally::Tally;

/// What compiles the bugs in.
const FEATURE: &str = "followlytics-tests/mutants";
/// Whose tests play the simulation.
const TESTS: &str = "followlytics-tests";
/// Its test program that does.
const SIMULATION: &str = "mutants";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A mutant of docs/mutants.md [default: all]
    mutant: Option<String>,
    /// Build with optimizations, as `cargo xtask test` does
    #[arg(long)]
    release: bool,
}

impl Arguments {
    /// Every mutant, with the build of the whole battery.
    pub(crate) const fn all() -> Self {
        Self {
            mutant: None,
            release: true,
        }
    }
}

/// Builds the tests with every bug in them and tries the chosen ones; adds what was caught to the tally.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments, tally: &mut Tally) -> Result<Outcome> {
    let rows = table::read(checkout)?;
    let is_chosen = |row: &&Row| arguments.mutant.as_ref().is_none_or(|name| row.mutant == *name);
    let chosen: Vec<&Row> = rows.iter().filter(is_chosen).collect();
    if let (Some(mutant), true) = (&arguments.mutant, chosen.is_empty()) {
        bail!("mutant {mutant} not found in {DOCUMENT}");
    }
    let programs = Programs::build(checkout, &rows, arguments.release)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for row in &chosen {
        match programs.find(row) {
            Some(program) => found.push((*row, program)),
            None => failures.push(format!(
                "{}: test {} does not exist in {}",
                row.mutant, row.test, row.package
            )),
        }
    }
    let (simulated, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(row, _)| row.package == TESTS);
    let (simulated, others) = (group(simulated), group(others));
    for (program, rows) in &others {
        tally.passed += try_all(checkout, program, rows, &mut failures)?;
    }
    tally.failed += failures.len() as u64;
    for (program, rows) in &simulated {
        let mut command = program.command(checkout);
        command.arg("--exact").args(rows.iter().map(|row| &row.test));
        if let Err(error) = stream::run_reading(&mut command, |line| tally.read(line)) {
            failures.push(format!("of the simulation: {error:#}"));
        }
    }
    for failure in &failures {
        eprintln!("mutants: {failure}");
    }
    match failures.first() {
        None => Ok(Outcome::Ok),
        Some(first) => bail!("{} of {} mutants: {first}", failures.len(), chosen.len()),
    }
}

/// The rows of each program.
fn group<'a>(found: Vec<(&'a Row, &'a Program)>) -> BTreeMap<&'a Program, Vec<&'a Row>> {
    let mut grouped: BTreeMap<&Program, Vec<&Row>> = BTreeMap::new();
    for (row, program) in found {
        grouped.entry(program).or_default().push(row);
    }
    grouped
}

/// Tries the rows of one program: all tests without a bug at once, then each with its own. Returns how many were caught.
fn try_all(checkout: &Checkout, program: &Program, rows: &[&Row], failures: &mut Vec<String>) -> Result<u64> {
    let tests: Vec<&str> = rows.iter().map(|row| row.test.as_str()).collect();
    let plain = program.run(checkout, &tests, None)?;
    println!(
        "{}: {} tests without a mutant, then each with its own",
        program.package(),
        tests.len()
    );
    let mut caught = 0;
    for row in rows {
        let verdict = if plain.has_passed(&row.test) {
            let with = program.run(checkout, &[&row.test], Some(&row.mutant))?;
            judge(row, &with)
        } else {
            println!("{}{}", plain.stdout, plain.stderr);
            Err(format!("test {} fails without mutant {}", row.test, row.mutant))
        };
        match verdict {
            Ok(()) => {
                println!("mutant {} ... caught by {}", row.mutant, row.test);
                caught += 1;
            }
            Err(failure) => {
                println!("{failure}");
                failures.push(failure);
            }
        }
    }
    Ok(caught)
}

/// Whether the test caught the bug.
fn judge(row: &Row, with: &Ended) -> Result<(), String> {
    let Row { mutant, test, .. } = row;
    let Some(status) = with.status else {
        return Err(format!("mutant {mutant} keeps {test} from ending"));
    };
    let reached = format!("mutant {mutant} was reached");
    if !with.stderr.lines().any(|line| line == reached) {
        return Err(format!(
            "mutant {mutant} no longer applies: {test} does not reach it"
        ));
    }
    if status.success() {
        return Err(format!("mutant {mutant} survived {test}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn judged(status: Option<i32>, stderr: &str) -> Result<(), String> {
        let row = Row {
            mutant: "Gap".to_owned(),
            package: "p".to_owned(),
            test: "t".to_owned(),
        };
        let with = Ended {
            status: status.map(ExitStatus::from_raw),
            stdout: String::new(),
            stderr: stderr.to_owned(),
        };
        judge(&row, &with)
    }

    #[test]
    fn only_a_test_that_reaches_the_bug_and_fails_has_caught_it() {
        let reached = "a line\nmutant Gap was reached\n";
        assert_eq!(judged(Some(101 << 8), reached), Ok(()));
        let says = |status, stderr: &str| judged(status, stderr).unwrap_err();
        assert_eq!(says(Some(0), reached), "mutant Gap survived t");
        for status in [0, 101 << 8] {
            let said = says(Some(status), "mutant Gaps was reached");
            assert_eq!(said, "mutant Gap no longer applies: t does not reach it");
        }
        assert_eq!(says(None, reached), "mutant Gap keeps t from ending");
    }

    #[test]
    fn a_test_has_passed_where_its_own_line_says_so() {
        let ended = Ended {
            status: None,
            stdout: "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n".to_owned(),
            stderr: String::new(),
        };
        assert!(ended.has_passed("a::b"));
        assert!(!ended.has_passed("a::c") && !ended.has_passed("b"));
    }
}
