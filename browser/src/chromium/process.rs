//! Chromium's processes: started by a thread that lives as long as they do, reaped and cleared away by the same one.
//!
//! A signal that ends a child with its parent follows the *thread* that forked it: no thread of a pool will do. The
//! profile belongs to that thread, which deletes it when nobody can write to it any more.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use super::{
    find::{PATHS, Program},
    group,
    profile::Profile,
};
use crate::{error::BrowserError, options::Options};

/// Lines of its standard error that are kept.
const LINES: usize = 12;
/// Longest line of it that is kept, in bytes.
const LINE: usize = 400;
/// What the line with the debugging socket begins with.
const LISTENING: &str = "DevTools listening on ";
/// Tells the shim which process started it.
const PARENT: &str = "FOLLOWLYTICS_PARENT";
/// Time to read what a process wrote that has ended.
const LAST_WORDS: Duration = Duration::from_millis(50);
/// Between two looks at processes that were killed.
const LOOK: Duration = Duration::from_millis(10);
/// Looks before the profile is deleted in spite of them.
const LOOKS: u32 = 300;

type Lines = Arc<Mutex<VecDeque<String>>>;

/// The processes. Dropped, they are killed.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    profile: PathBuf,
    lines: Lines,
    address: watch::Receiver<Option<String>>,
    ended: watch::Receiver<bool>,
    gone: watch::Receiver<bool>,
}

impl Process {
    pub(super) async fn start(
        options: &Options,
        program: &Program,
        arguments: Vec<OsString>,
        profile: Profile,
    ) -> Result<Self, BrowserError> {
        let words: Vec<OsString> = options
            .shim
            .iter()
            .cloned()
            .chain([program.path().as_os_str().to_owned()])
            .chain(arguments)
            .collect();
        let first = PathBuf::from(words.first().cloned().unwrap_or_default());
        let refused = |source| BrowserError::Start {
            program: first.clone(),
            source,
        };
        let path = profile.path().to_owned();
        let (told, started) = oneshot::channel();
        let (end, ended) = watch::channel(false);
        let (clear, gone) = watch::channel(false);
        thread::Builder::new()
            .name("chromium".to_owned())
            .spawn(move || {
                let child = live(&words, &profile, told, &end);
                drop(profile);
                // Nobody may listen any more.
                let _ = clear.send(true);
                // Until it is reaped its id, and its group's, can be nobody else's.
                if let Some(Err(error)) = child.map(|mut child| child.wait()) {
                    tracing::warn!(%error, "Chromium could not be waited for");
                }
            })
            .map_err(refused)?;
        let (pid, stderr) = started
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::BrokenPipe.into()))
            .map_err(refused)?;
        let lines = Lines::default();
        let (found, address) = watch::channel(None);
        let kept = Arc::clone(&lines);
        let listening = thread::Builder::new()
            .name("chromium-stderr".to_owned())
            .spawn(move || listen(stderr, &kept, &found));
        // It is killed where this is dropped.
        let process = Self {
            pid,
            profile: path,
            lines,
            address,
            ended,
            gone,
        };
        listening.map_err(refused)?;
        Ok(process)
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Turns true when the main process has ended.
    pub(super) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// The address of its debugging socket, once it listens.
    pub(super) async fn address(&self, patience: Duration) -> Result<String, BrowserError> {
        let mut address = self.address.clone();
        let mut ended = self.ended.clone();
        let heard = async {
            tokio::select! {
                biased;
                Ok(heard) = address.wait_for(Option::is_some) => heard.clone(),
                _ = ended.wait_for(|ended| *ended) => None,
            }
        };
        match timeout(patience, heard).await {
            Ok(Some(address)) => Ok(address),
            Ok(None) => {
                // What it wrote last may still be on its way.
                tokio::time::sleep(LAST_WORDS).await;
                Err(BrowserError::CrashedAtStart {
                    last_lines: self.last_lines(),
                })
            }
            Err(_) => Err(BrowserError::SlowStart {
                patience,
                last_lines: self.last_lines(),
            }),
        }
    }

    pub(super) fn kill(&self) {
        if !*self.gone.borrow() {
            group::kill(self.pid, &self.profile);
        }
    }

    /// Whether processes and profile are gone within this time.
    pub(super) async fn gone(&self, patience: Duration) -> bool {
        let mut gone = self.gone.clone();
        timeout(patience, gone.wait_for(|gone| *gone)).await.is_ok()
    }

    fn last_lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts, waits and clears away, all on one thread; the program that has ended is still to be reaped.
fn live(
    words: &[OsString],
    profile: &Profile,
    told: oneshot::Sender<std::io::Result<(u32, process::ChildStderr)>>,
    end: &watch::Sender<bool>,
) -> Option<Child> {
    let mut child = match spawn(words, profile.path()) {
        Ok(child) => child,
        Err(error) => {
            let _ = told.send(Err(error));
            return None;
        }
    };
    let pid = child.id();
    let stderr = child
        .stderr
        .take()
        .ok_or_else(|| std::io::ErrorKind::BrokenPipe.into());
    if told.send(stderr.map(|stderr| (pid, stderr))).is_err() {
        // Whoever wanted it has gone away meanwhile.
        group::kill(pid, profile.path());
    }
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(Pid::from_child(&child)), look).is_err_and(|error| error == Errno::INTR) {}
    let _ = end.send(true);
    clear(pid, profile.path());
    Some(child)
}

/// The rest of a group whose main process has ended is of no use.
fn clear(pid: u32, profile: &Path) {
    for _ in 0..LOOKS {
        if group::living(pid, profile).is_empty() {
            return;
        }
        group::kill(pid, profile);
        #[expect(
            clippy::disallowed_methods,
            reason = "this thread waits for processes of the system, in the system's time"
        )]
        thread::sleep(LOOK);
    }
}

fn spawn(words: &[OsString], profile: &Path) -> std::io::Result<process::Child> {
    let (program, arguments) = words
        .split_first()
        .ok_or(std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATHS)
        .env("HOME", profile)
        .env("TMPDIR", profile)
        .env(PARENT, process::id().to_string())
        .current_dir(profile)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Reads its standard error to the end: a pipe that is full would stop it.
fn listen(stderr: impl Read, lines: &Lines, found: &watch::Sender<Option<String>>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        line.truncate(LINE);
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if let Some(address) = text.strip_prefix(LISTENING) {
            let _ = found.send(Some(address.trim().to_owned()));
        } else if !text.is_empty() {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(text);
        }
    }
}
