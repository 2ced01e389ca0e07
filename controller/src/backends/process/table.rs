//! The processes that run, or ran and were not destroyed yet.
//!
//! A process is signalled and reaped under one lock: a process id that was reaped may belong to somebody else
//! by the next moment.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Child,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use followlytics_core::sandbox::{Instance, InstanceState};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use tokio::sync::{mpsc, watch};

/// A waiting thread does nothing but wait.
const STACK: usize = 64 * 1024;
/// How much of a log's end is looked at for its last line, and how long that may be.
const TAIL: u64 = 4096;
const LONGEST: usize = 400;

#[derive(Clone)]
pub(super) struct Table {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    exits: mpsc::UnboundedSender<String>,
}

struct Entry {
    pid: Pid,
    state: InstanceState,
    ended: watch::Sender<bool>,
}

impl Table {
    pub(super) fn new(exits: mpsc::UnboundedSender<String>) -> Self {
        Self {
            entries: Arc::default(),
            exits,
        }
    }

    /// Enters a process that was just started, and waits for its end on a thread of its own.
    pub(super) fn enter(&self, uid: &str, mut child: Child, log: PathBuf) -> io::Result<()> {
        let pid = Pid::from_child(&child);
        let entry = Entry {
            pid,
            state: InstanceState::Running,
            ended: watch::Sender::new(false),
        };
        self.lock().insert(uid.to_owned(), entry);
        let (table, key) = (self.clone(), uid.to_owned());
        let waiting = thread::Builder::new()
            .name("sandbox-wait".to_owned())
            .stack_size(STACK);
        let started = waiting.spawn(move || table.wait(&key, &mut child, &log));
        if let Err(error) = started {
            // Nobody would ever notice its end: better none at all.
            self.signal(uid, Signal::KILL);
            self.forget(uid);
            return Err(error);
        }
        Ok(())
    }

    /// Waits for the process, ends what it left behind, and tells of it.
    fn wait(&self, uid: &str, child: &mut Child, log: &Path) {
        let pid = Pid::from_child(child);
        // Waits without reaping: until it is reaped, neither its id nor its group can be anybody else's.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(pid), look).is_err_and(|error| error == Errno::INTR) {}
        let last_words = last_line(log);
        {
            let mut entries = self.lock();
            let _ = kill_process_group(pid, Signal::KILL);
            let code = child.wait().ok().and_then(|status| status.code());
            if let Some(entry) = entries.get_mut(uid).filter(|entry| entry.pid == pid) {
                entry.state = InstanceState::Exited { code, last_words };
                entry.ended.send_replace(true);
            }
        }
        // The receiver is gone when everything shuts down.
        let _ = self.exits.send(uid.to_owned());
    }

    /// What is there of this uid.
    pub(super) fn find(&self, uid: &str) -> Option<Instance> {
        self.lock().get(uid).map(|entry| Instance {
            id: entry.pid.as_raw_nonzero().to_string(),
            state: entry.state.clone(),
        })
    }

    /// Signals the whole group; tells when the process has ended. `None` if there is none.
    pub(super) fn signal(&self, uid: &str, signal: Signal) -> Option<watch::Receiver<bool>> {
        let entries = self.lock();
        let entry = entries.get(uid)?;
        if entry.state == InstanceState::Running {
            // Refused only for a group that has just ended, which the waiting thread is about to notice.
            let _ = kill_process_group(entry.pid, signal);
        }
        Some(entry.ended.subscribe())
    }

    /// Forgets a process that has ended.
    /// Everything that was started and not destroyed yet.
    pub(super) fn uids(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last line of a log that says anything, shortened.
fn last_line(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(LONGEST).collect())
}
