//! What to do about a Sandbox: start it, tell people where it stands, give its leases back, end it.
//!
//! Total and pure. The order in which a plan is carried out is `act`'s; what is in it is decided here.

use followlytics_crds::{
    ConditionExt as _, OperatingMode, Sandbox, SandboxPhase, SandboxStatus, condition, sandbox::reasons,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Announcement, Finalizer, Instance, InstanceState, Known, Requeue, build, phase};
use crate::clock::difference;

/// Condition: the runner reached the broker and still runs.
pub const READY: &str = "Ready";
/// Condition: its clock agrees with the control plane's; absent until it reached the broker.
pub const CLOCK: &str = "ClockInSync";
/// Condition: the backend honours every field of the spec.
pub const HONOURED: &str = "Honoured";

/// Everything the decision depends on, besides the object itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// What the backend runs.
    pub instance: Known<Instance>,
    /// When the broker last heard of it.
    pub contact: Option<Timestamp>,
    /// By how much its clock is ahead of the control plane's; `None` if it was not compared.
    pub clock_ahead: Option<SignedDuration>,
    /// Fields of the spec that the backend can't honour.
    pub unhonoured: Vec<&'static str>,
}

/// What the operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// How long a sandbox may take to reach the broker.
    pub start_deadline: SignedDuration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            start_deadline: SignedDuration::from_secs(60),
        }
    }
}

/// What to do, exactly; execution has no choices left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The object's finalizer.
    pub finalizer: Finalizer,
    /// What runs.
    pub run: Run,
    /// What it holds in the ledger.
    pub holdings: Holdings,
    /// Tell people about an outcome.
    pub announce: Option<Announcement>,
}

/// What to do about what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Run {
    /// Leave it as it is.
    Leave,
    /// Issue a token and start it.
    Start,
    /// End it.
    Destroy,
}

/// What to do about what it holds in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Holdings {
    /// Leave them.
    Keep,
    /// Give its leases back: nothing of it runs any more.
    Release,
    /// Give its leases back and void its token: the object goes.
    Revoke,
}

/// What people and programs are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The status to write, if it differs from what is there; `instance` is filled in by what `act` started.
    pub status: SandboxStatus,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use]
pub struct Decision {
    /// What to do.
    pub plan: Plan,
    /// What to tell.
    pub report: Report,
    /// When to look again.
    pub requeue: Requeue,
}

/// How often a sandbox that is starting or ending is looked at.
const SOON: SignedDuration = SignedDuration::from_millis(200);
/// How often one that runs is looked at, in case a wake-up was missed.
const SLOW: SignedDuration = SignedDuration::from_secs(30);

/// Decides for one Sandbox.
pub fn decide(sandbox: &Sandbox, seen: &Observed, policy: &Policy, now: Timestamp) -> Decision {
    let has_finalizer = sandbox
        .metadata
        .finalizers
        .as_ref()
        .is_some_and(|all| all.iter().any(|name| name == build::FINALIZER));
    if sandbox.metadata.deletion_timestamp.is_some() {
        return end(sandbox, seen, has_finalizer, now);
    }
    let asked_to_end = sandbox.spec.operating_mode == OperatingMode::Suspended;
    let from = sandbox
        .status
        .as_ref()
        .map(|status| status.phase)
        .unwrap_or_default();
    let overdue = is_overdue(sandbox, seen, from, policy, now);
    let start = from == SandboxPhase::Pending && seen.instance == Known::Absent && !asked_to_end;
    let facts = phase::Facts {
        deleted: false,
        asked_to_end,
        instance: &seen.instance,
        reached_broker: seen.contact.is_some(),
    };
    let to = match phase::next(from, facts) {
        _ if start => SandboxPhase::Starting,
        SandboxPhase::Starting if overdue => SandboxPhase::Failed,
        next => next,
    };
    let ended = phase::is_over(to) && !phase::is_over(from);
    let runs = matches!(
        &seen.instance,
        Known::Present(Instance {
            state: InstanceState::Running,
            ..
        })
    );
    let told = Told::of(to, seen, overdue, policy);
    let announce = (ended && to == SandboxPhase::Failed).then(|| Announcement {
        reason: told.reason,
        note: told.message.clone(),
        warning: true,
        occurrence: None,
    });
    let plan = Plan {
        finalizer: if has_finalizer {
            Finalizer::Keep
        } else {
            Finalizer::Add
        },
        run: match start {
            true => Run::Start,
            false if overdue || asked_to_end && runs => Run::Destroy,
            false => Run::Leave,
        },
        holdings: if ended { Holdings::Release } else { Holdings::Keep },
        announce,
    };
    let requeue = match to {
        SandboxPhase::Starting if from == SandboxPhase::Pending && !start => Requeue::Now,
        SandboxPhase::Ready if from == SandboxPhase::Ready => at(now, SLOW),
        SandboxPhase::Pending if asked_to_end => Requeue::OnChange,
        SandboxPhase::Pending | SandboxPhase::Starting | SandboxPhase::Ready => at(now, SOON),
        _ => Requeue::OnChange,
    };
    Decision {
        plan,
        report: Report {
            status: status(sandbox, seen, to, &told, now),
        },
        requeue,
    }
}

/// The object is being deleted: first what runs, then what it held, then the object itself.
fn end(sandbox: &Sandbox, seen: &Observed, has_finalizer: bool, now: Timestamp) -> Decision {
    let gone = seen.instance == Known::Absent;
    let told = Told::of(SandboxPhase::Terminating, seen, false, &Policy::default());
    let plan = Plan {
        finalizer: if gone && has_finalizer {
            Finalizer::Remove
        } else {
            Finalizer::Keep
        },
        // Asked for again while nobody knows what runs: destroying is repeatable, forgetting is not.
        run: if has_finalizer && !gone {
            Run::Destroy
        } else {
            Run::Leave
        },
        holdings: if has_finalizer && gone {
            Holdings::Revoke
        } else {
            Holdings::Keep
        },
        announce: None,
    };
    let requeue = if has_finalizer && !gone {
        at(now, SOON)
    } else {
        Requeue::OnChange
    };
    let status = status(sandbox, seen, SandboxPhase::Terminating, &told, now);
    Decision {
        plan,
        report: Report { status },
        requeue,
    }
}

/// Whether it was started and did not reach the broker in time (B-08: a hung one would cost for ever).
fn is_overdue(
    sandbox: &Sandbox,
    seen: &Observed,
    from: SandboxPhase,
    policy: &Policy,
    now: Timestamp,
) -> bool {
    let conditions = sandbox
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    // The condition is first written when the sandbox starts, so its time is that of the start.
    let started = conditions.find(READY).map(|ready| ready.last_transition_time.0);
    from == SandboxPhase::Starting
        && seen.contact.is_none()
        && started.is_some_and(|since| now.duration_since(since) >= policy.start_deadline)
}

/// The Ready condition's words.
struct Told {
    ready: bool,
    reason: &'static str,
    message: String,
}

impl Told {
    fn of(phase: SandboxPhase, seen: &Observed, overdue: bool, policy: &Policy) -> Self {
        let (reason, message) = match phase {
            SandboxPhase::Pending | SandboxPhase::Starting => (
                reasons::STARTING,
                "started; has not reached the broker yet".to_owned(),
            ),
            SandboxPhase::Ready => (reasons::BROKER_REACHED, "reached the broker".to_owned()),
            SandboxPhase::Finished => (reasons::FINISHED, "ended as it was told to".to_owned()),
            SandboxPhase::Terminating => (reasons::TERMINATING, "being torn down".to_owned()),
            SandboxPhase::Failed => Self::failure(seen, overdue, policy),
        };
        Self {
            ready: phase == SandboxPhase::Ready,
            reason,
            message,
        }
    }

    fn failure(seen: &Observed, overdue: bool, policy: &Policy) -> (&'static str, String) {
        match &seen.instance {
            Known::Present(Instance {
                state: InstanceState::Exited { code, last_words },
                ..
            }) => {
                let how = code.map_or_else(
                    || "ended by a signal".to_owned(),
                    |code| format!("ended with code {code}"),
                );
                let words = last_words
                    .as_ref()
                    .map(|words| format!(": {words}"))
                    .unwrap_or_default();
                (reasons::CRASHED, format!("{how}{words}"))
            }
            _ if overdue => {
                let seconds = policy.start_deadline.as_secs();
                (
                    reasons::BROKER_NOT_REACHED,
                    format!("did not reach the broker within {seconds} s; ended"),
                )
            }
            _ => (reasons::LOST, "vanished together with what ran it".to_owned()),
        }
    }
}

fn status(
    sandbox: &Sandbox,
    seen: &Observed,
    to: SandboxPhase,
    told: &Told,
    now: Timestamp,
) -> SandboxStatus {
    let earlier = sandbox.status.clone().unwrap_or_default();
    let instance = seen.instance.present();
    let exit_code = instance.and_then(|found| match found.state {
        InstanceState::Exited { code, .. } => code,
        InstanceState::Running => None,
    });
    // What is over stays as it was written: its instance may be gone by now, its reason is not.
    if phase::is_over(to) && earlier.phase == to {
        return earlier;
    }
    let generation = sandbox.metadata.generation;
    let make = |kind, good, reason, message: &str| {
        condition(&earlier.conditions, kind, good, reason, message, generation, now)
    };
    let mut conditions = Vec::new();
    if to != SandboxPhase::Pending {
        conditions.push(make(READY, told.ready, told.reason, &told.message));
    }
    if let Some(ahead) = seen.clock_ahead {
        let said = difference("its clock", ahead, "the control plane's");
        conditions.push(match &said {
            None => make(CLOCK, true, reasons::CLOCKS_AGREE, ""),
            Some(said) => make(CLOCK, false, reasons::CLOCK_SKEWED, said),
        });
    }
    conditions.push(if seen.unhonoured.is_empty() {
        make(HONOURED, true, reasons::ALL_FIELDS, "")
    } else {
        let fields = seen.unhonoured.join(", ");
        make(
            HONOURED,
            false,
            reasons::FIELDS_IGNORED,
            &format!("this backend can't honour {fields}"),
        )
    });
    SandboxStatus {
        observed_generation: generation,
        phase: to,
        conditions,
        instance: instance.map(|found| found.id.clone()).or(earlier.instance),
        exit_code: exit_code.or(earlier.exit_code),
    }
}

/// The status of a Sandbox whose start the backend refused for good.
pub fn could_not_start(sandbox: &Sandbox, why: &str, now: Timestamp) -> (SandboxStatus, Announcement) {
    let seen = Observed {
        instance: Known::Absent,
        contact: None,
        clock_ahead: None,
        unhonoured: Vec::new(),
    };
    let told = Told {
        ready: false,
        reason: reasons::COULD_NOT_START,
        message: why.to_owned(),
    };
    let announcement = Announcement {
        reason: told.reason,
        note: why.to_owned(),
        warning: true,
        occurrence: None,
    };
    (
        status(sandbox, &seen, SandboxPhase::Failed, &told, now),
        announcement,
    )
}

fn at(now: Timestamp, after: SignedDuration) -> Requeue {
    Requeue::At(now.saturating_add(after).unwrap_or(now))
}

#[cfg(test)]
mod tests;
