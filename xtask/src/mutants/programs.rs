//! The test programs with every deliberate bug compiled in: built once, listed, and run one test at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::table::Row;
use crate::checkout::Checkout;
use crate::stream;

/// Time a test may take, with a bug or without; a bug may make it wait forever.
const LIMIT: Duration = Duration::from_mins(5);

/// The package of the program.
const PROGRAM: &str = "followlytics";

/// Names the bug of a whole process.
const VARIABLE: &str = "FOLLOWLYTICS_MUTANT";

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Program {
    executable: PathBuf,
    /// Where cargo runs it: the folder of its package.
    folder: PathBuf,
    package: String,
}

/// How a run of some tests ended.
pub(super) struct Ended {
    /// `None` if it was ended because it took too long.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// What cargo says of a thing that it built.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// The programs by the tests that they hold, by package.
pub(super) struct Programs(BTreeMap<(String, String), Program>);

impl Programs {
    /// Builds the programs that hold the rows' tests: unit tests, and integration tests named `suite` or `mutants`.
    ///
    /// Cargo unites the features of the packages that are selected. With the program's own package, which has no such test,
    /// they are the features of the whole workspace: otherwise the dependencies would be built once more.
    pub(super) fn build(checkout: &Checkout, rows: &[Row], is_release: bool) -> Result<Self> {
        let packages: BTreeSet<&str> = rows.iter().map(|row| row.package.as_str()).collect();
        let mut command = checkout.cargo(["test", "--lib", "--test", "suite", "--package", PROGRAM]);
        for package in packages {
            command.args(["--package", package]);
        }
        command.args(["--test", super::SIMULATION, "--features", super::FEATURE]);
        command.args(is_release.then_some("--release"));
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        let messages = stream::output(&mut command)?;
        let metadata = checkout.metadata()?;
        let mut tests = BTreeMap::new();
        for line in messages.lines().filter(|line| line.starts_with('{')) {
            let message: Message =
                serde_json::from_str(line).context("failed to read a message of `cargo test`")?;
            // Programs that integration tests start are built too, and are not tests.
            let is_test = message.profile.is_some_and(|profile| profile.test);
            let (Some(executable), Some(manifest), true) =
                (message.executable, message.manifest_path, is_test)
            else {
                continue;
            };
            let package = metadata.packages.iter().find(|own| own.manifest_path == manifest);
            let Some(name) = package.map(|package| &package.name) else {
                continue;
            };
            let program = Program {
                executable,
                folder: manifest.parent().unwrap_or(checkout.root()).to_owned(),
                package: name.clone(),
            };
            for test in program.list(checkout)? {
                if !rows.iter().any(|row| row.package == *name && row.test == test) {
                    continue;
                }
                if let Some(other) = tests.insert((name.clone(), test), program.clone()) {
                    bail!(
                        "{} and {} have a test of one name",
                        other.executable.display(),
                        program.executable.display()
                    );
                }
            }
        }
        Ok(Self(tests))
    }

    /// The program that holds the test of a row.
    pub(super) fn find(&self, row: &Row) -> Option<&Program> {
        self.0.get(&(row.package.clone(), row.test.clone()))
    }
}

impl Program {
    fn list(&self, checkout: &Checkout) -> Result<Vec<String>> {
        let mut command = self.command(checkout);
        let listed = stream::capture(command.args(["--list", "--format", "terse"]))?;
        let tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(tests.map(str::to_owned).collect())
    }

    /// The command that runs it as cargo does, with no bug.
    pub(super) fn command(&self, checkout: &Checkout) -> Command {
        let mut command = checkout.command(&self.executable);
        command
            .current_dir(&self.folder)
            .env_remove(VARIABLE)
            .env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs these tests, with a bug or with none.
    pub(super) fn run(&self, checkout: &Checkout, tests: &[&str], mutant: Option<&str>) -> Result<Ended> {
        let mut command = self.command(checkout);
        command.arg("--exact").args(tests);
        if let Some(mutant) = mutant {
            // A property that fails as it should writes nothing into the checkout.
            command
                .env(VARIABLE, mutant)
                .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1");
        }
        // Files, because a pipe that nobody reads stops its writer.
        let (mut stdout, mut stderr) = (file()?, file()?);
        command
            .stdin(Stdio::null())
            .stdout(copy(&stdout)?)
            .stderr(copy(&stderr)?);
        let mut child = command
            .spawn()
            .with_context(|| format!("failed to start `{}`", stream::shown(&command)))?;
        let status = stream::wait(&mut child, LIMIT)?;
        if status.is_none() {
            child
                .kill()
                .and_then(|()| child.wait())
                .context("failed to end a test")?;
        }
        Ok(Ended {
            status,
            stdout: text(&mut stdout)?,
            stderr: text(&mut stderr)?,
        })
    }

    pub(super) fn package(&self) -> &str {
        &self.package
    }
}

impl Ended {
    /// Whether this test was run and passed.
    pub(super) fn has_passed(&self, test: &str) -> bool {
        let line = format!("test {test} ... ok");
        self.stdout.lines().any(|own| own == line)
    }
}

fn file() -> Result<File> {
    tempfile::tempfile().context("failed to make a file for the output of a test")
}

fn copy(file: &File) -> Result<File> {
    file.try_clone()
        .context("failed to open the output of a test again")
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .context("failed to read the output of a test")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
