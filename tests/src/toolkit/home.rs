//! A data directory of its own for each test, and commands on it.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use followlytics_testbed::s3::S3;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    eventually, finish,
    program::{Ends, program, signal},
    ran::{Ran, wait},
    site::Site,
};

/// A data directory, and the environment in which commands run on it.
pub struct Home {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    /// One whose platforms are all this site.
    pub fn new(site: &Site) -> Self {
        ["BLUESKY", "X", "GITEA"]
            .iter()
            .fold(Self::without_platforms(), |home, name| {
                home.with(&format!("FOLLOWLYTICS_{name}_URL"), &site.url)
            })
    }

    /// One whose commands are given no platform's address.
    #[must_use]
    pub fn without_platforms() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        }
    }

    /// One whose commands keep the ledger in this database and objects in a part of this bucket; and that part.
    pub fn elsewhere(site: &Site, database: &str, s3: &S3) -> (Self, String) {
        static PARTS: AtomicU32 = AtomicU32::new(0);
        let part = PARTS.fetch_add(1, Ordering::Relaxed);
        let objects = format!("{}/{}-{part}", s3.url(), process::id());
        let home = Self::new(site)
            .with("FOLLOWLYTICS_DATABASE", database)
            .with("FOLLOWLYTICS_OBJECTS", &objects);
        let credentials = s3.variables();
        let home = credentials
            .iter()
            .fold(home, |home, (name, value)| home.with(name, value));
        (home, objects)
    }

    /// The same with a variable more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The directory in which commands run.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A file in the directory in which commands run.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Any program in this directory, with nothing of the test's own environment but `PATH`.
    pub fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The command, in an environment of its own.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        self.command_that_logs("error", words)
    }

    fn command_that_logs<S: AsRef<OsStr>>(&self, level: &str, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command_of(program());
        command
            .args(words)
            .env("FOLLOWLYTICS_DATA", self.data())
            .env("FOLLOWLYTICS_LOG", level)
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command to its end: its words, apart by blanks.
    pub fn run(&self, line: &str) -> Ran {
        finish(self.command(line.split_whitespace()).spawn().unwrap(), line)
    }

    /// The same with something on standard input.
    pub fn run_with(&self, line: &str, input: &str) -> Ran {
        let mut child = self
            .command(line.split_whitespace())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its arguments never reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        finish(child, line)
    }

    /// Runs `up`, and returns once everything runs. What it logs is shown where the test fails.
    pub fn up(&self, more: &str) -> Up {
        let ready = self.path().join("ready");
        let _ = fs::remove_file(&ready);
        let log = self.path().join("up.log");
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = self.command_that_logs("info", ["up", "--ready-file"]);
        command
            .arg(&ready)
            .args(more.split_whitespace())
            .stdout(Stdio::null())
            .stderr(file);
        let up = Up {
            child: Ends(command.spawn().unwrap()),
            logs: vec![log, self.data()],
        };
        eventually("`up` is ready", || ready.is_file());
        up
    }

    /// Applies a file of these documents.
    pub fn apply(&self, documents: &str) {
        let path = self.write("applied.yaml", documents);
        let ran = self.run(&format!("apply -f {}", path.display()));
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// One object as the API server has it.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let ran = self.run(&format!("get {kind} {name} -o json"));
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }

    /// Waits until a scan is in this phase.
    pub fn wait_for(&self, scan: &str, phase: &str) -> Value {
        let mut seen = Value::Null;
        eventually(&format!("{scan} is {phase}"), || {
            seen = self.get("scans", scan);
            seen["status"]["phase"] == phase
        });
        seen
    }
}

/// A running `up`; killed when the test ends.
pub struct Up {
    child: Ends,
    /// Files it logs to, and directories of such files.
    logs: Vec<PathBuf>,
}

impl Up {
    /// Its process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.0.id()).unwrap()
    }

    /// Stops it in good order; its exit code.
    pub fn stop(mut self) -> i32 {
        signal(&self.child.0, "TERM");
        wait(&mut self.child.0, "up")
    }

    /// Ends it as a power cut would.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if thread::panicking() {
            self.logs.iter().for_each(|path| show(path));
        }
    }
}

/// Prints the end of a log, or of every log below a directory.
fn show(path: &Path) {
    const LINES: usize = 150;
    if let Ok(entries) = fs::read_dir(path) {
        entries.flatten().for_each(|entry| show(&entry.path()));
    } else if path.extension().is_some_and(|kind| kind == "log") {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LINES);
        println!("--- {}", path.display());
        lines[from..].iter().for_each(|line| println!("{line}"));
    }
}
