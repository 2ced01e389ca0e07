//! The program, a data directory of its own for each test, and simulated platforms to talk to.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use followlytics_simulator::{AccountSpec, Platform, World, WorldConfig};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

/// Longest a command may take in these tests.
const LONGEST: Duration = Duration::from_secs(90);

/// The program, beside the test's own executable. Built first if nobody has.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let own = env::current_exe().unwrap();
        let profile = own.parent().and_then(Path::parent).unwrap().to_owned();
        let program = profile.join("followlytics");
        if !program.is_file() {
            println!("{} is missing; building it", program.display());
            let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let target = profile.parent().unwrap();
            let built = Command::new(cargo)
                .args(["build", "--release", "--package", "followlytics", "--target-dir"])
                .arg(target)
                .status()
                .unwrap();
            assert!(
                built.success(),
                "build the program first: cargo build --release --package followlytics"
            );
        }
        program
    })
}

/// Simulated platforms on a port.
pub struct Site {
    pub world: Arc<World>,
    pub url: String,
    _runtime: Runtime,
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

impl Site {
    pub fn new(config: WorldConfig, accounts: impl IntoIterator<Item = AccountSpec>) -> Self {
        let world = Arc::new(World::new(config, Arc::new(now)));
        for account in accounts {
            world.create_account(account).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(followlytics_simulator::serve(Arc::clone(&world), listener));
        Self {
            world,
            url,
            _runtime: runtime,
        }
    }

    /// An ordinary world in which every answer takes this long.
    pub fn slow(latency_ms: u64, accounts: impl IntoIterator<Item = AccountSpec>) -> Self {
        Self::new(
            WorldConfig {
                seed: 7,
                latency_ms,
                ..WorldConfig::default()
            },
            accounts,
        )
    }

    /// Requests that reached a platform.
    pub fn requests(&self) -> usize {
        self.world.requests(0, usize::MAX).len()
    }
}

pub fn bluesky(handle: &str, followers: u64) -> AccountSpec {
    AccountSpec::new(Platform::Bluesky, handle, followers)
}

pub fn x(handle: &str, followers: u64) -> AccountSpec {
    AccountSpec::new(Platform::X, handle, followers)
}

pub fn gitea(handle: &str, followers: u64) -> AccountSpec {
    AccountSpec::new(Platform::Gitea, handle, followers)
}

/// The token that the simulated X accepts.
pub const X_TOKEN: &str = "simulator-bearer";

/// A data directory, and the environment in which commands run on it.
pub struct Home {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new(site: &Site) -> Self {
        let urls =
            ["BLUESKY", "X", "GITEA"].map(|name| (format!("FOLLOWLYTICS_{name}_URL"), site.url.clone()));
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment: urls
                .into_iter()
                .chain([("FOLLOWLYTICS_LOG".to_owned(), "error".to_owned())])
                .collect(),
        }
    }

    /// The same with a variable more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The command, in an environment of its own.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program());
        command
            .args(words)
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("FOLLOWLYTICS_DATA", self.data())
            .envs(self.environment.iter().cloned())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
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

    /// Runs `up`, and returns once everything runs.
    pub fn up(&self, more: &str) -> Up {
        let ready = self.path().join("ready");
        let _ = fs::remove_file(&ready);
        let mut command = self.command(["up", "--ready-file"]);
        command
            .arg(&ready)
            .args(more.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let child = command.spawn().unwrap();
        let up = Up { child };
        eventually("`up` is ready", || ready.is_file());
        up
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

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Ends with this code and says each of these.
    pub fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        let errors: Vec<&str> = self
            .err
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "one sentence: {self:?}");
        for part in parts {
            assert!(errors[0].contains(part), "{part:?} is not said: {self:?}");
        }
    }
}

/// A running `up`; killed when the test ends.
pub struct Up {
    child: Child,
}

impl Up {
    /// Its process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Stops it in good order; its exit code.
    pub fn stop(mut self) -> i32 {
        signal(&self.child, "TERM");
        wait(&mut self.child, "up")
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a child that was not waited for yet.
pub fn signal(child: &Child, name: &str) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match name {
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        other => panic!("{other} is no signal of these tests"),
    };
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn wait(child: &mut Child, what: &str) -> i32 {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if waited > LONGEST {
            let _ = child.kill();
            panic!("{what} did not end within {LONGEST:?}");
        }
        pause(Duration::from_millis(10));
        waited += Duration::from_millis(10);
    }
}

/// Waits for a child's end and reads what it wrote.
pub fn finish(mut child: Child, what: &str) -> Ran {
    let mut err = child.stderr.take().unwrap();
    let mut out = child.stdout.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let outputs = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let code = wait(&mut child, what);
    Ran {
        code,
        out: outputs.join().unwrap().unwrap(),
        err: errors.join().unwrap().unwrap(),
    }
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
pub fn pause(duration: Duration) {
    thread::sleep(duration);
}

/// Waits until something is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..900 {
        if is_so() {
            return;
        }
        pause(Duration::from_millis(50));
    }
    panic!("not within 45 s: {what}");
}
