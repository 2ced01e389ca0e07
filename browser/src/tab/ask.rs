//! One page of rows: the held request let through, its answer read.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch::{ContinueRequestParams, EventRequestPaused};
use followlytics_core::{
    retry::{Class, Failure},
    row::Line,
    scan::{range::Place, window::Told},
};
use followlytics_platforms::{answer::Answer, connector::FetchedPage};
use serde_json::Value;
use tokio::time::Instant;

use super::{PAGES, Tab, Trouble, Visit, answer::is_answer};
use crate::{
    cursor::{Start, position},
    error::failure,
    graphql::{Asked, Broken, refusal, timeline},
    held::{Operation, Variables, path, with_cursor},
    options::Reading,
};

/// How long a page that should go on by itself may take before it is loaded anew.
pub(super) const GOES_ON: Duration = Duration::from_secs(3);
/// Requests that the page gives up while they are held, before a call fails.
const GIVEN_UP: u32 = 3;

/// A page, and whether it leads anywhere.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) page: FetchedPage,
    /// No rows, and a cursor of the same position.
    pub(crate) stands_still: bool,
}

impl Tab {
    /// Reads the page that begins at `start`.
    pub(crate) async fn fetch(&mut self, visit: &Visit<'_>, start: &Start) -> Result<Fetched, Trouble> {
        for _ in 0..GIVEN_UP {
            self.make_ask(visit).await?;
            if let Some(sought) = self.let_through(visit, start).await? {
                let event = self.await_answer(visit).await?;
                return self.take(&event, visit, start, sought).await;
            }
            tracing::debug!("the page had given its held request up");
        }
        Err(failure(Class::PageStuck, "X's page gives its requests up while they wait").into())
    }

    /// Has the page hold a request for rows.
    async fn make_ask(&mut self, visit: &Visit<'_>) -> Result<(), Trouble> {
        let goes_on = self.shows(visit.handle) && self.next.is_some() && self.pages < PAGES;
        if goes_on && self.await_list(visit, GOES_ON.min(visit.patience)).await? {
            return Ok(());
        }
        self.open_list(visit).await
    }

    /// Lets the held request through, with the cursor that is wanted. Tells whether that is another one than the
    /// page's own; `None` when the page had given the request up.
    async fn let_through(&mut self, visit: &Visit<'_>, start: &Start) -> Result<Option<bool>, Trouble> {
        if visit.is_late() {
            return Err(Trouble::Late);
        }
        let Some(held) = self.held.take() else {
            return Ok(None);
        };
        let Some(variables) = Variables::of(&held.url) else {
            let broken = Broken::new("the request for rows has variables, and they are a JSON object");
            return Err(self.changed(visit, &broken, None).await);
        };
        let listed = variables.text("userId");
        if listed.is_none() || visit.account_id.is_some_and(|id| listed.as_deref() != Some(id)) {
            self.spend();
            let broken = Broken::new("the page lists the followers of the account that was asked for");
            return Err(self.changed(visit, &broken, None).await);
        }
        let sought = !start.is_asked_by(variables.text("cursor").as_deref());
        let mut go = ContinueRequestParams::new(held.id);
        go.intercept_response = Some(true);
        if sought {
            go.url = with_cursor(&held.url, start.cursor());
        }
        Ok(self.run_on(go).await?.then_some(sought))
    }

    async fn await_answer(&mut self, visit: &Visit<'_>) -> Result<EventRequestPaused, Trouble> {
        let deadline = Instant::now() + visit.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(event) = self.pause(left).await? else {
                self.spend();
                return Err(failure(Class::NoAnswer, "the platform did not answer in time").into());
            };
            match (Operation::of(&event.request.url), is_answer(&event)) {
                (Operation::Followers, true) => return Ok(EventRequestPaused::clone(&event)),
                _ => self.turn_aside(&event, visit).await?,
            }
        }
    }

    async fn take(
        &mut self,
        event: &EventRequestPaused,
        visit: &Visit<'_>,
        start: &Start,
        sought: bool,
    ) -> Result<Fetched, Trouble> {
        let request = path(&event.request.url).to_owned();
        // Whatever it is, the page does not go on before it was understood.
        self.next = None;
        let read = self.read(event, visit.now()).await?;
        self.pages += 1;
        let unread = !read.has_body || visit.reading == Reading::Cells;
        if unread && read.answer.status.is_success() {
            let told = read.answer.told;
            return self.take_cells(visit, start, told).await;
        }
        let answer = read.answer;
        let body = serde_json::from_slice::<Value>(&answer.body).ok();
        let asked = Asked {
            sought,
            protected: visit.users.is_protected(visit.handle),
        };
        let list = match body.as_ref().and_then(timeline) {
            Some(Ok(list)) if answer.status.is_success() => list,
            Some(Err(broken)) if answer.status.is_success() => {
                return Err(self.changed(visit, &broken, Some((&answer, &request))).await);
            }
            _ => {
                return Err(self
                    .refused(visit, (&answer, &request), body.as_ref(), asked)
                    .await);
            }
        };
        let told = answer.told;
        let next = follow(&answer, start, &list.bottom, list.users)?;
        let stands_still = list.users == 0
            && next
                .as_ref()
                .is_some_and(|next| start.below() == Some(next.position));
        if list.users > 0 {
            self.next.clone_from(&next);
        }
        if next.is_some() {
            // So that its next request is there by the time it is wanted.
            self.nudge();
        }
        Ok(fetched(list.lines, list.users, next, told, stands_still))
    }

    async fn take_cells(
        &mut self,
        visit: &Visit<'_>,
        start: &Start,
        told: Option<Told>,
    ) -> Result<Fetched, Trouble> {
        let harvest = self.harvest(visit).await?;
        let next = match harvest.cursor {
            Some(cursor) => place_below(start, &cursor).map_err(|what| {
                failure(
                    Class::Malformed,
                    format!("the page's next request cannot be read: {what}"),
                )
            })?,
            None => None,
        };
        self.next.clone_from(&next);
        let users = u32::try_from(harvest.lines.len()).unwrap_or(u32::MAX);
        Ok(fetched(harvest.lines, users, next, told, false))
    }

    async fn refused(
        &mut self,
        visit: &Visit<'_>,
        (answer, request): (&Answer, &str),
        body: Option<&Value>,
        asked: Asked,
    ) -> Trouble {
        if let Some(failure) = refusal(answer, body, asked) {
            return failure.into();
        }
        if body.is_none() {
            return answer.malformed("it is no JSON").into();
        }
        let broken =
            Broken::new("the answer of Followers has data.user.result.timeline.timeline.instructions");
        self.changed(visit, &broken, Some((answer, request))).await
    }
}

fn fetched(
    lines: Vec<Line>,
    returned: u32,
    next: Option<Place>,
    told: Option<Told>,
    stands_still: bool,
) -> Fetched {
    Fetched {
        page: FetchedPage {
            lines,
            next,
            returned,
            total: None,
            anomalies: Vec::new(),
            told,
        },
        stands_still,
    }
}

/// The place a list's last cursor leads to; `None` at its end.
fn follow(answer: &Answer, start: &Start, bottom: &str, users: u32) -> Result<Option<Place>, Failure> {
    let next = place_below(start, bottom).map_err(|what| answer.malformed(what))?;
    let stays = next
        .as_ref()
        .is_some_and(|next| start.below() == Some(next.position));
    if stays && users > 0 {
        let message = "the platform named the cursor of this page as the next one";
        return Err(answer.failure(Class::CursorRepeated, message));
    }
    Ok(next)
}

fn place_below(start: &Start, cursor: &str) -> Result<Option<Place>, &'static str> {
    let position = position(cursor).ok_or("its cursor has an unknown form")?;
    if position == 0 {
        return Ok(None);
    }
    if start.below().is_some_and(|below| position > below) {
        return Err("its cursor leads to newer rows than were asked for");
    }
    Ok(Some(Place {
        position,
        cursor: Some(cursor.to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use jiff::Timestamp;

    use super::*;

    fn answer() -> Answer {
        Answer::read(Response::new(Bytes::new()), &[], Timestamp::UNIX_EPOCH)
    }

    fn at(position: i64, cursor: &str) -> Start {
        Start::Given {
            position,
            cursor: cursor.into(),
        }
    }

    #[test]
    fn a_cursor_leads_below_where_the_page_began_or_is_refused() {
        let go = |start: &Start, bottom, users| follow(&answer(), start, bottom, users);
        let next = go(&Start::Newest, "70|3", 20).unwrap().unwrap();
        assert_eq!((next.position, next.cursor.as_deref()), (70, Some("70|3")));
        assert_eq!(go(&at(70, "70|3"), "0|4", 20), Ok(None));
        let class = |start: &Start, bottom, users| go(start, bottom, users).unwrap_err().class;
        assert_eq!(class(&at(70, "70|3"), "71|4", 20), Class::Malformed);
        assert_eq!(class(&at(70, "70|3"), "DAAB", 20), Class::Malformed);
        assert_eq!(class(&at(70, "70|3"), "70|4", 20), Class::CursorRepeated);
    }

    #[test]
    fn an_empty_page_may_lead_to_the_same_place() {
        let next = follow(&answer(), &at(70, "70|3"), "70|4", 0).unwrap().unwrap();
        assert_eq!(next.position, 70);
    }
}
