//! A modelled browser: it makes the requests that X's page makes, through the simulated network, and fails as
//! browsers do.
//!
//! Answers mean what the real one takes them for, by class; of a row it reads id and handle only.

mod graph;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use followlytics_core::{
    account::AccountRef,
    retry::{Class, Failure},
    scan::{
        empty::{Empty, EmptyPages},
        range::{NEWEST, Place},
    },
};
use followlytics_platforms::{
    answer::Answer,
    connector::{Connector, Context, FetchedPage, LookedUp, PageRequest},
    http::{HttpError, send},
};
use followlytics_simulator::{WebCall, WebConfig, WebSessionSpec};
use futures::{FutureExt as _, future::BoxFuture};
use http::Request;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use self::graph::{List, failure, list, refusal, report};
use super::shared::Shared;

/// X's snowflakes count from here, in milliseconds since 1970.
const SNOWFLAKE_EPOCH: i64 = 1_288_834_974_657;

/// The browser of one sandbox.
pub(super) struct ModelBrowser {
    shared: Shared,
    who: String,
    config: WebConfig,
    running: Mutex<Running>,
}

/// What is lost with the browser's process.
#[derive(Default)]
struct Running {
    /// Accounts whose page is open, by handle.
    open: BTreeSet<String>,
    /// Places the pages would go on at by themselves.
    next: BTreeSet<Option<String>>,
    empty: EmptyPages,
}

impl ModelBrowser {
    pub(super) fn new(shared: Shared, who: &str, config: WebConfig) -> Self {
        Self {
            shared,
            who: who.to_owned(),
            config,
            running: Mutex::default(),
        }
    }

    /// The time by its runner's clock.
    fn now(&self) -> Timestamp {
        self.shared.now() + self.shared.ahead(&self.who)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What browsers do besides: they end, hang, or take their time.
    async fn misbehave(&self) -> Result<(), Failure> {
        if !self.shared.fault(self.shared.scenario.faults.browser) {
            return Ok(());
        }
        let mishap = self.shared.draw(0, 5);
        self.shared.count("browser faults");
        self.shared
            .trace(&format!("{} browser mishap {mishap}", self.who));
        match mishap {
            0 => Err(self.crash()),
            1 => {
                let ms = self.shared.draw(1_000, 30_000);
                self.shared.sleep_ms(ms).await;
                Err(failure(Class::PageStuck, "the page asks for nothing"))
            }
            2 => Err(failure(Class::Challenge, "X wants a person to prove to be one")),
            _ => {
                let ms = self.shared.draw(1_000, 40_000);
                self.shared.sleep_ms(ms).await;
                Ok(())
            }
        }
    }

    /// After an answer: the renderer may end before anybody read it.
    fn outlive(&self) -> Result<(), Failure> {
        if self.shared.fault(self.shared.scenario.faults.browser / 4) {
            self.shared.count("browser faults");
            return Err(self.crash());
        }
        Ok(())
    }

    fn crash(&self) -> Failure {
        *self.running() = Running::default();
        failure(Class::BrowserCrashed, "the browser ended")
    }

    /// Opens the page of an account.
    async fn open(&self, ctx: &Context, session: &WebSessionSpec, handle: &str) -> Result<(), Failure> {
        let cookies = format!("auth_token={}; ct0={}", session.auth_token, session.ct0);
        let headers = [("cookie", cookies)];
        let document = self.get(ctx, &format!("/{handle}/followers"), &headers).await?;
        let status = document.status.as_u16();
        let location = document
            .headers
            .get("location")
            .and_then(|value| value.to_str().ok());
        match (status, location) {
            (200, _) => Ok(()),
            (_, Some(to)) if to.starts_with("/i/flow/login") => {
                Err(failure(Class::LoggedOut, "X asks to sign in"))
            }
            (_, Some(_)) => Err(failure(Class::Challenge, "X wants a person to prove to be one")),
            (500.., _) => Err(failure(Class::ServerError, "the platform failed")),
            _ => Err(failure(Class::Blocked, "X refuses this browser")),
        }
    }

    /// The look-up that the script of such a page makes.
    async fn know(&self, ctx: &Context, session: &WebSessionSpec, handle: &str) -> Result<LookedUp, Failure> {
        let call = WebCall::user_by_screen_name(&self.config, session, handle);
        let answer = self.get(ctx, &call.path, &call.headers).await?;
        let report = report(&answer)?;
        let mut running = self.running();
        running.open.insert(handle.to_owned());
        running.next.insert(None);
        Ok((report, answer.told))
    }

    /// Only while the permit allows it does the page's request go out.
    fn start(&self, ctx: &Context) -> Result<(), Failure> {
        if self.now() < ctx.start_by {
            return Ok(());
        }
        self.shared.count("page came too late");
        Err(failure(
            Class::NotStarted,
            "the page was not ready before the permit's last instant",
        ))
    }

    async fn get(
        &self,
        ctx: &Context,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, Failure> {
        let mut request = Request::get(format!("{}{path}", ctx.base_url));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Bytes::new())
            .map_err(|error| failure(Class::BadRequest, &error.to_string()))?;
        let response = send(&ctx.http, request).await.map_err(|error| match error {
            HttpError::Connect(_) => failure(Class::Network, "no connection"),
            _ => failure(Class::NoAnswer, "no answer"),
        })?;
        Ok(Answer::read(response, &["x-rate-limit"], self.now()))
    }

    async fn look_up(&self, ctx: &Context, account: &AccountRef) -> Result<LookedUp, Failure> {
        let session = session(ctx)?;
        self.misbehave().await?;
        self.open(ctx, &session, &account.handle).await?;
        self.start(ctx)?;
        self.know(ctx, &session, &account.handle).await
    }

    async fn page(&self, ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
        let session = session(ctx)?;
        self.misbehave().await?;
        if !self.running().open.contains(request.handle) {
            self.open(ctx, &session, request.handle).await?;
            self.know(ctx, &session, request.handle).await?;
        }
        let cursor = cursor(request.place, ctx.now);
        let own = request.place.cursor.clone();
        let sought = cursor.is_some() && (own.is_none() || !self.running().next.contains(&own));
        self.start(ctx)?;
        let call = WebCall::followers(&self.config, &session, request.account_id, cursor.as_deref());
        let answer = self.get(ctx, &call.path, &call.headers).await?;
        self.outlive()?;
        if answer.headers.contains_key("x-simulator-page") {
            return Err(self.crash());
        }
        let read = match list(&answer) {
            Some(read) => read?,
            None => return Err(refusal(&answer, sought)),
        };
        self.take(&request, cursor.as_deref(), &answer, read)
    }

    fn take(
        &self,
        request: &PageRequest<'_>,
        asked: Option<&str>,
        answer: &Answer,
        List { lines, users, bottom }: List,
    ) -> Result<FetchedPage, Failure> {
        let below = asked.map(|_| request.place.position);
        let position = position(&bottom).ok_or_else(|| answer.malformed("its cursor has an unknown form"))?;
        if below.is_some_and(|below| position > below) {
            return Err(answer.malformed("its cursor leads to newer rows than were asked for"));
        }
        let mut next = (position > 0).then(|| Place {
            position,
            cursor: Some(bottom.clone()),
        });
        let stays = next.is_some() && below == Some(position);
        if stays && users > 0 {
            return Err(answer.failure(Class::CursorRepeated, "the cursor of this page comes again"));
        }
        let mut running = self.running();
        if stays {
            let lo = request.span.map_or(0, |span| span.lo);
            match running.empty.count(request.account_id, position, lo) {
                Empty::End => next = None,
                Empty::Again => {
                    return Err(answer.failure(Class::ServerError, "empty pages again and again"));
                }
                Empty::Passing if asked == Some(bottom.as_str()) => {
                    return Err(answer.failure(Class::CursorRepeated, "the cursor of this page comes again"));
                }
                Empty::Passing => {}
            }
        } else {
            running.empty.forget(request.account_id, below.unwrap_or(NEWEST));
        }
        if next.is_some() {
            running.next.insert(Some(bottom));
        }
        Ok(FetchedPage {
            lines,
            next,
            returned: users,
            total: None,
            anomalies: Vec::new(),
            told: answer.told,
        })
    }
}

impl Connector for ModelBrowser {
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        self.look_up(ctx, account).boxed()
    }

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        self.page(ctx, request).boxed()
    }
}

fn session(ctx: &Context) -> Result<WebSessionSpec, Failure> {
    let token = ctx.token.as_ref().map(ExposeSecret::expose_secret);
    token
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| failure(Class::LoggedOut, "there is no web session"))
}

/// The cursor to ask with: the platform's own, or one of the same form; none at the newest end.
fn cursor(place: &Place, now: Timestamp) -> Option<String> {
    match &place.cursor {
        Some(cursor) => Some(cursor.clone()),
        None if place.position <= 0 || place.position == NEWEST => None,
        None => {
            let snowflake = now.as_millisecond().saturating_sub(SNOWFLAKE_EPOCH).max(0) << 22;
            Some(format!("{}|{snowflake}", place.position))
        }
    }
}

fn position(cursor: &str) -> Option<i64> {
    cursor
        .split_once('|')?
        .0
        .parse()
        .ok()
        .filter(|position| *position >= 0)
}
