//! An S3 server: versitygw on a directory, with a bucket and credentials of its own.
//!
//! Durable: nothing. The objects lie in one temporary directory that goes with the test process.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::XattrFlags,
    process::{Pid, Signal, kill_process},
};

use crate::{keeper::Keeper, port, tools};

/// The bucket that every server comes with.
pub const BUCKET: &str = "followlytics";
/// The only region there is.
pub const REGION: &str = "us-east-1";

/// How often, and how soon again, a starting server is asked.
const LOOKS: u32 = 2_400;
const LOOK: Duration = Duration::from_millis(25);
/// How often another port is tried: somebody else may take a free one first.
const PORTS: u32 = 5;

/// Mounts a small disk over the directory that is its first argument, then becomes the server. The mount is seen by
/// this process alone and goes with it.
const ON_A_SMALL_DISK: &str = r#"
mount -t tmpfs -o "size=$2,mode=0700" tmpfs "$1" && mkdir "$1/data" "$1/data/$3" || exit 99
shift 3
exec "$@"
"#;

/// A server, its bucket and its credentials.
#[derive(Debug)]
pub struct S3 {
    server: Option<Keeper>,
    port: u16,
    access_key: String,
    secret_key: String,
    directory: PathBuf,
    disk: Disk,
    /// After the server: the directory goes last. Its program only waits.
    _directory: Keeper,
}

/// Where the server writes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Disk {
    Shared,
    /// One of its own, of so many MiB.
    Small(u32),
}

impl S3 {
    /// The server of this test binary, started by whoever asks first. Tests keep apart by prefixes.
    pub fn shared() -> Result<&'static Self> {
        static SERVER: OnceLock<Result<S3, String>> = OnceLock::new();
        SERVER
            .get_or_init(|| Self::start().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Starts a server; returns when requests are answered.
    pub fn start() -> Result<Self> {
        Self::start_on(Disk::Shared)
    }

    /// Starts a server whose disk holds so many MiB; takes root, or a kernel that lets users have their own mounts.
    pub fn start_small(mebibytes: u32) -> Result<Self> {
        Self::start_on(Disk::Small(mebibytes))
    }

    fn start_on(disk: Disk) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("followlytics-s3-")
            .tempdir()
            .context("failed to create a directory for the S3 server")?
            .keep();
        let waits = Keeper::start(
            Path::new("sleep"),
            ["infinity"],
            &directory.join("sleep.log"),
            Some(&directory),
        )?;
        for folder in [
            directory.join("data").join(BUCKET),
            directory.join("sidecar"),
            directory.join("disk"),
        ] {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("failed to create {}", folder.display()))?;
        }
        let mut s3 = Self {
            server: None,
            port: 0,
            access_key: random()?,
            secret_key: random()?,
            directory,
            disk,
            _directory: waits,
        };
        let mut last = None;
        for _ in 0..PORTS {
            s3.port = port::free()?;
            match s3.restart() {
                Ok(()) => return Ok(s3),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("failed to start the S3 server")?)
    }

    /// `s3://BUCKET`.
    pub fn url(&self) -> String {
        format!("s3://{BUCKET}")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment of a program that is to use it.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// What must be seen in no log and no list of processes.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The directory that is the bucket: its files are the objects. Only for a server without a disk of its own.
    pub fn bucket_directory(&self) -> PathBuf {
        self.directory.join("data").join(BUCKET)
    }

    /// Stops it in the middle of whatever it does; connections stay open and nobody answers.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        // The call returns before the last thread has stopped, and on a busy machine that one still answers.
        for _ in 0..LOOKS {
            if self.is_stopped() {
                return Ok(());
            }
            wait(LOOK);
        }
        bail!("the S3 server goes on after it was told to stop")
    }

    fn is_stopped(&self) -> bool {
        let Some(server) = &self.server else {
            return false;
        };
        let threads = fs::read_dir(format!("/proc/{}/task", server.pid()))
            .into_iter()
            .flatten();
        threads.flatten().all(|thread| {
            let status = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            status
                .rsplit_once(") ")
                .is_none_or(|(_, fields)| fields.starts_with('T'))
        })
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Ends it as a power cut would: nobody listens any more. Objects stay, except those on a disk of its own.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again where it was; returns when requests are answered.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let log = self.directory.join("versitygw.log");
        let (program, arguments) = self.command()?;
        let server = Keeper::start(&program, arguments, &log, None)?;
        for _ in 0..LOOKS {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            if TcpStream::connect(address).is_ok() {
                self.server = Some(server);
                return Ok(());
            }
            if !server.is_running() {
                bail!("versitygw ended: {}", server.last_words());
            }
            wait(LOOK);
        }
        bail!("versitygw does not listen: {}", server.last_words())
    }

    /// Gives a server with a disk of its own another size of it, in MiB.
    pub fn resize(&self, mebibytes: u32) -> Result<()> {
        let server = self.server.as_ref().context("the S3 server does not run")?;
        let done = Command::new("nsenter")
            .args(["--preserve-credentials", "-m", "-t", &server.pid().to_string()])
            .args(["mount", "-o", &format!("remount,size={mebibytes}m")])
            .arg(self.directory.join("disk"))
            .output()
            .context("failed to run nsenter: install the package util-linux")?;
        if !done.status.success() {
            bail!("failed to resize: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    fn command(&self) -> Result<(PathBuf, Vec<String>)> {
        let server = tools::program("versitygw")?;
        let root = match self.disk {
            Disk::Shared => self.directory.clone(),
            Disk::Small(_) => self.directory.join("disk"),
        };
        let mut arguments = Vec::new();
        if let Disk::Small(mebibytes) = self.disk {
            let flags = if rustix::process::geteuid().is_root() {
                "-m"
            } else {
                "-Urm"
            };
            let size = format!("{mebibytes}m");
            let disk = root.display().to_string();
            let words = [
                flags,
                "sh",
                "-c",
                ON_A_SMALL_DISK,
                "small-disk",
                &disk,
                &size,
                BUCKET,
            ];
            arguments.extend(words.map(str::to_owned));
            arguments.push(server.display().to_string());
        }
        let port = format!("127.0.0.1:{}", self.port);
        let options = ["--port", &port, "--region", REGION, "--quiet"];
        arguments.extend(options.map(str::to_owned));
        arguments.extend(["--access".to_owned(), self.access_key.clone()]);
        arguments.extend(["--secret".to_owned(), self.secret_key.clone()]);
        arguments.push("posix".to_owned());
        // What the server knows of an object beside its bytes lies in the file's attributes, where files have any. Never
        // on the small disk: one that is full between the bytes and the rest of an object leaves half of it behind,
        // which the server takes for existing on a write and for missing on a read.
        if self.disk != Disk::Shared || !has_attributes(&self.directory) {
            let sidecar = self.directory.join("sidecar");
            arguments.extend(["--sidecar".to_owned(), sidecar.display().to_string()]);
        }
        arguments.push(root.join("data").display().to_string());
        let program = match self.disk {
            Disk::Shared => server,
            Disk::Small(_) => PathBuf::from("unshare"),
        };
        Ok((program, arguments))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let server = self.server.as_ref().context("the S3 server does not run")?;
        let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("the S3 server has no process id")?, signal)
            .context("failed to signal the S3 server")
    }
}

fn has_attributes(directory: &Path) -> bool {
    rustix::fs::setxattr(directory, "user.followlytics", b"1", XattrFlags::empty()).is_ok()
}

/// Letters that nobody guesses.
fn random() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("failed to read random bytes")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(s3: &S3) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, s3.port)).is_ok()
    }

    #[test]
    fn a_server_comes_back_where_it_was_and_goes_with_its_directory() {
        let mut s3 = S3::start().unwrap();
        let (endpoint, directory) = (s3.endpoint(), s3.directory.clone());
        assert!(answers(&s3) && s3.bucket_directory().is_dir());
        s3.kill();
        assert!(!answers(&s3));
        assert!(s3.pause().is_err());
        s3.restart().unwrap();
        assert!(answers(&s3) && s3.endpoint() == endpoint);
        drop(s3);
        assert!(!directory.exists());
    }
}
