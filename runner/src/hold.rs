//! Holding a lease: step after step, heartbeats beside it, until the range is read, lost or given back.
//!
//! A request that started is never forgotten: what it brought is sent until the broker has taken or refused it, whatever
//! becomes of the lease meanwhile. Only a runner that has to end gives that up, and then the permit stays used.

use std::sync::atomic::{AtomicBool, Ordering};

use followlytics_core::{
    mutants::{self, Mutant},
    scan::source::Source,
    wire::{Held, Lease, Mode, Permit, Release, Reply, Step},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{
    beats::{Wanted, beat},
    broker::{Message, Timed, Trouble},
    fetch::{Fetched, Right, fetch},
    run::{Outcome, Runner, RunnerError},
};

/// A lease is not kept through a longer wait: another sandbox may have better use for its runner's time, and
/// the lease costs heartbeats.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// A browser keeps its lease through a whole window: a new session costs requests.
const LONGEST_WAIT_OF_A_BROWSER: SignedDuration = SignedDuration::from_mins(20);
/// Shortest time before asking again.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_millis(10);
/// Before a claim that follows a permit returned too late: a slow broker must not make a busy loop.
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

/// Holds one lease to its end. When it is lost, no request starts any more; one that has started is finished, and its
/// outcome sent, for it may be paid for.
pub(crate) async fn hold(runner: &Runner, Timed { body, sent }: Timed<Lease>) -> Result<End, RunnerError> {
    let lease = body;
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
    let state = LeaseState::default();
    let holder = Holder {
        runner,
        held,
        wanted,
        longest_wait,
        state: &state,
    };
    let end = {
        let mut walk = std::pin::pin!(holder.walk(lease, sent));
        tokio::select! {
            biased;
            end = &mut walk => end,
            lost = beat(runner, held, period, tell) => match lost {
                Ok(()) => {
                    state.lost.store(true, Ordering::Relaxed);
                    if state.in_hand.load(Ordering::Relaxed) { walk.await } else { Ok(End::Again) }
                }
                Err(error) => Err(error),
            },
        }
    };
    tracing::info!(range = held.range, epoch = held.epoch, end = ?end.as_ref().ok(), "lease ended");
    end
}

/// What the heartbeats and the walk tell each other.
#[derive(Debug, Default)]
struct LeaseState {
    /// The broker no longer knows this lease.
    lost: AtomicBool,
    /// A request has started, or a permit is not used, and the broker has not heard of it.
    in_hand: AtomicBool,
}

/// The holder of a lease.
struct Holder<'a> {
    runner: &'a Runner,
    held: Held,
    wanted: watch::Receiver<Wanted>,
    longest_wait: SignedDuration,
    state: &'a LeaseState,
}

impl Holder<'_> {
    async fn walk(mut self, lease: Lease, sent: Timestamp) -> Result<End, RunnerError> {
        let (mut right, mut step) = Right::new(lease);
        let (mut sent, mut started) = (sent, None);
        loop {
            let now = self.runner.clock.now();
            let (fetched, keep_until) = match step {
                Step::Done => return Ok(End::Again),
                Step::Suspend => return self.over(Outcome::Suspended, None).await,
                Step::Cancel => return self.over(Outcome::Cancelled, None).await,
                Step::Wait { held: true, .. } => {
                    self.give_back(None).await?;
                    // What is held is not offered again; what another source reads may be.
                    return Ok(End::Again);
                }
                Step::Wait { wait_ms, .. } => {
                    if let Some(end) = self.wait(SignedDuration::from_millis(wait_ms)).await? {
                        return Ok(end);
                    }
                    (Fetched::nothing(Message::json("step", &self.held)?), now)
                }
                Step::Permit(permit)
                    if started.as_ref() == Some(&permit.id) && !mutants::on(Mutant::PermitUsedTwice) =>
                {
                    // A request is made once; its permit is used, whatever the broker believes.
                    self.give_back(None).await?;
                    return Ok(End::After(later(now, AFTER_LATE)));
                }
                Step::Permit(permit) => {
                    let from = if mutants::on(Mutant::BrokersClockTrusted) {
                        permit.seen_at
                    } else {
                        sent
                    };
                    let start_by = later(from, SignedDuration::from_millis(permit.start_within_ms));
                    if let Some(end) = self.refrain(&permit, start_by).await? {
                        return Ok(end);
                    }
                    right.shrink(self.wanted.borrow().span);
                    let settle_by = later(sent, SignedDuration::from_millis(permit.settle_within_ms));
                    self.state.in_hand.store(true, Ordering::Relaxed);
                    started = Some(permit.id.clone());
                    let fetched = fetch(self.runner, &mut right, self.held, permit, start_by).await?;
                    (fetched, settle_by)
                }
            };
            if fetched.unused.is_some() {
                self.state.in_hand.store(false, Ordering::Relaxed);
                started = None;
            }
            let reply = self.deliver(&fetched.message, keep_until).await;
            let Timed {
                body: reply,
                sent: at,
            } = match reply {
                Ok(reply) => reply,
                Err(Trouble::Fenced) => return Ok(End::Again),
                Err(Trouble::Unavailable(_)) => {
                    return match outcome(self.mode()) {
                        Some(outcome) => self.over(outcome, fetched.unused).await,
                        None => Ok(End::Again),
                    };
                }
                Err(Trouble::Final(error)) => return Err(error),
            };
            self.state.in_hand.store(false, Ordering::Relaxed);
            if self.state.lost.load(Ordering::Relaxed) {
                if let Step::Permit(unused) = reply.step
                    && started.as_ref() != Some(&unused.id)
                {
                    self.give_back(Some(unused.id)).await?;
                }
                return Ok(End::Again);
            }
            right.learn(&reply);
            (step, sent) = (reply.step, at);
        }
    }

    /// Sends a message until the broker has answered it. Only once the runner has to end, or its lease is lost, the
    /// tries end too, at `keep_until`.
    async fn deliver(&self, message: &Message, keep_until: Timestamp) -> Result<Timed<Reply>, Trouble> {
        let parting = || {
            let is_over = self.mode() != Mode::Run
                || self.state.lost.load(Ordering::Relaxed)
                || mutants::on(Mutant::PageGivenUp);
            is_over.then_some(keep_until)
        };
        self.runner.broker.insist(message, parting).await
    }

    /// What the scan wants, or the process's own end.
    fn mode(&self) -> Mode {
        if self.runner.is_stopping() {
            Mode::Suspend
        } else {
            self.wanted.borrow().mode
        }
    }

    /// Sleeps, unless it is for too long or the scan wants something else meanwhile.
    async fn wait(&mut self, left: SignedDuration) -> Result<Option<End>, RunnerError> {
        if left > self.longest_wait {
            let until = later(self.runner.clock.now(), left);
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
    async fn refrain(&self, permit: &Permit, start_by: Timestamp) -> Result<Option<End>, RunnerError> {
        let unused = || Some(permit.id.clone());
        if let Some(outcome) = outcome(self.mode()).filter(|_| !mutants::on(Mutant::PauseIgnored)) {
            return self.over(outcome, unused()).await.map(Some);
        }
        let now = self.runner.clock.now();
        if now < start_by || mutants::on(Mutant::StartIgnored) {
            return Ok(None);
        }
        tracing::warn!(
            range = self.held.range,
            seq = permit.seq,
            "the permit came too late and is returned"
        );
        self.give_back(unused()).await?;
        Ok(Some(End::After(later(now, AFTER_LATE))))
    }

    async fn over(&self, outcome: Outcome, unused: Option<String>) -> Result<End, RunnerError> {
        self.give_back(unused).await?;
        Ok(End::Over(outcome))
    }

    /// Gives the lease back. A broker that cannot be told learns it from the lease's end.
    async fn give_back(&self, unused: Option<String>) -> Result<(), RunnerError> {
        if unused.is_some() {
            self.state.in_hand.store(true, Ordering::Relaxed);
        }
        let release = Release {
            held: self.held,
            unused,
        };
        let deadline = later(self.runner.clock.now(), RELEASE);
        match self
            .runner
            .broker
            .insist::<()>(&Message::json("release", &release)?, || Some(deadline))
            .await
        {
            Ok(_) | Err(Trouble::Fenced | Trouble::Unavailable(_)) => Ok(()),
            Err(Trouble::Final(error)) => Err(error),
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

const fn outcome(mode: Mode) -> Option<Outcome> {
    match mode {
        Mode::Run => None,
        Mode::Suspend => Some(Outcome::Suspended),
        Mode::Cancel => Some(Outcome::Cancelled),
    }
}
