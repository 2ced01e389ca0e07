//! Loading the page of an account's followers, up to the request it makes for them.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chromiumoxide::{
    cdp::browser_protocol::{
        fetch::{ContinueRequestParams, EventRequestPaused, FulfillRequestParams, HeaderEntry},
        network::ResourceType,
    },
    cdp::js_protocol::runtime::EvaluateParams,
};
use followlytics_core::{
    retry::{Class, Failure},
    scan::range::{NEWEST, Place},
};
use followlytics_platforms::{answer::Answer, connector::LookedUp};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Held, Tab, Trouble, Visit,
    answer::{head, is_answer, lost},
    sight::{challenge, is_challenge, is_login, logged_out},
};
use crate::{
    error::BrowserError,
    graphql::{Asked, Broken, Found, account, block, refusal},
    held::{Operation, Variables, path},
};

/// Without news for so long the page is looked at: it may show something else than a list.
const LOOK: Duration = Duration::from_millis(1500);
/// Between two turns of a page that is asked to go on.
const TURN: Duration = Duration::from_millis(100);

/// What a load is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// The answer to the page's look-up of the account.
    Account,
    /// The request for the first rows.
    List,
}

/// What came of an event.
enum Met {
    Nothing,
    /// A request for rows is held.
    List,
    /// The account was looked up.
    Account(Box<LookedUp>),
}

impl Tab {
    /// Loads the page up to its first request for rows, which is held. The account it looks up first comes from an
    /// earlier answer where there was one: that request was counted then.
    pub(super) async fn open_list(&mut self, visit: &Visit<'_>) -> Result<(), Trouble> {
        // An account that nobody looked up yet is looked up by one tab; the others are given its answer.
        let _turn = match visit.users.body(visit.handle) {
            None => Some(visit.users.turn().await),
            Some(_) => None,
        };
        let loaded = self
            .load(visit, Want::List)
            .await
            .map_err(|trouble| match trouble {
                // What a look-up was told of its window says nothing of the list's, but when to ask again.
                Trouble::Refused(failure) => Trouble::Refused(Failure {
                    retry_after_ms: failure.retry_after_ms.or_else(|| reset_in(&failure, visit.now())),
                    told: None,
                    ..failure
                }),
                other => other,
            });
        match loaded? {
            Met::List => Ok(()),
            Met::Nothing | Met::Account(_) => Err(self.explain_silence(visit).await),
        }
    }

    /// Loads the page and reads what it learns of the account: one request.
    pub(crate) async fn look_up(&mut self, visit: &Visit<'_>) -> Result<LookedUp, Trouble> {
        match self.load(visit, Want::Account).await? {
            Met::Account(found) => Ok(*found),
            Met::Nothing | Met::List => Err(self.explain_silence(visit).await),
        }
    }

    /// Has the page ask for what is wanted. A look-up that came too late for its permit goes on where it waits.
    async fn load(&mut self, visit: &Visit<'_>, want: Want) -> Result<Met, Trouble> {
        let deadline = Instant::now() + visit.patience;
        let goes_on = self.late.is_some() && self.shows(visit.handle);
        let mut event = if goes_on {
            self.late.take()
        } else {
            self.navigate(visit, deadline).await?
        };
        while let left = time_left(deadline)
            && !left.is_zero()
        {
            match event {
                None => self.look_for_obstacles(visit).await?,
                Some(event) => match (self.meet(&event, visit, want).await?, want) {
                    (met @ Met::List, Want::List) | (met @ Met::Account(_), Want::Account) => {
                        self.check_owner(visit).await?;
                        self.next = Some(Place::at(NEWEST));
                        return Ok(met);
                    }
                    _ => {}
                },
            }
            event = self.pause(left.min(LOOK)).await?;
        }
        Ok(Met::Nothing)
    }

    /// Sends the tab to the account's page; the answer that brings its document, which is held, unless it does not
    /// come in time.
    async fn navigate(
        &mut self,
        visit: &Visit<'_>,
        deadline: Instant,
    ) -> Result<Option<Arc<EventRequestPaused>>, Trouble> {
        self.forget().await?;
        visit.handle.clone_into(&mut self.handle);
        let url = format!("{}/{}/followers", visit.base, visit.handle);
        let target = path(&url).to_owned();
        // As a link would: `Page.navigate` is queued here until the page before has loaded, which it may never.
        let go = EvaluateParams::new(format!("location.assign({})", Value::from(url)));
        let page = self.page.clone();
        let mut going = Box::pin(async move { page.execute(go).await });
        let mut is_told = false;
        while let left = time_left(deadline)
            && !left.is_zero()
        {
            let event = tokio::select! {
                biased;
                event = self.pause(left) => event?,
                _ = &mut going, if !is_told => {
                    is_told = true;
                    continue;
                }
            };
            let Some(event) = event else { break };
            if self.is_document(&event) && path(&event.request.url) == target {
                // What the page before was holding went with it.
                self.stale.clear();
                return Ok(Some(event));
            }
            // Of the page before: its requests are cancelled with it, but it must arrive first where it was going.
            if is_answer(&event) {
                self.pass(&event).await?;
            } else {
                self.stale.push(event.request_id.clone());
            }
        }
        Ok(None)
    }

    /// Waits for the page's next request for rows, and keeps its end in view meanwhile; whether it came.
    pub(super) async fn await_list(
        &mut self,
        visit: &Visit<'_>,
        patience: Duration,
    ) -> Result<bool, Trouble> {
        let deadline = Instant::now() + patience;
        while !self.has_list(visit).await? {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.scroll().await?;
            if let Some(event) = self.pause(TURN).await? {
                self.turn_aside(&event, visit).await?;
            }
        }
        Ok(true)
    }

    /// Whether a request for rows is held, now that everything that waited was taken.
    pub(super) async fn has_list(&mut self, visit: &Visit<'_>) -> Result<bool, Trouble> {
        while let Some(event) = self.pause(Duration::ZERO).await? {
            self.turn_aside(&event, visit).await?;
        }
        Ok(self.held.is_some())
    }

    /// Takes an event that nobody waited for.
    pub(super) async fn turn_aside(
        &mut self,
        event: &Arc<EventRequestPaused>,
        visit: &Visit<'_>,
    ) -> Result<(), Trouble> {
        self.meet(event, visit, Want::List).await.map(drop)
    }

    /// Whether this is the page itself, and not one that is shown within it.
    fn is_document(&self, event: &EventRequestPaused) -> bool {
        event.resource_type == ResourceType::Document
            && event.frame_id.inner() == self.page.target_id().inner()
    }

    /// Takes one event: holds a request for rows, reads a look-up, and lets everything else go on.
    async fn meet(
        &mut self,
        event: &Arc<EventRequestPaused>,
        visit: &Visit<'_>,
        want: Want,
    ) -> Result<Met, Trouble> {
        match (Operation::of(&event.request.url), is_answer(event)) {
            (Operation::Followers, false) => {
                self.spend_held();
                self.held = Some(Held {
                    id: event.request_id.clone(),
                    url: event.request.url.clone(),
                });
                Ok(Met::List)
            }
            (Operation::User, false) => {
                self.admit_user(event, visit, want).await?;
                Ok(Met::Nothing)
            }
            (Operation::User, true) => self.read_user(event, visit).await,
            (Operation::Other, true) if self.is_document(event) => {
                self.meet_document(event, visit).await?;
                Ok(Met::Nothing)
            }
            _ => {
                self.pass(event).await?;
                Ok(Met::Nothing)
            }
        }
    }

    /// Lets the page look its account up, or answers it with what was answered before.
    async fn admit_user(
        &mut self,
        event: &Arc<EventRequestPaused>,
        visit: &Visit<'_>,
        want: Want,
    ) -> Result<(), Trouble> {
        let asked = Variables::of(&event.request.url).and_then(|variables| variables.text("screen_name"));
        if !asked.is_some_and(|asked| asked.eq_ignore_ascii_case(visit.handle)) {
            let broken = Broken::new("the page looks up the account whose list was asked for");
            return Err(self.changed(visit, &broken, None).await);
        }
        if let Some(body) = visit.users.body(visit.handle).filter(|_| want == Want::List) {
            let mut answer = FulfillRequestParams::new(event.request_id.clone(), 200);
            let kind = HeaderEntry::new("content-type", "application/json; charset=utf-8");
            answer.response_headers = Some(vec![kind]);
            answer.body = Some(BASE64_STANDARD.encode(&body).into());
            self.run_on(answer).await?;
        } else if visit.is_late() {
            let before = self.late.replace(Arc::clone(event));
            self.stale.extend(before.map(|event| event.request_id.clone()));
            return Err(Trouble::Late);
        } else {
            let mut go = ContinueRequestParams::new(event.request_id.clone());
            go.intercept_response = Some(true);
            self.run_on(go).await?;
        }
        Ok(())
    }

    async fn read_user(&mut self, event: &EventRequestPaused, visit: &Visit<'_>) -> Result<Met, Trouble> {
        let read = self.read(event, visit.now()).await?;
        if !read.has_body {
            let broken = Broken::new("the body of the page's look-up can be read");
            return Err(self.changed(visit, &broken, None).await);
        }
        let answer = read.answer;
        let body = serde_json::from_slice::<Value>(&answer.body).ok();
        let request = path(&event.request.url).to_owned();
        let broken = match body.as_ref().and_then(account) {
            Some(Ok(found)) => {
                visit.users.learn(visit.handle, &found, &answer.body);
                return identified(found, visit, &answer).map_err(Trouble::from);
            }
            Some(Err(broken)) => broken,
            None => {
                if let Some(failure) = refusal(&answer, body.as_ref(), Asked::PLAIN) {
                    return Err(failure.into());
                }
                if body.is_none() {
                    return Err(answer.malformed("it is no JSON").into());
                }
                Broken::new("the answer of UserByScreenName has data or errors")
            }
        };
        Err(self.changed(visit, &broken, Some((&answer, &request))).await)
    }

    /// A document is only ever a page for people: whichever refuses ends the load.
    async fn meet_document(&mut self, event: &EventRequestPaused, visit: &Visit<'_>) -> Result<(), Trouble> {
        self.pass(event).await?;
        if let Some(reason) = &event.response_error_reason {
            return Err(lost(reason).into());
        }
        let answer = head(event, visit.now());
        let location = answer.headers.get(http::header::LOCATION);
        let to = location.and_then(|to| to.to_str().ok()).map_or("", path_of);
        let at = path(&event.request.url);
        if is_challenge(to) || is_challenge(at) {
            return Err(challenge().into());
        }
        if is_login(to) || is_login(at) {
            return Err(logged_out().into());
        }
        match answer.status.as_u16() {
            0..400 => Ok(()),
            404 => {
                let broken = Broken::new("the page of an account's followers is at /HANDLE/followers");
                Err(self.changed(visit, &broken, None).await)
            }
            429 => Err(answer
                .failure(Class::Blocked, "X refuses its pages to this browser (429)")
                .into()),
            _ => Err(block(&answer).into()),
        }
    }

    async fn look_for_obstacles(&mut self, visit: &Visit<'_>) -> Result<(), Trouble> {
        match self.see().await {
            Ok(sight) => sight.obstacle().map_or(Ok(()), |failure| Err(failure.into())),
            // Between two documents there is nothing to look at.
            Err(BrowserError::Protocol(_)) => Ok(()),
            Err(error) => {
                tracing::debug!(handle = visit.handle, "the tab was lost while its page loaded");
                Err(error.into())
            }
        }
    }

    async fn check_owner(&mut self, visit: &Visit<'_>) -> Result<(), Trouble> {
        if visit.owner.is_none() {
            return Ok(());
        }
        let sight = self.see().await?;
        sight
            .stranger(visit.owner)
            .map_or(Ok(()), |failure| Err(failure.into()))
    }
}

/// How long until then.
fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Milliseconds until a window that is used up is empty again.
fn reset_in(failure: &Failure, now: Timestamp) -> Option<i64> {
    let told = failure.told.filter(|told| told.remaining == Some(0))?;
    i64::try_from(now.duration_until(told.reset).as_millis()).ok()
}

/// The path of a `Location`, whole or from the root.
fn path_of(location: &str) -> &str {
    if location.starts_with('/') {
        location.split(['?', '#']).next().unwrap_or(location)
    } else {
        path(location)
    }
}

fn identified(found: Found, visit: &Visit<'_>, answer: &Answer) -> Result<Met, Failure> {
    match found {
        Found::Account { report, .. } => {
            if visit.account_id.is_some_and(|id| id != report.id) {
                let message = format!("@{} is another account's handle by now", visit.handle);
                return Err(answer.failure(Class::NotFound, message));
            }
            Ok(Met::Account(Box::new((report, answer.told))))
        }
        Found::Nobody => Err(answer.failure(Class::NotFound, "X knows no such account")),
        Found::Suspended => Err(answer.failure(Class::Suspended, "X suspended the account")),
    }
}
