//! Real processes for benches: simulated platforms, `up` with its children, and what each of them uses.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use followlytics_store::{db::Db, params};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// How often processes are looked at: what one uses in its last moments is missed.
const LOOK: Duration = Duration::from_millis(20);
/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;
/// The token that the simulated X accepts.
pub const X_TOKEN: &str = "simulator-bearer";

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

/// A child that ends with this value.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Simulated platforms in a process of their own.
pub struct Site {
    child: Ends,
    /// Where they are.
    pub url: String,
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
            child,
            url: url.trim().to_owned(),
            _directory: directory,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
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
    pub fn pid(&self) -> u32 {
        self.up.as_ref().map_or(0, |up| up.0.id())
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
    pub fn start(roots: Vec<u32>) -> Self {
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

fn look(roots: &[u32], seen: &mut BTreeMap<i32, (String, Usage)>) {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return;
    };
    let processes: BTreeMap<i32, (i32, String, Usage)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, read(pid)?)))
        .collect();
    for (pid, (_, role, usage)) in &processes {
        let mut ancestor = *pid;
        while let Some((parent, ..)) = processes.get(&ancestor) {
            if u32::try_from(ancestor).is_ok_and(|id| roots.contains(&id)) {
                seen.insert(*pid, (role.clone(), *usage));
                break;
            }
            ancestor = *parent;
        }
    }
}

/// Parent, role and use of a process, as `/proc` shows them.
fn read(pid: i32) -> Option<(i32, String, Usage)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
    let parent = fields.get(1)?.parse().ok()?;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let role = line.split(|byte| *byte == 0).nth(1)?;
    let status = BufReader::new(File::open(format!("/proc/{pid}/status")).ok()?);
    let peak = status.lines().map_while(Result::ok).find_map(|line| {
        let kib = line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?;
        kib.parse::<f64>().ok()
    });
    let usage = Usage {
        cpu: (number(11)? + number(12)?) / TICKS,
        peak_mb: peak? * 1024.0 / 1e6,
    };
    Some((parent, String::from_utf8_lossy(role).into_owned(), usage))
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
