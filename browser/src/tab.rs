//! One tab: the page of one account's followers, and the request it has made and is held.
//!
//! The page's requests for rows stop in front of the network until a call lets one through, so a tab rests between
//! calls and nothing has to run for it. A tab whose call is dropped in the middle is closed, for nobody knows what
//! its page has been told.

mod answer;
mod ask;
mod cells;
mod open;
mod sight;

use std::{path::Path, sync::Arc, time::Duration};

use chromiumoxide::{
    Page,
    cdp::browser_protocol::{
        fetch::{self, EventRequestPaused, RequestPattern, RequestStage},
        inspector::{self, EventTargetCrashed},
        network,
        target::{CloseTargetParams, CreateTargetParams},
    },
    cdp::js_protocol::{heap_profiler::CollectGarbageParams, runtime::EvaluateParams},
    listeners::EventStream,
    types::Command,
};
use followlytics_core::{retry::Failure, scan::range::Place};
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

pub(crate) use self::ask::Fetched;
use crate::{
    chromium::{COMMAND, Chromium},
    error::BrowserError,
    options::Reading,
    pool::Users,
};

/// Pages read before its page is loaded anew: a page keeps what it has shown, and X's own is not small.
const PAGES: u32 = 200;
/// Pages after which the page's garbage is collected: left alone it would grow to a multiple of what is in use.
const SWEEP: u32 = 20;
/// What is held or read on its way: the two queries, and documents.
const PATTERNS: [(&str, RequestStage); 2] = [
    ("*/graphql/*/Followers*", RequestStage::Request),
    ("*/graphql/*/UserByScreenName*", RequestStage::Request),
];

/// Longest time for a page's script to let one of ours run: one that takes longer hangs.
const GLANCE: Duration = Duration::from_secs(5);
const SCROLL: &str = include_str!("js/scroll.js");

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A failure of the request; the tab can be used again.
    Refused(Failure),
    /// The permit ended before the page was ready; the request is held on, for the next one.
    Late,
    /// The tab is lost.
    Lost(BrowserError),
}

impl From<BrowserError> for Trouble {
    fn from(error: BrowserError) -> Self {
        Self::Lost(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Whose list is read, and under which conditions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit<'a> {
    /// Base URL of the site, without a slash at its end.
    pub(crate) base: &'a str,
    /// The account's handle.
    pub(crate) handle: &'a str,
    /// Its id, where it is known.
    pub(crate) account_id: Option<&'a str>,
    /// Whose session it is, where the user said so.
    pub(crate) owner: Option<&'a str>,
    /// The time when the visit began, and the instant.
    pub(crate) began: (Timestamp, Instant),
    /// The request that is paid for must have left the page before.
    pub(crate) start_by: Instant,
    /// How long a page may take.
    pub(crate) patience: Duration,
    /// Where rows are read.
    pub(crate) reading: Reading,
    /// Where traces go.
    pub(crate) traces: Option<&'a Path>,
    /// The accounts that were looked up.
    pub(crate) users: &'a Users,
}

impl Visit<'_> {
    /// The time now.
    fn now(&self) -> Timestamp {
        let (time, instant) = self.began;
        time.saturating_add(instant.elapsed()).unwrap_or(time)
    }

    /// Whether the request must not leave the page any more.
    fn is_late(&self) -> bool {
        Instant::now() >= self.start_by
    }
}

/// A request that waits in front of the network.
#[derive(Debug)]
struct Held {
    id: fetch::RequestId,
    url: String,
}

/// A tab.
#[derive(Debug)]
pub(crate) struct Tab {
    page: Page,
    paused: EventStream<EventRequestPaused>,
    crashes: EventStream<EventTargetCrashed>,
    ended: watch::Receiver<bool>,
    /// Whose list its page shows; empty before the first.
    handle: String,
    held: Option<Held>,
    /// A look-up of the account that was ready too late for its permit.
    late: Option<Arc<EventRequestPaused>>,
    /// What its page holds and nobody will let through: it goes with the page.
    stale: Vec<fetch::RequestId>,
    /// Where its page goes next by itself; `None` where it goes nowhere, and the page must be loaded anew.
    next: Option<Place>,
    /// Pages read since its page was loaded.
    pages: u32,
    /// The newest ids (`@handle` where there is none) harvested from cells, so that those still shown are not taken for
    /// new ones.
    harvested: Vec<String>,
}

impl Tab {
    /// Opens an empty one, in a window of its own: a tab behind another is not drawn, and its page stands still.
    pub(crate) async fn new(chromium: &Chromium) -> Result<Self, BrowserError> {
        let target = CreateTargetParams::builder()
            .url("about:blank")
            .new_window(true)
            .build()
            .map_err(|reason| BrowserError::from(chromiumoxide::error::CdpError::msg(reason)))?;
        let mut ended = chromium.ended();
        let opened = timeout(COMMAND, chromium.browser().new_page(target));
        let page = tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => return Err(BrowserError::Gone),
            page = opened => page.map_err(|_| BrowserError::Unresponsive { patience: COMMAND })??,
        };
        let mut tab = Self {
            paused: page.event_listener().await?,
            crashes: page.event_listener().await?,
            page,
            ended,
            handle: String::new(),
            held: None,
            late: None,
            stale: Vec::new(),
            next: None,
            pages: 0,
            harvested: Vec::new(),
        };
        tab.run(inspector::EnableParams::default()).await?;
        let mut patterns: Vec<RequestPattern> = PATTERNS
            .into_iter()
            .map(|(url, stage)| {
                RequestPattern::builder()
                    .url_pattern(url)
                    .request_stage(stage)
                    .build()
            })
            .collect();
        patterns.push(
            RequestPattern::builder()
                .resource_type(network::ResourceType::Document)
                .request_stage(RequestStage::Response)
                .build(),
        );
        tab.run(fetch::EnableParams::builder().patterns(patterns).build())
            .await?;
        // Bodies are read on their way; without this Chromium would keep every one of them a second time.
        tab.run(network::DisableParams::default()).await?;
        Ok(tab)
    }

    /// Whether its page shows this account's list.
    pub(crate) fn shows(&self, handle: &str) -> bool {
        self.handle.eq_ignore_ascii_case(handle)
    }

    /// Whether its page goes on at this place by itself.
    pub(crate) fn continues_at(&self, place: &Place) -> bool {
        self.next.as_ref() == Some(place)
    }

    /// Whether its page can be used for any place as well as for another: it goes nowhere, or has shown nothing yet.
    pub(crate) const fn is_free(&self) -> bool {
        self.next.is_none() || self.pages == 0
    }

    /// Its page can go on no more: the next call loads it anew.
    pub(crate) fn spend(&mut self) {
        self.next = None;
        self.spend_held();
    }

    fn spend_held(&mut self) {
        self.stale.extend(self.held.take().map(|held| held.id));
        self.stale
            .extend(self.late.take().map(|late| late.request_id.clone()));
    }

    /// Whether its page has not crashed while nobody looked.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.crashes.next().now_or_never().is_none()
    }

    /// Makes one call of the protocol, unless tab or browser end before.
    async fn run<C: Command>(&mut self, command: C) -> Result<C::Response, BrowserError> {
        self.run_within(COMMAND, command).await
    }

    async fn run_within<C: Command>(
        &mut self,
        patience: Duration,
        command: C,
    ) -> Result<C::Response, BrowserError> {
        let answer = timeout(patience, self.page.execute(command));
        tokio::select! {
            biased;
            _ = self.ended.wait_for(|ended| *ended) => Err(BrowserError::Gone),
            Some(_) = self.crashes.next() => Err(BrowserError::TabCrashed),
            answer = answer => {
                let answer = answer.map_err(|_| BrowserError::Unresponsive { patience })?;
                Ok(answer?.result)
            }
        }
    }

    /// The next request or answer that waits, within this time.
    async fn pause(&mut self, within: Duration) -> Result<Option<Arc<EventRequestPaused>>, BrowserError> {
        tokio::select! {
            biased;
            _ = self.ended.wait_for(|ended| *ended) => Err(BrowserError::Gone),
            Some(_) = self.crashes.next() => Err(BrowserError::TabCrashed),
            event = self.paused.next() => event.map(Some).ok_or(BrowserError::TabCrashed),
            () = tokio::time::sleep(within) => Ok(None),
        }
    }

    /// Lets go of everything that a page before had waiting. Its requests are cancelled with it; but where it was
    /// going it must arrive, or the tab goes nowhere else.
    async fn forget(&mut self) -> Result<(), BrowserError> {
        while let Some(Some(event)) = self.paused.next().now_or_never() {
            if answer::is_answer(&event) {
                self.pass(&event).await?;
            } else {
                self.stale.push(event.request_id.clone());
            }
        }
        self.spend();
        self.pages = 0;
        self.harvested.clear();
        Ok(())
    }

    /// Runs a script of this crate in the page, and reads the text it yields. No script changes anything but the
    /// place the page is scrolled to.
    async fn evaluate(&mut self, script: String) -> Result<Option<String>, BrowserError> {
        let mut question = EvaluateParams::new(script);
        question.return_by_value = Some(true);
        let answer = match self.run_within(GLANCE, question).await {
            Err(BrowserError::Unresponsive { .. }) => return Err(BrowserError::Hangs),
            answer => answer?,
        };
        let text = answer
            .result
            .value
            .and_then(|value| value.as_str().map(str::to_owned));
        Ok(text)
    }

    /// Brings the end of the page into view, and does not wait for it: rows that were read are not lost with a page
    /// that breaks afterwards.
    fn nudge(&self) {
        let page = self.page.clone();
        let sweeps = self.pages.is_multiple_of(SWEEP);
        tokio::spawn(async move {
            let _ = timeout(GLANCE, page.execute(EvaluateParams::new(SCROLL))).await;
            if sweeps {
                let _ = timeout(GLANCE, page.execute(CollectGarbageParams::default())).await;
            }
        });
    }

    /// Brings the end of the page into view, which is what makes it ask for more.
    async fn scroll(&mut self) -> Result<(), BrowserError> {
        self.evaluate(SCROLL.to_owned()).await.map(drop)
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let page = self.page.clone();
        // A tab that is closed lets go what is held in it: that must not go out.
        let waiting = std::iter::from_fn(|| self.paused.next().now_or_never().flatten());
        let mut held: Vec<fetch::RequestId> = waiting.map(|event| event.request_id.clone()).collect();
        self.spend_held();
        held.append(&mut self.stale);
        // It may be gone already, or hang; either is the same to whoever drops it.
        runtime.spawn(async move {
            for id in held {
                let drop_it = fetch::FailRequestParams::new(id, network::ErrorReason::Aborted);
                let _ = timeout(GLANCE, page.execute(drop_it)).await;
            }
            let close = CloseTargetParams::new(page.target_id().clone());
            let _ = timeout(COMMAND, page.execute(close)).await;
        });
    }
}
