//! Where a sandbox stands: one table of transitions, which the controller follows and the documents are
//! tested against.

use followlytics_crds::SandboxPhase::{self, Failed, Finished, Pending, Ready, Starting, Terminating};

use super::{Instance, InstanceState, Known};

/// Every transition there is; a phase may also stay as it is.
pub const TRANSITIONS: &[(SandboxPhase, SandboxPhase)] = &[
    (Pending, Starting),
    (Pending, Failed),
    (Pending, Terminating),
    (Starting, Ready),
    (Starting, Finished),
    (Starting, Failed),
    (Starting, Terminating),
    (Ready, Finished),
    (Ready, Failed),
    (Ready, Terminating),
    (Finished, Terminating),
    (Failed, Terminating),
];

/// Every phase, in the order of a life.
pub const ALL: [SandboxPhase; 6] = [Pending, Starting, Ready, Finished, Failed, Terminating];

/// What the next phase depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whether the object is being deleted.
    pub deleted: bool,
    /// Whether it is asked to end (`operatingMode: Suspended`): then every end is a good one.
    pub asked_to_end: bool,
    /// What the backend sees.
    pub instance: &'a Known<Instance>,
    /// Whether the broker heard of it.
    pub reached_broker: bool,
}

/// The next phase: one step, always in [`TRANSITIONS`] or the same phase again.
pub fn next(from: SandboxPhase, facts: Facts<'_>) -> SandboxPhase {
    if facts.deleted {
        return Terminating;
    }
    match (from, facts.instance) {
        // What is over stays over; and where nobody knows, nothing is concluded.
        (Finished | Failed | Terminating, _) | (_, Known::Unknown) | (Pending, Known::Absent) => from,
        // An instance that ended before it was seen running still passes through Starting.
        (Pending, Known::Present(_)) => Starting,
        (Starting | Ready, Known::Absent) if facts.asked_to_end => Finished,
        (Starting | Ready, Known::Absent) => Failed,
        (Starting | Ready, Known::Present(instance)) => match instance.state {
            InstanceState::Exited { code, .. } if code == Some(0) || facts.asked_to_end => Finished,
            InstanceState::Exited { .. } => Failed,
            InstanceState::Running if facts.reached_broker => Ready,
            InstanceState::Running => from,
        },
    }
}

/// Whether it runs nothing any more and never will.
pub const fn is_over(phase: SandboxPhase) -> bool {
    matches!(phase, Finished | Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances() -> Vec<Known<Instance>> {
        let exited = |code| InstanceState::Exited {
            code,
            last_words: None,
        };
        let present = |state| {
            Known::Present(Instance {
                id: "7".to_owned(),
                state,
            })
        };
        vec![
            Known::Absent,
            Known::Unknown,
            present(InstanceState::Running),
            present(exited(Some(0))),
            present(exited(Some(3))),
            present(exited(None)),
        ]
    }

    fn every_step() -> Vec<(SandboxPhase, SandboxPhase)> {
        let mut steps = Vec::new();
        for from in ALL {
            for instance in &instances() {
                for bits in 0..8_u8 {
                    let facts = Facts {
                        deleted: bits & 1 != 0,
                        asked_to_end: bits & 2 != 0,
                        instance,
                        reached_broker: bits & 4 != 0,
                    };
                    steps.push((from, next(from, facts)));
                }
            }
        }
        steps
    }

    #[test]
    fn every_step_is_in_the_table() {
        for (from, to) in every_step() {
            assert!(
                from == to || TRANSITIONS.contains(&(from, to)),
                "{from:?} -> {to:?}"
            );
        }
    }

    #[test]
    fn every_row_of_the_table_happens() {
        let steps = every_step();
        for row in TRANSITIONS {
            // Pending -> Failed is not observed but found out when starting is refused.
            assert!(steps.contains(row) || *row == (Pending, Failed), "{row:?}");
        }
    }

    #[test]
    fn not_knowing_changes_nothing() {
        for from in ALL {
            let facts = Facts {
                deleted: false,
                asked_to_end: false,
                instance: &Known::Unknown,
                reached_broker: true,
            };
            assert_eq!(next(from, facts), from);
        }
    }

    #[test]
    fn what_is_over_only_terminates() {
        for (from, to) in TRANSITIONS {
            assert!(!is_over(*from) || *to == Terminating);
            assert!(*from != Terminating);
        }
    }
}
