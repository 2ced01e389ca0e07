//! The stages of a run: what came of each, how long it took, and the table and closing line at the end.
//!
//! A stage that was not run is never shown as passed, and with `CI=true` it fails the run.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::clock;
use crate::tally::Tally;

/// What came of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// Succeeded, and left something out that this machine cannot do.
    OkWithout(String),
    Failed(String),
    NotRun(String),
}

struct Stage {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// The stages so far, in the order they were run.
pub(crate) struct Board {
    stages: Vec<Stage>,
    tests: Tally,
    /// Failed stages in which no test failed: each counts as one failure in the closing line, so that the line
    /// never reads `0 failed` under a red run.
    failed_without_test: u64,
    in_ci: bool,
}

/// Whether this run is a build server's: there, a stage that was not run is a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

impl Outcome {
    fn is_success(&self) -> bool {
        matches!(self, Self::Ok | Self::OkWithout(_))
    }

    fn is_failure(&self, in_ci: bool) -> bool {
        match self {
            Self::Ok | Self::OkWithout(_) => false,
            Self::Failed(_) => true,
            Self::NotRun(_) => in_ci,
        }
    }

    /// Ends a job that consists of one stage.
    pub(crate) fn settle(self, name: &str) -> Result<()> {
        match &self {
            Self::NotRun(reason) => println!("{name}: not run: {reason}"),
            Self::Ok => println!("{name}: ok"),
            Self::OkWithout(reason) => println!("{name}: ok, without {reason}"),
            Self::Failed(_) => {}
        }
        if self.is_failure(in_ci()) {
            match self {
                Self::Failed(reason) => bail!("{name} failed: {reason}"),
                _ => bail!("{name} was not run, and CI is set"),
            }
        }
        Ok(())
    }
}

impl Board {
    pub(crate) fn new(in_ci: bool) -> Self {
        Self {
            stages: Vec::new(),
            tests: Tally::default(),
            failed_without_test: 0,
            in_ci,
        }
    }

    /// Runs a stage, unless a stage it needs did not succeed.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        needs: &[&str],
        stage: impl FnOnce(&mut Tally) -> Result<Outcome>,
    ) {
        let began = clock::now();
        let before = self.tests.failed;
        let missing = self
            .stages
            .iter()
            .find(|done| needs.contains(&done.name) && !done.outcome.is_success());
        let outcome = if let Some(missing) = missing {
            Outcome::NotRun(format!("needs {}", missing.name))
        } else {
            println!("\n== {name}");
            stage(&mut self.tests).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")))
        };
        match &outcome {
            Outcome::Ok | Outcome::OkWithout(_) => {}
            Outcome::Failed(reason) => eprintln!("{name} failed: {reason}"),
            Outcome::NotRun(reason) => println!("{name} not run: {reason}"),
        }
        if outcome.is_failure(self.in_ci) && self.tests.failed == before {
            self.failed_without_test += 1;
        }
        self.stages.push(Stage {
            name,
            outcome,
            took: began.elapsed(),
        });
    }

    /// Whether nothing failed and, on a build server, nothing was left out.
    pub(crate) fn is_green(&self) -> bool {
        !self
            .stages
            .iter()
            .any(|stage| stage.outcome.is_failure(self.in_ci))
    }

    /// The stages as a table: name, outcome, seconds, reason.
    pub(crate) fn table(&self) -> String {
        let width = self
            .stages
            .iter()
            .map(|stage| stage.name.len())
            .max()
            .unwrap_or(0)
            .max("stage".len());
        let mut table = format!("{:width$}  {:7}  {:>7}  reason\n", "stage", "outcome", "seconds");
        for stage in &self.stages {
            let (outcome, reason) = match &stage.outcome {
                Outcome::Ok => ("ok", String::new()),
                Outcome::OkWithout(reason) => ("ok", format!("without {reason}")),
                Outcome::Failed(reason) => ("failed", reason.clone()),
                Outcome::NotRun(reason) => ("not run", reason.clone()),
            };
            let seconds = format!("{:.1}", stage.took.as_secs_f64());
            let reason = reason.lines().next().unwrap_or_default();
            let line = format!("{:width$}  {outcome:7}  {seconds:>7}  {reason}", stage.name);
            table.push_str(line.trim_end());
            table.push('\n');
        }
        table
    }

    /// `N passed, N failed`: every test of the run, and one failure for each stage that failed without a test.
    pub(crate) fn closing_line(&self) -> String {
        format!(
            "{} passed, {} failed",
            self.tests.passed,
            self.tests.failed + self.failed_without_test
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(in_ci: bool) -> Board {
        let mut board = Board::new(in_ci);
        board.run("lint", &[], |_| Ok(Outcome::Ok));
        board.run("build", &[], |_| bail!("failed to build\nwith a second line"));
        board.run("tests", &["build"], |_| Ok(Outcome::Ok));
        board
    }

    #[test]
    fn a_stage_whose_need_failed_is_not_run_and_never_shown_as_ok() {
        let board = played(false);
        let rows: Vec<Vec<String>> = board
            .table()
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(|cell| cell.trim().to_owned())
                    .filter(|cell| !cell.is_empty())
                    .collect()
            })
            .collect();
        assert_eq!(rows[1][..2], ["lint", "ok"]);
        assert_eq!(rows[2][..2], ["build", "failed"]);
        assert_eq!(rows[2][3], "failed to build");
        assert_eq!(rows[3][..2], ["tests", "not run"]);
        assert_eq!(rows[3][3], "needs build");
        assert!(!board.is_green());
    }

    #[test]
    fn a_stage_that_fails_without_a_test_is_counted_in_the_closing_line() {
        assert_eq!(played(false).closing_line(), "0 passed, 1 failed");
        assert_eq!(played(true).closing_line(), "0 passed, 2 failed");
    }

    #[test]
    fn failing_tests_are_counted_once() {
        let mut board = Board::new(false);
        board.run("tests", &[], |tally| {
            tally.read("test result: FAILED. 5 passed; 2 failed; 0 ignored");
            bail!("`cargo test` failed")
        });
        assert_eq!(board.closing_line(), "5 passed, 2 failed");
    }

    #[test]
    fn what_a_successful_stage_left_out_is_shown_and_stops_nothing() {
        let mut board = Board::new(true);
        board.run("lint", &[], |_| Ok(Outcome::OkWithout("advisories".to_owned())));
        board.run("tests", &["lint"], |_| Ok(Outcome::Ok));
        assert!(board.is_green());
        assert!(board.table().contains("without advisories"));
    }

    #[test]
    fn not_run_fails_in_ci_only() {
        for in_ci in [false, true] {
            let mut board = Board::new(in_ci);
            board.run("readme", &[], |_| {
                Ok(Outcome::NotRun("README.md is not there".to_owned()))
            });
            assert_eq!(board.is_green(), !in_ci);
        }
    }
}
