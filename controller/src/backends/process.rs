//! Local processes: each sandbox a process group of its own, with its own directory, an empty environment and
//! its token on standard input.
//!
//! All of them are forked from one thread that lives as long as the backend, for the signal that ends a child
//! with its parent follows the forking *thread*. Nothing here is durable: with the parent every process dies,
//! and its directories are swept at the next start.

mod launch;
mod table;

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use followlytics_core::sandbox::{Instance, Known};
use followlytics_crds::SandboxSpec;
use futures::future::BoxFuture;
use rustix::process::Signal;
use tokio::{
    sync::{Mutex, mpsc as async_mpsc, oneshot},
    time::error::Elapsed,
};

use self::{launch::Recipe, table::Table};
use super::{Backend, BackendError, Launch};

/// How processes are started.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// Where each gets a directory of its own.
    pub directory: PathBuf,
    /// The program and its arguments for a scan sandbox.
    pub scan_command: Vec<OsString>,
    /// Further environment, such as where to log.
    pub environment: Vec<(String, String)>,
    /// How long one may take to end by itself once it is asked to.
    pub grace: Duration,
}

impl ProcessOptions {
    /// Scan sandboxes run `program run-scan`, through `program sandbox-exec --` ([`super::shim`]).
    pub fn new(directory: PathBuf, program: &Path) -> Self {
        let program = program.as_os_str();
        let words = [
            program,
            "sandbox-exec".as_ref(),
            "--".as_ref(),
            program,
            "run-scan".as_ref(),
        ];
        Self {
            directory,
            scan_command: words.into_iter().map(OsString::from).collect(),
            environment: Vec::new(),
            grace: Duration::from_secs(10),
        }
    }
}

/// Longest wait for processes that were killed.
const KILLED: Duration = Duration::from_secs(2);

/// Sandboxes as local processes.
pub struct ProcessBackend {
    options: ProcessOptions,
    table: Table,
    /// To the forking thread; when the backend is dropped the thread ends, and every process with it.
    forks: mpsc::Sender<(Recipe, oneshot::Sender<io::Result<u32>>)>,
    /// One start at a time: two calls for one sandbox must not start two processes.
    starting: Mutex<()>,
}

impl ProcessBackend {
    /// Starts the forking thread and sweeps the directories that an earlier parent left behind.
    ///
    /// The receiver yields the uid of each sandbox whose process ended.
    pub fn start(options: ProcessOptions) -> io::Result<(Self, async_mpsc::UnboundedReceiver<String>)> {
        sweep(&options.directory)?;
        let (exits, exited) = async_mpsc::unbounded_channel();
        let table = Table::new(exits);
        let (forks, requests) = mpsc::channel::<(Recipe, oneshot::Sender<io::Result<u32>>)>();
        let forked = table.clone();
        thread::Builder::new()
            .name("sandbox-fork".to_owned())
            .spawn(move || {
                while let Ok((recipe, reply)) = requests.recv() {
                    // Nobody waits for the answer any more: the process is in the table all the same.
                    let _ = reply.send(launch::launch(&recipe, &forked));
                }
            })?;
        Ok((
            Self {
                options,
                table,
                forks,
                starting: Mutex::new(()),
            },
            exited,
        ))
    }

    /// Asks every process to end, and waits for the grace: whoever is in the middle of a request finishes it, so
    /// that its price is not left in doubt. What is left then is killed.
    pub async fn stop_all(&self) {
        if self.end_all(Signal::TERM, self.options.grace).await.is_err() {
            let _ = self.end_all(Signal::KILL, KILLED).await;
        }
    }

    async fn end_all(&self, signal: Signal, patience: Duration) -> Result<(), Elapsed> {
        let uids = self.table.uids();
        let ending: Vec<_> = uids
            .iter()
            .filter_map(|uid| self.table.signal(uid, signal))
            .collect();
        let all = async {
            for mut ended in ending {
                let _ = ended.wait_for(|over| *over).await;
            }
        };
        tokio::time::timeout(patience, all).await
    }

    async fn start_process(&self, launch: &Launch) -> Result<Instance, BackendError> {
        let _one_at_a_time = self.starting.lock().await;
        if let Some(there) = self.table.find(&launch.uid) {
            return Ok(there);
        }
        let recipe = Recipe::new(&self.options, launch)?;
        let (reply, answer) = oneshot::channel();
        let ended = || io::Error::other("the forking thread has ended");
        self.forks
            .send((recipe, reply))
            .map_err(|_| unavailable("start")(ended()))?;
        let pid = answer
            .await
            .unwrap_or_else(|_| Err(ended()))
            .map_err(|error| self.refuse(error))?;
        tracing::info!(sandbox = launch.name, pid, "sandbox started");
        // It may have ended already; then the table knows more.
        self.table
            .find(&launch.uid)
            .ok_or_else(|| unavailable("start")(ended()))
    }

    /// A program that is not there, or not allowed, will not be there in a moment either.
    fn refuse(&self, error: io::Error) -> BackendError {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                let command: Vec<_> = self
                    .options
                    .scan_command
                    .iter()
                    .map(|word| word.to_string_lossy())
                    .collect();
                BackendError::Refused {
                    detail: format!("cannot run `{}`: {error}", command.join(" ")),
                }
            }
            _ => unavailable("start")(error),
        }
    }

    async fn end_process(&self, uid: &str) -> Result<(), BackendError> {
        if let Some(mut ended) = self.table.signal(uid, Signal::TERM) {
            let gone = tokio::time::timeout(self.options.grace, ended.wait_for(|over| *over))
                .await
                .is_ok();
            if !gone {
                self.table.signal(uid, Signal::KILL);
                // A process in uninterruptible sleep outlives even this; the caller will look again.
                let killed = tokio::time::timeout(self.options.grace, ended.wait_for(|over| *over)).await;
                killed
                    .map_err(|_| unavailable("end")(io::ErrorKind::TimedOut.into()))?
                    .ok();
            }
        }
        let directory = self.options.directory.join(uid);
        match tokio::fs::remove_dir_all(&directory).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable("clear away")(error)),
            _ => {
                self.table.forget(uid);
                Ok(())
            }
        }
    }
}

impl Backend for ProcessBackend {
    fn ensure<'a>(&'a self, launch: &'a Launch) -> BoxFuture<'a, Result<Instance, BackendError>> {
        Box::pin(self.start_process(launch))
    }

    fn observe<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Known<Instance>> {
        let found = self.table.find(uid).map_or(Known::Absent, Known::Present);
        Box::pin(std::future::ready(found))
    }

    fn destroy<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(self.end_process(uid))
    }

    fn unhonoured(&self, _spec: &SandboxSpec) -> Vec<&'static str> {
        // No field of today's spec asks for more than a process gives; a memory cap will, and RLIMIT_AS is
        // none that Chromium survives.
        Vec::new()
    }
}

/// Creates the directory, readable by its owner alone, and empties it: what an earlier parent started died
/// with it.
fn sweep(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

fn unavailable(verb: &'static str) -> impl FnOnce(io::Error) -> BackendError {
    move |source| BackendError::Unavailable { verb, source }
}

#[cfg(test)]
mod tests;
