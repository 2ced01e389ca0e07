//! Real processes for benches: simulated platforms, `up` with its children, and what each of them uses.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use followlytics_store::{db::Db, params};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::toolkit::{Ends, families, pause};

/// How often processes are looked at: what one uses in its last moments is missed.
const LOOK: Duration = Duration::from_millis(20);

/// The program, where the build puts it.
pub fn program() -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let program = here.parent().context("no directory")?.join("followlytics");
    ensure!(
        program.is_file(),
        "{} is missing: run `cargo build --release` first",
        program.display()
    );
    Ok(program)
}

/// Simulated platforms in a process of their own.
pub struct Site {
    /// Where they are.
    pub url: String,
    _child: Ends,
    _directory: TempDir,
}

impl Site {
    /// A world of these settings and accounts, as `followlytics simulator --config` reads them.
    pub fn start(config: &Value) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("world.json");
        std::fs::write(&path, config.to_string())?;
        let mut command = Command::new(program()?);
        command.args(["simulator", "--listen", "127.0.0.1:0", "--config"]);
        let mut child = Ends(command.arg(&path).stdout(Stdio::piped()).spawn()?);
        let out = child.0.stdout.take().context("no output")?;
        let mut url = String::new();
        BufReader::new(out).read_line(&mut url)?;
        ensure!(url.starts_with("http://"), "the simulator did not start");
        Ok(Self {
            url: url.trim().to_owned(),
            _child: child,
            _directory: directory,
        })
    }
}

/// `up` on a data directory of its own.
pub struct Installation {
    up: Option<Ends>,
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// How a scan went, by the ledger's own times.
#[derive(Debug, Clone, Copy)]
pub struct Scanned {
    /// From its acceptance to its visible result, in seconds.
    pub wall: f64,
    /// From its acceptance to its last page, in seconds.
    pub listed: f64,
    /// Followers in the result.
    pub rows: i64,
}

impl Installation {
    /// Starts `up` against this site, with these arguments.
    pub fn start(site: &Site, arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let names = ["X", "BLUESKY", "GITEA"];
        let urls = names.map(|name| (format!("FOLLOWLYTICS_{name}_URL"), site.url.clone()));
        let mut installation = Self {
            up: None,
            environment: urls
                .into_iter()
                .chain([
                    (
                        "FOLLOWLYTICS_DATA".to_owned(),
                        directory.path().join("data").display().to_string(),
                    ),
                    ("FOLLOWLYTICS_LOG".to_owned(), "error".to_owned()),
                ])
                .collect(),
            directory,
        };
        let ready = installation.directory.path().join("ready");
        let mut command = installation.command(&["up", "-q", "--ready-file"])?;
        let child = command.arg(&ready).args(arguments).spawn()?;
        installation.up = Some(Ends(child));
        for _ in 0..1000 {
            if ready.is_file() {
                return Ok(installation);
            }
            pause(LOOK);
        }
        bail!("`up` was not ready within 20 s")
    }

    /// A command on this installation.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(program()?);
        command
            .args(words)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command to its end; its output.
    pub fn run(&self, words: &[&str], input: &str) -> Result<String> {
        let mut command = self.command(words)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child
            .stdin
            .take()
            .context("no input")?
            .write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "`followlytics {}` ended with {}",
            words.join(" "),
            output.status
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The process of `up`.
    pub fn pid(&self) -> Result<i32> {
        let up = self.up.as_ref().context("`up` was not started")?;
        Ok(i32::try_from(up.0.id())?)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What the ledger says of the only scan.
    pub fn scanned(&self) -> Result<Scanned> {
        scanned(&self.data().join("ledger.db"))
    }
}

fn scanned(ledger: &Path) -> Result<Scanned> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let db = Db::open(ledger)?;
        let mut tx = db.begin().await?;
        let row = tx
            .find(
                "SELECT s.created_at, s.ended_at, r.lines, (SELECT MAX(committed_at) FROM pages p WHERE p.scan = s.uid) \
                 FROM scans s JOIN results r ON r.scan = s.uid",
                params![],
            )
            .await?
            .context("the scan has no result")?;
        let (created, ended, last): (Timestamp, Timestamp, Timestamp) = (row.get(0)?, row.get(1)?, row.get(3)?);
        Ok(Scanned {
            wall: ended.duration_since(created).as_secs_f64(),
            listed: last.duration_since(created).as_secs_f64(),
            rows: row.get(2)?,
        })
    })
}

/// What processes used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor time of all of them, in seconds.
    pub cpu: f64,
    /// The most memory that one of them held, in MB.
    pub peak_mb: f64,
}

/// Watches processes and all their descendants until it is stopped.
pub struct Meter {
    stop: Sender<()>,
    thread: JoinHandle<BTreeMap<i32, (String, Usage)>>,
}

impl Meter {
    /// Watches these.
    pub fn start(roots: Vec<i32>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut seen = BTreeMap::new();
            loop {
                look(&roots, &mut seen);
                if !matches!(stopped.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
                    return seen;
                }
            }
        });
        Self { stop, thread }
    }

    /// What each role used; a role is a program's first argument.
    pub fn stop(self) -> Result<BTreeMap<String, Usage>> {
        drop(self.stop);
        let Ok(seen) = self.thread.join() else {
            bail!("the meter failed")
        };
        let mut roles: BTreeMap<String, Usage> = BTreeMap::new();
        for (role, usage) in seen.into_values() {
            let sum = roles.entry(role).or_default();
            sum.cpu += usage.cpu;
            sum.peak_mb = sum.peak_mb.max(usage.peak_mb);
        }
        Ok(roles)
    }
}

fn look(roots: &[i32], seen: &mut BTreeMap<i32, (String, Usage)>) {
    for process in families(roots).unwrap_or_default() {
        let (Some(role), Some(kib)) = (process.role(), process.peak_kib()) else {
            continue;
        };
        let usage = Usage {
            cpu: process.cpu,
            peak_mb: f64::from(kib) * 1024.0 / 1e6,
        };
        seen.insert(process.pid, (role.to_owned(), usage));
    }
}
