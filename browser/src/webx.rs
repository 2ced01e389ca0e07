//! X's pages for people behind the trait of the platforms' connectors.
//!
//! One Chromium, started by the first call, serves every call of one session. Losing it costs the calls that were
//! using it; the next one starts another.

use std::sync::{
    Arc, Mutex as Quick, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use chromiumoxide::cdp::browser_protocol::{network::CookieParam, storage::SetCookiesParams};
use followlytics_core::{
    account::AccountRef,
    retry::{Class, Failure},
    scan::{
        empty::{Empty, EmptyPages},
        range::{NEWEST, Place, Walk},
    },
};
use followlytics_platforms::connector::{Connector, Context, FetchedPage, LookedUp, PageRequest};
use futures::{FutureExt as _, future::BoxFuture};
use secrecy::ExposeSecret as _;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{
    chromium::{COMMAND, Chromium},
    cursor::Start,
    error::{BrowserError, failure},
    options::Options,
    pool::{Lease, Pool, Users},
    session::{SessionError, WebSession},
    tab::{Fetched, Tab, Trouble, Visit},
};

/// X through its own pages. Cheap to clone; all clones share one browser.
#[derive(Debug, Clone)]
pub struct WebX(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    running: Mutex<Option<Arc<Running>>>,
    users: Users,
    empty: Quick<EmptyPages>,
}

/// A Chromium with a session's cookies.
#[derive(Debug)]
struct Running {
    // Tabs go before the browser they are in.
    pool: Pool,
    chromium: Chromium,
    session: WebSession,
    base: String,
    /// Whether it has left a command without an answer: it may hang for ever, and never end.
    hangs: AtomicBool,
}

impl WebX {
    /// A connector that starts its browser when it is first needed.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner {
            options,
            running: Mutex::new(None),
            users: Users::default(),
            empty: Quick::default(),
        }))
    }

    /// Ends the browser; returns once its processes and its profile are gone, in two seconds at most. A later call
    /// starts another.
    pub async fn close(&self) {
        let running = self.0.running.lock().await.take();
        if let Some(running) = running {
            end(running).await;
        }
    }

    /// Process id of the running Chromium, which is its process group's too.
    pub async fn pid(&self) -> Option<u32> {
        let running = self.0.running.lock().await;
        running.as_ref().map(|running| running.chromium.pid())
    }

    /// The browser of this session, started where there is none.
    async fn running(&self, base: &str, session: &WebSession) -> Result<Arc<Running>, BrowserError> {
        let mut running = self.0.running.lock().await;
        if let Some(there) = running.as_ref() {
            if there.is_alive() && there.base == base && there.session.is(session) {
                return Ok(Arc::clone(there));
            }
            // Another session's cookies must not meet this one's, and a dead browser's profile is of no use.
            if let Some(old) = running.take() {
                end(old).await;
            }
        }
        let started = Arc::new(Running::start(&self.0.options, base, session).await?);
        *running = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn page(&self, ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
        if request.walk == Walk::Up {
            return Err(failure(
                Class::BadRequest,
                "X's pages list followers from the newest on only",
            ));
        }
        let session = session(ctx)?;
        let base = base(ctx)?;
        let visit = self.visit(ctx, (base, request.handle), Some(request.account_id), &session);
        let running = self.running(base, &session).await?;
        let start = Start::of(request.place, ctx.now);
        let (lease, mut tab) = running.tab(request.handle, Some(request.place)).await?;
        let result = tab.fetch(&visit, &start).await;
        let fetched = settle(&running, result, tab, |tab| lease.give_back(tab)).await?;
        self.count_empty(&request, &start, fetched)
    }

    async fn look_up(&self, ctx: &Context, handle: &str, id: Option<&str>) -> Result<LookedUp, Failure> {
        let session = session(ctx)?;
        let base = base(ctx)?;
        let visit = self.visit(ctx, (base, handle), id, &session);
        let running = self.running(base, &session).await?;
        let (lease, mut tab) = running.tab(handle, None).await?;
        let result = tab.look_up(&visit).await;
        settle(&running, result, tab, |tab| lease.give_back(tab)).await
    }

    fn visit<'a>(
        &'a self,
        ctx: &'a Context,
        (base, handle): (&'a str, &'a str),
        account_id: Option<&'a str>,
        session: &'a WebSession,
    ) -> Visit<'a> {
        let options = &self.0.options;
        Visit {
            base,
            handle,
            account_id,
            owner: session.handle.as_deref(),
            began: (ctx.now, Instant::now()),
            start_by: Instant::now()
                + ctx
                    .now
                    .duration_until(ctx.start_by)
                    .try_into()
                    .unwrap_or_default(),
            patience: options.patience,
            reading: options.reading,
            traces: options.traces.as_deref(),
            users: &self.0.users,
        }
    }

    fn count_empty(
        &self,
        request: &PageRequest<'_>,
        start: &Start,
        fetched: Fetched,
    ) -> Result<FetchedPage, Failure> {
        let Fetched {
            mut page,
            stands_still,
        } = fetched;
        let mut empty = self.0.empty.lock().unwrap_or_else(PoisonError::into_inner);
        let place = start.below().unwrap_or(NEWEST);
        if !stands_still {
            empty.forget(request.account_id, place);
            return Ok(page);
        }
        match empty.count(request.account_id, place, request.span.map_or(0, |span| span.lo)) {
            Empty::Passing => {}
            Empty::Again => {
                return Err(Failure {
                    told: page.told,
                    ..failure(
                        Class::ServerError,
                        "the platform answers with empty pages again and again",
                    )
                });
            }
            Empty::End => page.next = None,
        }
        let named = page.next.as_ref().and_then(|next| next.cursor.as_deref());
        if named.is_some() && named == start.cursor() {
            return Err(Failure {
                told: page.told,
                ..failure(
                    Class::CursorRepeated,
                    "the platform named the cursor of this page as the next one",
                )
            });
        }
        Ok(page)
    }
}

impl Connector for WebX {
    /// By its handle alone, the only address such a page has; an `id` is what the account must then have.
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        self.look_up(ctx, &account.handle, id).boxed()
    }

    /// Positions are the numbers of the list's cursors. One more request, of the family of look-ups, is made where
    /// a page is opened whose account was never looked up here.
    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        self.page(ctx, request).boxed()
    }
}

impl Running {
    async fn start(options: &Options, base: &str, session: &WebSession) -> Result<Self, BrowserError> {
        let chromium = Chromium::start(options).await?;
        let cookie = |name: &str, value: &str, script_sees_it: bool| {
            let mut cookie = CookieParam::new(name, value);
            cookie.url = Some(format!("{base}/"));
            cookie.http_only = Some(!script_sees_it);
            cookie.secure = Some(base.starts_with("https:"));
            cookie
        };
        let cookies = SetCookiesParams::new(vec![
            cookie("auth_token", session.auth_token.expose_secret(), false),
            cookie("ct0", session.ct0.expose_secret(), true),
        ]);
        // With its last window Chromium puts the profile away, and the cookies of a session with it.
        timeout(COMMAND, chromium.browser().new_page("about:blank"))
            .await
            .map_err(|_| BrowserError::Unresponsive { patience: COMMAND })??;
        timeout(COMMAND, chromium.browser().execute(cookies))
            .await
            .map_err(|_| BrowserError::Unresponsive { patience: COMMAND })??;
        Ok(Self {
            pool: Pool::new(options.tabs),
            chromium,
            session: session.clone(),
            base: base.to_owned(),
            hangs: AtomicBool::new(false),
        })
    }

    /// Whether it is worth another call.
    fn is_alive(&self) -> bool {
        self.chromium.is_alive() && !self.hangs.load(Ordering::Relaxed)
    }

    async fn tab(&self, handle: &str, place: Option<&Place>) -> Result<(Lease<'_>, Tab), BrowserError> {
        let taken = self.pool.take(&self.chromium, handle, place).await;
        if let Err(error) = &taken {
            self.notice(error).await;
        }
        taken
    }

    /// Tells a browser that hangs from a page that does.
    async fn notice(&self, error: &BrowserError) {
        let is_silent = matches!(error, BrowserError::Hangs | BrowserError::Unresponsive { .. });
        if is_silent && !self.chromium.answers().await {
            self.hangs.store(true, Ordering::Relaxed);
        }
    }
}

/// Ends a browser, at once where no call uses it; otherwise those calls fail when its process does.
async fn end(running: Arc<Running>) {
    match Arc::try_unwrap(running) {
        Ok(running) => running.chromium.close().await,
        Err(shared) => shared.chromium.kill().await,
    }
}

/// Gives a tab back that can be used again.
async fn settle<T>(
    running: &Running,
    result: Result<T, Trouble>,
    mut tab: Tab,
    give_back: impl FnOnce(Tab),
) -> Result<T, Failure> {
    match result {
        Ok(value) => {
            give_back(tab);
            Ok(value)
        }
        Err(Trouble::Refused(failure)) => {
            tab.spend();
            give_back(tab);
            Err(failure)
        }
        Err(Trouble::Late) => {
            give_back(tab);
            Err(failure(
                Class::NotStarted,
                "X's page was not ready before the permit's last instant",
            ))
        }
        Err(Trouble::Lost(error)) => {
            drop(tab);
            running.notice(&error).await;
            // A tab whose browser is gone says so in its own words only.
            let gone = !running.chromium.is_alive();
            Err(if gone { BrowserError::Gone } else { error }.into())
        }
    }
}

fn session(ctx: &Context) -> Result<WebSession, Failure> {
    let token = ctx.token.as_ref().ok_or_else(|| {
        failure(
            Class::LoggedOut,
            "there is no web session: add one with `followlytics credential add NAME --platform x --type web-session`",
        )
    })?;
    WebSession::parse(token.expose_secret()).map_err(|error: SessionError| error.into())
}

fn base(ctx: &Context) -> Result<&str, Failure> {
    let base = ctx.base_url.trim_end_matches('/');
    let known = ["https://", "http://"].iter().any(|scheme| {
        base.strip_prefix(scheme)
            .is_some_and(|host| !host.is_empty() && !host.contains(['?', '#']))
    });
    known.then_some(base).ok_or_else(|| {
        failure(
            Class::BadRequest,
            "the platform's base URL is none: write http://HOST or https://HOST, with no query",
        )
    })
}
