//! What befalls an installation, and at which step.

use std::time::Duration;

use followlytics_tests::toolkit::pause;
use rustix::process::{Pid, Signal, kill_process};

use crate::installation::Installation;

/// One accident.
#[derive(Debug, Clone, Copy)]
pub struct Blow {
    /// It falls once the platforms have answered so many requests.
    pub after: u64,
    pub strike: Strike,
    /// How long it lasts.
    pub milliseconds: u64,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strike {
    /// `up`, and with it broker, controllers and every child.
    KillUp,
    FreezeUp,
    /// An operator stops it in good order and starts it again.
    StopUp,
    KillRunner,
    FreezeRunner,
    KillWorker,
    FreezeWorker,
    KillDatabase,
    FreezeDatabase,
}

impl Blow {
    /// Strikes, waits, and sets right what nobody else would; whether there was anything to strike.
    pub fn fall(self, installation: &mut Installation) -> bool {
        let lasts = Duration::from_millis(self.milliseconds);
        match self.strike {
            Strike::KillUp => {
                installation.kill_up();
                pause(lasts);
                installation.start_up();
                true
            }
            Strike::StopUp => {
                installation.stop_up();
                pause(lasts);
                installation.start_up();
                true
            }
            Strike::FreezeUp => freeze(&[installation.up_pid()], lasts),
            Strike::KillRunner => kill(&one(&installation.children("run-scan"), self.after)),
            Strike::FreezeRunner => freeze(&one(&installation.children("run-scan"), self.after), lasts),
            Strike::KillWorker => kill(&installation.children("worker")),
            Strike::FreezeWorker => freeze(&installation.children("worker"), lasts),
            Strike::KillDatabase => {
                installation.database().kill().unwrap();
                pause(lasts);
                installation.database().restart().unwrap();
                true
            }
            Strike::FreezeDatabase => {
                installation.database().pause().unwrap();
                pause(lasts);
                installation.database().resume().unwrap();
                true
            }
        }
    }
}

fn one(pids: &[i32], number: u64) -> Vec<i32> {
    let place = usize::try_from(number).unwrap().checked_rem(pids.len());
    place.map(|place| pids[place]).into_iter().collect()
}

fn kill(pids: &[i32]) -> bool {
    send(pids, Signal::KILL)
}

fn freeze(pids: &[i32], lasts: Duration) -> bool {
    let landed = send(pids, Signal::STOP);
    pause(lasts);
    send(pids, Signal::CONT);
    landed
}

/// Whether one of them got it: all may have ended by themselves meanwhile.
fn send(pids: &[i32], signal: Signal) -> bool {
    let pids = pids.iter().filter_map(|pid| Pid::from_raw(*pid));
    pids.filter(|pid| kill_process(*pid, signal).is_ok()).count() > 0
}
