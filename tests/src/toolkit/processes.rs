//! Processes as `/proc` shows them.

use std::{collections::BTreeMap, fs, io, iter};

/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// A process that runs.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Who started it.
    pub parent: i32,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Processor time it has used so far, in seconds.
    pub cpu: f64,
}

impl Process {
    /// The process with this id; `None` once it is over, though nobody may have waited for it yet (Z).
    pub fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in brackets and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned());
        (!matches!(*fields.first()?, "Z" | "X")).then_some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            words: words.collect(),
            cpu: (ticks(11)? + ticks(12)?) / TICKS,
        })
    }

    /// The subcommand it was started with.
    pub fn role(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The most memory it has held so far, in KiB; `None` when it is over.
    pub fn peak_kib(&self) -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Its environment, a variable a line; empty when it is over.
    pub fn environment(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    }
}

/// Every process that runs.
pub fn processes() -> io::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries
        .filter_map(|entry| Process::of(entry.file_name().to_str()?.parse().ok()?))
        .collect())
}

/// The processes with these ids, and all below them.
pub fn families(roots: &[i32]) -> io::Result<Vec<Process>> {
    let all = processes()?;
    let parents: BTreeMap<i32, i32> = all.iter().map(|process| (process.pid, process.parent)).collect();
    let is_of = |process: &Process| {
        iter::successors(Some(process.pid), |pid| parents.get(pid).copied())
            // Ids are given again: what was read one after the other may go round in a circle.
            .take(all.len())
            .any(|pid| roots.contains(&pid))
    };
    Ok(all.iter().filter(|process| is_of(process)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::toolkit::Ends;

    #[test]
    fn a_child_and_its_child_are_found_and_gone_when_they_are_over() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "sleep 60 & echo; wait", "name"])
            .env("WHO", "me")
            .stdout(Stdio::piped());
        let mut child = Ends(shell.spawn().unwrap());
        // Its line says that it has started its own child.
        let mut line = [0];
        io::Read::read_exact(child.0.stdout.as_mut().unwrap(), &mut line).unwrap();
        let pid = i32::try_from(child.0.id()).unwrap();

        let family = families(&[pid]).unwrap();
        let shell = family.iter().find(|process| process.pid == pid).unwrap();
        assert_eq!((shell.parent, shell.role()), (own, Some("-c")));
        assert!(shell.peak_kib().unwrap() > 0);
        assert!(shell.environment().lines().any(|line| line == "WHO=me"));
        let below: Vec<i32> = family
            .iter()
            .filter(|process| process.parent == pid)
            .map(|process| process.pid)
            .collect();
        assert_eq!((family.len(), below.len()), (2, 1), "{family:?}");

        let sleeper = rustix::process::Pid::from_raw(below[0]).unwrap();
        rustix::process::kill_process(sleeper, rustix::process::Signal::KILL).unwrap();
        child.0.kill().unwrap();
        while Process::of(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(families(&[pid]).unwrap().is_empty());
    }
}
