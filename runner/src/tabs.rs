//! Several ranges at once in one browser: each tab claims and holds a range of its own.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use followlytics_core::wire::MOST_TABS;
use futures::future::try_join_all;
use jiff::SignedDuration;

use crate::run::{Outcome, Runner, RunnerError, work};

/// How often a tab without work looks whether there is some.
const IDLE: SignedDuration = SignedDuration::from_millis(500);

/// What the sandbox and its tabs tell each other.
#[derive(Debug, Default)]
pub(crate) struct Tabs {
    /// How many the broker wants beside the sandbox itself.
    wanted: AtomicU32,
    /// Whether the sandbox itself has no more work.
    over: AtomicBool,
}

impl Tabs {
    /// Takes what a lease says.
    pub(crate) fn want(&self, tabs: u32) {
        self.wanted.fetch_max(tabs.min(MOST_TABS), Ordering::Relaxed);
    }
}

/// Works with the sandbox itself, and with as many tabs beside it as the broker wants.
pub(crate) async fn work_with_tabs(runner: &Runner) -> Result<Outcome, RunnerError> {
    let tabs = Tabs::default();
    let itself = async {
        let outcome = work(runner, &tabs).await;
        tabs.over.store(true, Ordering::Relaxed);
        outcome
    };
    let others = (1..=MOST_TABS).map(|number| tab(runner, number, &tabs));
    let (outcome, _) = futures::try_join!(itself, try_join_all(others))?;
    Ok(outcome)
}

async fn tab(runner: &Runner, number: u32, tabs: &Tabs) -> Result<(), RunnerError> {
    let own = runner.of_tab(number);
    loop {
        if tabs.over.load(Ordering::Relaxed) || own.is_stopping() {
            return Ok(());
        }
        if tabs.wanted.load(Ordering::Relaxed) >= number {
            work(&own, tabs).await?;
        }
        own.clock.sleep(IDLE).await;
    }
}
