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
    /// How many of them hold a range.
    busy: AtomicU32,
}

impl Tabs {
    /// Whether a caller that is told there is nothing more to do should believe it: a tab always, the sandbox itself
    /// only once its tabs have nothing either, for what it alone can read may be there again by then.
    pub(crate) fn is_over_for(&self, tab: u32) -> bool {
        tab > 0 || self.busy.load(Ordering::Relaxed) == 0
    }

    /// Whether a tab should look for no more work.
    pub(crate) fn ends(&self, tab: u32) -> bool {
        tab > 0 && self.over.load(Ordering::Relaxed)
    }

    /// Counts a tab that took a range, or let it go.
    pub(crate) fn count(&self, tab: u32, holds: bool) {
        if tab == 0 {
            return;
        }
        if holds {
            self.busy.fetch_add(1, Ordering::Relaxed);
        } else {
            self.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

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
