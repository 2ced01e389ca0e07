//! Heartbeats: they keep the lease, and bring what the scan wants of its runners.

use followlytics_core::{
    mutants::{self, Mutant},
    scan::range::Span,
    wire::{Beat, Held, Mode},
};
use jiff::SignedDuration;
use tokio::sync::watch;

use crate::{
    broker::{Message, Trouble},
    run::{Runner, RunnerError},
};

/// Shortest time between two heartbeats.
const SHORTEST: SignedDuration = SignedDuration::from_millis(10);

/// What the heartbeats have brought so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) mode: Mode,
    pub(crate) span: Option<Span>,
}

/// Sends heartbeats until the lease is lost, which is the only way this ends without an error.
///
/// One that gets no answer within a period is given up for the next: a late one must not cost the lease.
pub(crate) async fn beat(
    runner: &Runner,
    held: Held,
    period: SignedDuration,
    wanted: watch::Sender<Wanted>,
) -> Result<(), RunnerError> {
    let message = Message::json("heartbeat", &held)?;
    let period = period.max(SHORTEST);
    loop {
        runner.clock.sleep(period).await;
        let answer = tokio::select! {
            biased;
            answer = runner.broker.post::<Beat>(&message) => answer,
            () = runner.clock.sleep(period) => Err(Trouble::Unavailable("it did not answer in time".to_owned())),
        };
        match answer {
            Ok(beat) => {
                wanted.send_modify(|wanted| {
                    *wanted = Wanted {
                        mode: beat.mode,
                        span: beat
                            .span
                            .filter(|_| !mutants::on(Mutant::EndNotTaken))
                            .or(wanted.span),
                    }
                });
            }
            Err(Trouble::Fenced) => return Ok(()),
            Err(Trouble::Unavailable(error)) => {
                tracing::warn!(
                    range = held.range,
                    epoch = held.epoch,
                    error,
                    "a heartbeat was not answered"
                );
            }
            Err(Trouble::Final(error)) => return Err(error),
        }
    }
}
