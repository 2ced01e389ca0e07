//! Holding a lease: step after step, heartbeats beside it, until the range is read, lost or given back.

use followlytics_core::{
    scan::source::Source,
    wire::{Held, Lease, Mode, Permit, Release, Reply, Step},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{
    beats::{Wanted, beat},
    broker::{Message, Trouble},
    fetch::{Right, fetch},
    run::{Outcome, Runner, RunnerError},
};

/// A lease is not kept through a longer wait: another sandbox may have better use for its runner's time, and
/// the lease costs heartbeats.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// A browser keeps its lease through a whole window: a new session costs requests.
const LONGEST_WAIT_OF_A_BROWSER: SignedDuration = SignedDuration::from_mins(20);
/// Shortest time before asking again.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_millis(10);
/// Before a claim that follows a permit returned too late: clocks that disagree must not make a busy loop.
const AFTER_LATE: SignedDuration = SignedDuration::from_millis(200);
/// How long a lease that is being given back is worth further tries; then it expires by itself.
const RELEASE: SignedDuration = SignedDuration::from_secs(5);

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Claim another at once.
    Again,
    /// Claim another, but not before this instant.
    After(Timestamp),
    /// The runner's work is over.
    Over(Outcome),
}

/// Holds one lease to its end. When it is lost, whatever is in flight is dropped: the broker would refuse it.
pub(crate) async fn hold(runner: &Runner, lease: Lease) -> Result<End, RunnerError> {
    let held = Held {
        range: lease.range,
        epoch: lease.epoch,
    };
    let period = SignedDuration::from_millis(lease.heartbeat_ms);
    let (tell, wanted) = watch::channel(Wanted {
        mode: Mode::Run,
        span: lease.span,
    });
    let longest_wait = match lease.source {
        Source::Api => LONGEST_WAIT,
        Source::Browser => LONGEST_WAIT_OF_A_BROWSER,
    };
    tracing::info!(range = held.range, epoch = held.epoch, "lease taken");
    let end = tokio::select! {
        biased;
        end = Holder { runner, held, wanted, longest_wait }.walk(lease) => end,
        lost = beat(runner, held, period, tell) => lost.map(|()| End::Again),
    };
    tracing::info!(range = held.range, epoch = held.epoch, end = ?end.as_ref().ok(), "lease ended");
    end
}

/// The holder of a lease.
struct Holder<'a> {
    runner: &'a Runner,
    held: Held,
    wanted: watch::Receiver<Wanted>,
    longest_wait: SignedDuration,
}

impl Holder<'_> {
    async fn walk(mut self, lease: Lease) -> Result<End, RunnerError> {
        let (mut right, mut step) = Right::new(lease);
        loop {
            let message = match step {
                Step::Done => return Ok(End::Again),
                Step::Suspend => return self.over(Outcome::Suspended, None).await,
                Step::Cancel => return self.over(Outcome::Cancelled, None).await,
                Step::Wait { held: true, .. } => {
                    self.give_back(None).await?;
                    // What is held is not offered again; what another source reads may be.
                    return Ok(End::Again);
                }
                Step::Wait { until, .. } => {
                    if let Some(end) = self.wait(until).await? {
                        return Ok(end);
                    }
                    (Message::json("step", &self.held)?, None)
                }
                Step::Permit(permit) => {
                    if let Some(end) = self.refrain(&permit).await? {
                        return Ok(end);
                    }
                    right.shrink(self.wanted.borrow().span);
                    let deadline = permit.settle_by;
                    (
                        fetch(self.runner, &mut right, self.held, permit).await?,
                        Some(deadline),
                    )
                }
            };
            let (message, deadline) = message;
            let reply: Reply = match self.runner.broker.insist(&message, deadline).await {
                Ok(reply) => reply,
                Err(Trouble::Fenced | Trouble::Unavailable(_)) => return Ok(End::Again),
                Err(Trouble::Final(error)) => return Err(error),
            };
            right.learn(&reply);
            step = reply.step;
        }
    }

    /// Sleeps until an instant, unless it is too far away or the scan wants something else meanwhile.
    async fn wait(&mut self, until: Timestamp) -> Result<Option<End>, RunnerError> {
        let left = self.runner.until(until);
        if left > self.longest_wait {
            self.give_back(None).await?;
            return Ok(Some(End::After(until)));
        }
        let sleep = self.runner.clock.sleep(left.max(SHORTEST_WAIT));
        let mode = tokio::select! {
            biased;
            // The sender lives in the heartbeats, which run as long as this does.
            Ok(wanted) = self.wanted.wait_for(|wanted| wanted.mode != Mode::Run) => wanted.mode,
            () = self.runner.stopping() => Mode::Suspend,
            () = sleep => Mode::Run,
        };
        match outcome(mode) {
            Some(outcome) => self.over(outcome, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// Gives a permit back whose request must not start any more: the last check before it would.
    async fn refrain(&self, permit: &Permit) -> Result<Option<End>, RunnerError> {
        let mode = if self.runner.is_stopping() {
            Mode::Suspend
        } else {
            self.wanted.borrow().mode
        };
        if let Some(outcome) = outcome(mode) {
            return self.over(outcome, Some(permit)).await.map(Some);
        }
        let now = self.runner.clock.now();
        if now < permit.start_by {
            return Ok(None);
        }
        tracing::warn!(
            range = self.held.range,
            seq = permit.seq,
            "the permit came too late and is returned"
        );
        self.give_back(Some(permit)).await?;
        Ok(Some(End::After(now.saturating_add(AFTER_LATE).unwrap_or(now))))
    }

    async fn over(&self, outcome: Outcome, unused: Option<&Permit>) -> Result<End, RunnerError> {
        self.give_back(unused).await?;
        Ok(End::Over(outcome))
    }

    /// Gives the lease back. A broker that cannot be told learns it from the lease's end.
    async fn give_back(&self, unused: Option<&Permit>) -> Result<(), RunnerError> {
        let release = Release {
            held: self.held,
            unused: unused.map(|permit| permit.id.clone()),
        };
        let deadline = self
            .runner
            .clock
            .now()
            .saturating_add(RELEASE)
            .unwrap_or(Timestamp::MAX);
        match self
            .runner
            .broker
            .insist::<()>(&Message::json("release", &release)?, Some(deadline))
            .await
        {
            Ok(()) | Err(Trouble::Fenced | Trouble::Unavailable(_)) => Ok(()),
            Err(Trouble::Final(error)) => Err(error),
        }
    }
}

const fn outcome(mode: Mode) -> Option<Outcome> {
    match mode {
        Mode::Run => None,
        Mode::Suspend => Some(Outcome::Suspended),
        Mode::Cancel => Some(Outcome::Cancelled),
    }
}
