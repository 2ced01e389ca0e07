//! Which processes belong to a Chromium, as `/proc` shows them. A zombie is gone: where pid 1 does not reap, it
//! stays on the list and does nothing.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Kills a whole process group, and whoever left it but still uses the profile.
pub(super) fn kill(group: u32, profile: &Path) {
    if let Some(group) = pid(group) {
        // It may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    for straggler in living(group, profile) {
        if let Some(straggler) = pid(straggler) {
            let _ = kill_process(straggler, Signal::KILL);
        }
    }
}

/// The living processes of the group, and those elsewhere whose arguments name the profile.
pub(super) fn living(group: u32, profile: &Path) -> Vec<u32> {
    let profile = profile.as_os_str().as_encoded_bytes();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let belongs = |pid: &u32| {
        let Some((state, its_group)) = stat(*pid) else {
            return false;
        };
        let names = || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line_names(&line, profile));
        state != 'Z' && state != 'X' && *pid != std::process::id() && (its_group == group || names())
    };
    pids.filter(belongs).collect()
}

/// Whether a command line names this path, or one below it, and not one that merely begins so.
fn line_names(line: &[u8], path: &[u8]) -> bool {
    let ends = |rest: &[u8]| rest.first().is_none_or(|next| !next.is_ascii_alphanumeric());
    (0..line.len()).any(|at| {
        line.get(at..)
            .is_some_and(|rest| rest.strip_prefix(path).is_some_and(ends))
    })
}

/// State and process group of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let (_, after) = stat.rsplit_once(')')?;
    let mut words = after.split_whitespace();
    let state = words.next()?.chars().next()?;
    let _parent = words.next()?;
    Some((state, words.next()?.parse().ok()?))
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn a_group_lives_until_it_is_killed() {
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let nowhere = Path::new("/nowhere/at/all");
        assert_eq!(living(child.id(), nowhere), [child.id()]);
        kill(child.id(), nowhere);
        child.wait().unwrap();
        assert!(living(child.id(), nowhere).is_empty());
    }

    #[test]
    fn another_profile_whose_name_begins_the_same_is_another() {
        let names = |line: &[u8]| line_names(line, b"/dev/shm/p-7-1");
        assert!(names(b"chromium\0--user-data-dir=/dev/shm/p-7-1\0--headless"));
        assert!(names(b"crashpad --database=/dev/shm/p-7-1/Crash") && names(b"/dev/shm/p-7-1"));
        assert!(!names(b"chromium\0--user-data-dir=/dev/shm/p-7-10\0") && !names(b"chromium"));
    }

    #[test]
    fn whoever_left_the_group_is_found_by_the_profile() {
        // It waits by itself: a child of its own would bear its name until it became another program.
        let mut child = Command::new("sh")
            .args(["-c", "read line", "/dev/shm/some-profile"])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let profile = Path::new("/dev/shm/some-profile");
        assert_eq!(living(u32::MAX, profile), [child.id()]);
        kill(u32::MAX, profile);
        kill(child.id(), profile);
        child.wait().unwrap();
        assert!(living(u32::MAX, profile).is_empty());
    }
}
