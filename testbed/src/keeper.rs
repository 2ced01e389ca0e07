//! Programs that end with the test process, however it ends.
//!
//! Owns a small shell beside every program. It waits for the end of a pipe whose other end only the test process
//! holds: the kernel closes it even when the process is killed, which no destructor and no static survives. Then
//! the shell kills the program and removes its directory. (A parent-death signal would follow the *thread* that
//! started the program, and a test's thread ends with its test.)

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result};

/// Names the program, waits for the end of the pipe, ends the program. The directory goes last: whoever still
/// writes into it has a moment to die.
const SCRIPT: &str = r#"
directory=$1; shift
"$@" >&2 & program=$!
echo "$program"
cat >/dev/null
kill -KILL "$program" 2>/dev/null
wait "$program" 2>/dev/null
[ -z "$directory" ] || rm -rf -- "$directory" || { sleep 1; rm -rf -- "$directory"; }
"#;

/// A running program. Dropping it kills the program and waits until it has ended.
#[derive(Debug)]
pub struct Keeper {
    shell: Child,
    /// Held open; its end is the program's end.
    pipe: Option<ChildStdin>,
    program: u32,
    log: PathBuf,
}

impl Keeper {
    /// Starts `program` with its output in the file `log`; `remove` is a directory that goes with it.
    pub fn start<A: AsRef<std::ffi::OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        log: &Path,
        remove: Option<&Path>,
    ) -> Result<Self> {
        let name = program.display();
        let output = File::create(log).with_context(|| format!("failed to create {}", log.display()))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "keeper"])
            .arg(remove.unwrap_or(Path::new("")))
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            // Ctrl-C at a terminal goes to the whole group: the keeper must outlive it to do its work.
            .process_group(0);
        let mut shell = command
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        let pipe = shell.stdin.take();
        let mut line = String::new();
        let answer = shell.stdout.take().context("failed to read from the shell")?;
        BufReader::new(answer)
            .read_line(&mut line)
            .with_context(|| format!("failed to start {name}"))?;
        let program = line
            .trim()
            .parse()
            .with_context(|| format!("failed to start {name}"))?;
        Ok(Self {
            shell,
            pipe,
            program,
            log: log.to_owned(),
        })
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.program
    }

    /// Whether the program still runs; a program that ended by itself stays as a zombie.
    ///
    /// Its command line would not do: for a moment, while the shell's child becomes the program, it is empty.
    pub fn is_running(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.program)).unwrap_or_default();
        // The name is in brackets and may hold anything.
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, after)| after.trim_start().chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    }

    /// The end of what the program said, for errors.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(15)..)
            .unwrap_or_default()
            .join("\n")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // The program was killed, not asked: the shell ends at once.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_program_is_gone_with_its_directory() {
        let directory = tempfile::tempdir().unwrap().keep();
        let log = directory.join("log");
        let keeper = Keeper::start(Path::new("sleep"), ["60"], &log, Some(&directory)).unwrap();
        assert!(keeper.is_running());
        let program = format!("/proc/{}", keeper.pid());
        drop(keeper);
        assert!(!Path::new(&program).exists());
        assert!(!directory.exists());
    }

    #[test]
    fn a_program_runs_from_the_moment_it_is_started() {
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..50 {
            let keeper =
                Keeper::start(Path::new("sleep"), ["60"], &directory.path().join("log"), None).unwrap();
            assert!((0..500).all(|_| keeper.is_running()));
        }
    }

    #[test]
    fn a_program_that_ended_by_itself_leaves_its_last_words() {
        let directory = tempfile::tempdir().unwrap();
        let keeper = Keeper::start(
            Path::new("sh"),
            ["-c", "echo no such flag >&2; exit 2"],
            &directory.path().join("log"),
            None,
        )
        .unwrap();
        while keeper.is_running() {
            std::thread::yield_now();
        }
        assert_eq!(keeper.last_words(), "no such flag");
    }
}
