//! A fence's process group: ending whatever its shell left in the background.

use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock;

const POLL: Duration = Duration::from_millis(20);

/// Time between asking a group to end and ending it.
const GRACE: Duration = Duration::from_secs(10);

/// Ends every process of the group that the child leads: asked first, killed after a grace.
///
/// Best effort by nature: a process that made a group of its own is ended by whoever started it.
pub(super) fn end(child: &Child) {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    // An error means that the group is already empty.
    if kill_process_group(group, Signal::TERM).is_err() {
        return;
    }
    let began = clock::now();
    while is_alive(group) && began.elapsed() < GRACE {
        clock::pause(POLL);
    }
    let _ = kill_process_group(group, Signal::KILL);
}

/// Whether a process of the group still runs. A zombie does not: where nobody reaps orphans they stay for ever,
/// and a signal to the group would go on succeeding.
fn is_alive(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return true;
    };
    processes.flatten().any(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // "pid (name) state parent group …"; the name may hold spaces and brackets.
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            return false;
        };
        let mut fields = fields.split(' ');
        let (state, of_group) = (fields.next(), fields.nth(1));
        of_group.and_then(|raw| raw.parse().ok()) == Some(group.as_raw_nonzero().get()) && state != Some("Z")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::stream::wait;

    fn shell(script: &str) -> Child {
        Command::new("bash")
            .args(["-c", script])
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    fn what_a_fence_left_in_the_background_is_gone_afterwards() {
        let mut child = shell("sleep 600 & sleep 600 & true");
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(
            wait(&mut child, Duration::from_secs(30))
                .unwrap()
                .unwrap()
                .success()
        );
        assert!(is_alive(group));
        end(&child);
        assert!(!is_alive(group));
    }

    #[test]
    fn a_fence_that_does_not_end_is_given_up() {
        let mut child = shell("sleep 600");
        assert!(wait(&mut child, Duration::from_millis(60)).unwrap().is_none());
        end(&child);
        assert!(!child.wait().unwrap().success());
    }
}
