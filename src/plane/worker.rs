//! The worker as a child process: started again when it dies, gone when its parent is.

use std::{
    fs::OpenOptions,
    io::{self, BufRead as _, BufReader},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use followlytics_store::health::Monitor;
use rustix::process::{Pid, Signal, kill_process};

use crate::{data::DataDir, edge, logs};

/// How often the child is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// First wait before a worker that died is started again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long it may take to give its job back.
const GRACE: Duration = Duration::from_secs(5);

/// A worker that is kept running.
pub(crate) struct Worker {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the worker. The parent-death signal follows the forking thread, so one thread starts every one of
    /// them and lives as long as this value.
    ///
    /// `environment` is what it needs to reach the storage, passwords among it: nobody sees a process's environment but
    /// its owner.
    ///
    /// The worker writes the outages that it observes to its standard output, one line per change; `monitor` takes them.
    pub(crate) fn start(
        data: &DataDir,
        environment: Vec<(String, String)>,
        monitor: &Monitor,
    ) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let data = data.root().to_owned();
        let monitor = monitor.clone();
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("worker-fork".to_owned())
            .spawn(move || keep(&program, &data, &environment, &stopped, &monitor))?;
        Ok(Self { stop, thread })
    }

    /// Ends the worker; a job under way is given back first.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let thread = self.thread;
        // Nobody waits any longer than the thread itself does.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

/// Name of the worker's outages.
const WORKER: &str = "worker";

fn keep(
    program: &Path,
    data: &Path,
    environment: &[(String, String)],
    stopped: &Receiver<()>,
    monitor: &Monitor,
) {
    let mut wait = FIRST_WAIT;
    loop {
        match spawn(program, data, environment) {
            Ok(mut child) => {
                listen(&mut child, monitor);
                let ended = watch(&mut child, stopped);
                // What it observed last is not observed any longer.
                monitor.report(WORKER, Vec::new());
                if !ended {
                    return;
                }
                tracing::warn!("the worker ended; it is started again");
            }
            Err(error) => {
                monitor.note_disk(&error);
                tracing::error!(%error, "failed to start the worker");
            }
        }
        if !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
            return;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn spawn(program: &Path, data: &Path, environment: &[(String, String)]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg("sandbox-exec")
        .arg("--")
        .arg(program)
        .arg("worker")
        .arg("--data")
        .arg(data);
    command
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("FOLLOWLYTICS_PARENT", std::process::id().to_string())
        .env(edge::CLOCK_VARIABLE, edge::clock_to_hand_on());
    if let Ok(level) = std::env::var(logs::VARIABLE) {
        command.env(logs::VARIABLE, level);
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(data.join("worker.log"))?;
    // A group of its own: Ctrl-C is for the parent, which then ends it in good order.
    command
        .process_group(0)
        .current_dir(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
}

/// Reads what the worker observes, on a thread that ends with the worker's standard output.
fn listen(child: &mut Child, monitor: &Monitor) {
    let Some(output) = child.stdout.take() else {
        return;
    };
    let monitor = monitor.clone();
    let listen = move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(outages) => monitor.report(WORKER, outages),
                Err(error) => tracing::warn!(%error, "failed to read what the worker observes"),
            }
        }
    };
    let started = thread::Builder::new()
        .name("worker-outages".to_owned())
        .spawn(listen);
    if let Err(error) = started {
        tracing::warn!(%error, "failed to listen to the worker: its outages are only in its log");
    }
}

/// Waits until the child ends (`true`) or is to be stopped (`false`, and it has ended).
fn watch(child: &mut Child, stopped: &Receiver<()>) -> bool {
    loop {
        if !matches!(stopped.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
            end(child);
            return false;
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
    }
}

fn end(child: &mut Child) {
    // It was not reaped yet, so its id is nobody else's.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    let (_keep, never) = channel::<()>();
    let mut waited = Duration::ZERO;
    while waited < GRACE && matches!(child.try_wait(), Ok(None)) {
        let _ = never.recv_timeout(LOOK);
        waited += LOOK;
    }
    let _ = child.kill();
    let _ = child.wait();
}
