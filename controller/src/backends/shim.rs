//! The step between the fork and the program: ties the process to its parent and sets its limits.
//!
//! Runs as a hidden subcommand in the new process itself, because what has to be called between fork and exec
//! would otherwise need `unsafe` in the parent.

use std::{env, ffi::OsString, io, os::unix::process::CommandExt as _, process::Command};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};

/// Tells the shim which process started it.
pub(crate) const PARENT: &str = "FOLLOWLYTICS_PARENT";

/// Open files of a sandbox.
const FILES: u64 = 4096;

/// Becomes `command` (program and arguments), which dies when the thread that forked it does. Returns only if
/// that fails.
pub fn exec(command: impl IntoIterator<Item = OsString>) -> io::Error {
    let mut words = command.into_iter();
    let Some(program) = words.next() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no program is named after --");
    };
    if let Err(error) = prepare() {
        return error;
    }
    Command::new(program).args(words).env_remove(PARENT).exec()
}

fn prepare() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the line above; then no signal will ever come.
    let parent = env::var(PARENT)
        .ok()
        .and_then(|text| text.parse().ok())
        .and_then(Pid::from_raw);
    if parent.is_some() && parent != getppid() {
        return Err(io::Error::other("the process that started this one is gone"));
    }
    // A core file would hold the token.
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    let allowed = getrlimit(Resource::Nofile).maximum;
    let files = Some(allowed.map_or(FILES, |most| most.min(FILES)));
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: files,
            maximum: files,
        },
    )?;
    Ok(())
}
