//! A real PostgreSQL of a test's own: started in about a second, gone with the test's process.
//!
//! Listens on a free port of 127.0.0.1 (user `followlytics`, password [`PASSWORD`]) and on a socket in its
//! folder. What it stores sorts by ICU's English rules, so that a statement that relies on the order of bytes
//! without saying so is found out. PostgreSQL refuses to run as root: then it runs as the user `postgres`.

mod process;
mod programs;
#[cfg(test)]
mod tests;

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use programs::Programs;

/// The password of the user `followlytics` over TCP; the socket asks for none.
pub const PASSWORD: &str = "correct-horse";
/// The user that owns everything.
pub const USER: &str = "followlytics";
/// How long a start may take; after a crash it replays the log first.
const STARTING: Duration = Duration::from_mins(1);

/// The user that runs the server, if the tests run as root.
pub(crate) fn owner() -> Result<Option<(u32, u32)>> {
    Ok(Programs::find()?.owner())
}

/// How a server is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether a commit waits until it is on the disk. A killed process loses nothing either way.
    pub fsync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: true }
    }
}

/// A running server.
pub struct Postgres {
    programs: Programs,
    folder: PathBuf,
    options: Options,
    port: u16,
    server: Mutex<Option<Child>>,
    /// Ends the server and removes its folder once this process is gone, however it ends.
    janitor: Child,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that all tests of this process share; without fsync.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(Options { fsync: false }).map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Starts a server of one's own: to pause it, kill it, or measure it.
    pub fn start(options: Options) -> Result<Self> {
        let programs = Programs::find()?;
        let folder = tempfile::Builder::new()
            .prefix("followlytics-postgres-")
            .tempdir()?
            .keep();
        // Everyone may look into it: the server's user is another one when we are root.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let janitor = process::janitor(&folder)?;
        let started = Self {
            programs,
            folder,
            options,
            port: crate::port::free()?,
            server: Mutex::default(),
            janitor,
            databases: AtomicU32::new(0),
        };
        started.init()?;
        started.restart()?;
        Ok(started)
    }

    fn init(&self) -> Result<()> {
        let data = self.data();
        fs::create_dir(&data)?;
        let secret = self.folder.join("password");
        fs::write(&secret, PASSWORD)?;
        if let Some((uid, gid)) = self.programs.owner() {
            for path in [&data, &secret, &self.folder] {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        let mut command = self.programs.command("initdb");
        command
            .args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--locale-provider=icu", "--icu-locale=en"])
            .args([
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--username",
                USER,
            ])
            .arg("--pwfile")
            .arg(&secret)
            .arg("--pgdata")
            .arg(&data);
        let made = command.output().context("failed to run initdb")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(())
    }

    /// Starts the server again after [`Postgres::kill`], with the same data and port.
    pub fn restart(&self) -> Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_some() {
            bail!("the server runs already");
        }
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(self.data());
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.folder.display()),
            format!("fsync={}", if self.options.fsync { "on" } else { "off" }),
            "max_connections=300".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir(&self.folder);
        let mut child = process::in_own_group(&mut command)
            .spawn()
            .context("failed to start postgres")?;
        self.wait_until_ready(&mut child)?;
        *server = Some(child);
        Ok(())
    }

    fn wait_until_ready(&self, child: &mut Child) -> Result<()> {
        let is_ready = || {
            // The file's eighth line is what the server says of itself; a file of an earlier one names another pid.
            let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            let mut lines = file.lines();
            let is_its = lines.next().is_some_and(|pid| pid == child.id().to_string());
            if let Some(status) = child.try_wait()? {
                bail!("postgres ended at once ({status}): {}", self.read_log());
            }
            Ok(is_its && lines.nth(6).is_some_and(|status| status.trim() == "ready"))
        };
        if process::wait_until(STARTING, is_ready)? {
            return Ok(());
        }
        bail!("postgres was not ready in {STARTING:?}: {}", self.read_log())
    }

    /// Kills the server and all its processes at once, as a crash would; returns once they are gone.
    pub fn kill(&self) -> Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut child) = server.take() else {
            return Ok(());
        };
        process::signal_tree(child.id(), Signal::KILL)?;
        child.wait()?;
        process::wait_until_unused(&self.data())
    }

    /// Freezes the server and all its processes: connections stay, and nobody answers.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let child = server.as_ref().context("the server was killed")?;
        process::signal_tree(child.id(), signal)
    }

    /// A new empty database: its URL, with the password.
    pub fn create_database(&self) -> Result<String> {
        self.copy_database("template0")
    }

    /// A new database that begins as a copy of another one (its name, or its URL), which nobody may be using.
    pub fn copy_database(&self, template: &str) -> Result<String> {
        let template = template.rsplit('/').next().unwrap_or(template);
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run_sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(self.url(&name))
    }

    /// The URL of a database of this server, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements with psql, as the owner of everything; what they print, one row a line.
    pub fn run_sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = self.psql(database);
        command.args(["--command", sql]);
        run(command)
    }

    fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.programs.path("psql"));
        command
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args([
                "--set",
                "ON_ERROR_STOP=1",
                "--username",
                USER,
                "--dbname",
                database,
            ])
            .arg("--host")
            .arg(&self.folder)
            .args(["--port", &self.port.to_string()]);
        command
    }

    /// Runs a file of statements with psql; it may hold the data of `COPY`.
    pub fn run_file(&self, database: &str, file: &Path) -> Result<()> {
        let mut command = self.psql(database);
        command.arg("--single-transaction").arg("--file").arg(file);
        run(command).map(drop)
    }

    /// One of the installation's programs, such as `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.path(name)
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.as_ref().map(Child::id)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The file that the server logs to.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn read_log(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut last = String::new();
        for line in log.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev() {
            let _ = writeln!(last, "{line}");
        }
        last
    }
}

fn run(mut command: Command) -> Result<String> {
    let ran = command.output().context("failed to run psql")?;
    if !ran.status.success() {
        bail!("psql failed: {}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).trim_end().to_owned())
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The janitor reads to the end of this pipe, then tidies up.
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
        if let Ok(Some(mut server)) = self.server.get_mut().map(Option::take) {
            let _ = server.wait();
        }
    }
}
