//! The outer loop: claim, hold, claim again.

use std::sync::Arc;

use followlytics_core::{
    page::PageError,
    wire::{Claim, VERSION},
};
use followlytics_platforms::{clock::Clock, http::HttpService};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::watch;

use crate::{
    broker::{Broker, Message, Timed, Trouble},
    config::RunnerConfig,
    hold::{End, hold},
    sources::Sources,
    tabs::{Tabs, work_with_tabs},
};

/// Longest sleep without asking the broker: a suspended or finished scan is noticed by then.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_secs(60);
/// Shortest sleep between two claims: an instant that has passed must not make a busy loop.
const SHORTEST_SLEEP: SignedDuration = SignedDuration::from_millis(50);

/// How soon the sandbox itself asks again while its tabs still read.
const WITH_TABS: SignedDuration = SignedDuration::from_secs(1);

/// How a runner ended as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The scan needs this sandbox no more.
    Finished,
    /// The scan is suspended; everything was given back.
    Suspended,
    /// The scan is over; everything was dropped.
    Cancelled,
}

/// Why a runner ended otherwise. Its lease, if it held one, expires by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The token holds characters that no header can carry.
    #[error("failed to reach the broker: the sandbox's token cannot be sent in a header")]
    UnusableToken,
    /// The broker's URL is none.
    #[error("failed to reach the broker: its URL is none")]
    BrokerUrl,
    /// The token names no live sandbox: this one was replaced or its scan is gone.
    #[error("failed to go on: the broker knows no such sandbox")]
    Unknown,
    /// Broker and runner are of different releases.
    #[error(
        "failed to go on: the broker speaks protocol {broker}, this runner {VERSION}; give both the same release and the scan goes on where it is"
    )]
    Version {
        /// What the broker speaks.
        broker: u32,
    },
    /// The broker refuses what was sent, and would again.
    #[error("failed to send {verb}: the broker refuses it: {detail}")]
    Refused {
        /// Which message.
        verb: &'static str,
        /// The broker's words.
        detail: String,
    },
    /// A message cannot be written.
    #[error("failed to write {verb}")]
    Encode {
        /// Which message.
        verb: &'static str,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
    /// An answer of the broker cannot be read.
    #[error("failed to read the broker's answer to {verb}; broker and runner must be of one release")]
    Answer {
        /// To which message.
        verb: &'static str,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A page cannot be written.
    #[error("failed to write a page")]
    Page(#[source] PageError),
}

/// What every lease of a runner shares.
pub(crate) struct Runner {
    pub(crate) broker: Broker,
    pub(crate) sources: Sources,
    pub(crate) clock: Arc<dyn Clock>,
    stop: watch::Receiver<bool>,
}

impl Runner {
    /// The same runner as a tab of its browser.
    pub(crate) fn of_tab(&self, tab: u32) -> Self {
        Self {
            broker: Broker {
                tab,
                ..self.broker.clone()
            },
            sources: self.sources.clone(),
            clock: Arc::clone(&self.clock),
            stop: self.stop.clone(),
        }
    }

    /// Whether somebody asked this process to end.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Ends when somebody asks this process to end.
    pub(crate) async fn stopping(&self) {
        if self.stop.clone().wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// How long until an instant; zero when it has passed.
    pub(crate) fn until(&self, instant: Timestamp) -> SignedDuration {
        instant.duration_since(self.clock.now()).max(SignedDuration::ZERO)
    }
}

/// Works for a scan until the broker says that it is enough. Dropping the future ends it at once, with nothing
/// lost but the requests in flight.
///
/// `broker` and `sources` are the two ways out; `token` names this sandbox to the broker.
pub async fn run(
    config: RunnerConfig,
    broker: HttpService,
    sources: impl Into<Sources>,
    token: SecretString,
    clock: Arc<dyn Clock>,
) -> Result<Outcome, RunnerError> {
    run_until(config, broker, sources, token, clock, watch::channel(false).1).await
}

/// Like [`run`], and ends early once `stop` is true: the request in flight is finished and sent on, the lease
/// is given back, and nothing is left that somebody would have to pay for twice.
pub async fn run_until(
    config: RunnerConfig,
    broker: HttpService,
    sources: impl Into<Sources>,
    token: SecretString,
    clock: Arc<dyn Clock>,
    stop: watch::Receiver<bool>,
) -> Result<Outcome, RunnerError> {
    let broker = Broker::new(broker, &config.broker_url, &token, Arc::clone(&clock))?;
    let runner = Runner {
        broker,
        sources: sources.into(),
        clock,
        stop,
    };
    if runner.sources.browser.is_some() {
        work_with_tabs(&runner).await
    } else {
        work(&runner, &Tabs::default()).await
    }
}

/// Claims and holds one range after the other.
pub(crate) async fn work(runner: &Runner, tabs: &Tabs) -> Result<Outcome, RunnerError> {
    let claim = Message::empty("claim");
    loop {
        if runner.is_stopping() {
            return Ok(Outcome::Suspended);
        }
        if tabs.ends(runner.broker.tab) {
            return Ok(Outcome::Finished);
        }
        let answer = runner.broker.insist::<Claim>(&claim, || None).await;
        let after = |pause| runner.clock.now().saturating_add(pause).ok();
        let not_before = match answer.map(|Timed { body, sent }| (body, sent)) {
            Ok((Claim::Finished, _)) if tabs.is_over_for(runner.broker.tab) => return Ok(Outcome::Finished),
            Ok((Claim::Finished, _)) => after(WITH_TABS),
            Ok((Claim::Wait { wait_ms, .. }, _)) => after(SignedDuration::from_millis(wait_ms)),
            Ok((Claim::Lease(lease), sent)) => {
                tabs.want(lease.tabs);
                tabs.count(runner.broker.tab, true);
                let held = hold(runner, Timed { body: *lease, sent }).await;
                tabs.count(runner.broker.tab, false);
                match held? {
                    End::Again => None,
                    End::After(until) => Some(until),
                    End::Over(outcome) => return Ok(outcome),
                }
            }
            // Somebody else was faster; there is nothing to give back.
            Err(Trouble::Fenced | Trouble::Unavailable(_)) => Some(runner.clock.now()),
            Err(Trouble::Final(error)) => return Err(error),
        };
        if let Some(until) = not_before {
            let pause = runner.until(until).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
            tokio::select! {
                biased;
                () = runner.stopping() => {}
                () = runner.clock.sleep(pause) => {}
            }
        }
    }
}
