//! Signals to a server with all its processes, and the janitor that outlives the test.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};

/// Reads until the test's process is gone, or drops the server; then ends the server and removes its folder.
/// SIGCONT first: a paused server would not end.
const JANITOR: &str = "read -r _
pid=$(head -n 1 \"$1/data/postmaster.pid\" 2>/dev/null)
if [ -n \"$pid\" ]; then
  kill -CONT $pid $(cat /proc/$pid/task/$pid/children 2>/dev/null) 2>/dev/null
  kill -QUIT $pid 2>/dev/null
  for _ in $(seq 200); do
    [ -d /proc/$pid ] && ! grep -q '^State:.*Z' /proc/$pid/status || break
    sleep 0.02
  done
fi
rm -rf \"$1\"";

/// Starts the janitor of a folder. It waits on a pipe from this process rather than for a signal of its parent's
/// death: that signal follows the thread that forked it, and the thread of a test ends with the test.
pub(super) fn janitor(folder: &Path) -> Result<Child> {
    let mut command = Command::new("sh");
    command
        .args(["-c", JANITOR, "janitor"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/");
    in_own_group(&mut command)
        .spawn()
        .context("failed to start the janitor")
}

/// Ctrl-C at the terminal is for the test, not for what it has started.
pub(super) fn in_own_group(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// Sends a signal to a process and to its children. It is stopped before they are looked for: a running one
/// starts new ones, and a dead one's are nobody's.
pub(super) fn signal_tree(pid: u32, signal: Signal) -> Result<()> {
    if signal != Signal::CONT {
        send(pid, Signal::STOP)?;
    }
    for child in children(pid) {
        send(child, signal)?;
    }
    send(pid, signal)
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match kill_process(pid.context("a process id")?, signal) {
        // It went by itself meanwhile.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn children(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold spaces: what follows it does not.
    let (_, fields) = status.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}

/// Waits until no process has its working directory in `data` any more: PostgreSQL's all do.
pub(super) fn wait_until_unused(data: &Path) -> Result<()> {
    let is_unused = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut folders = entries.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
        Ok(!folders.any(|folder| folder == data))
    };
    if !wait_until(Duration::from_secs(10), is_unused)? {
        bail!("processes of the killed server are still there");
    }
    Ok(())
}

/// Asks every 10 ms; `false` when it was not so for `longest`.
#[expect(
    clippy::disallowed_methods,
    reason = "a real process is waited for: there is no clock to take"
)]
pub(super) fn wait_until(longest: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<bool> {
    for _ in 0..longest.as_millis() / 10 {
        if is_so()? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}
