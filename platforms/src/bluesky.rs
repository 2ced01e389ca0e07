//! Bluesky: newest first, positions are microseconds since 1970, seekable by time.
//!
//! Between two pages stands the server's own cursor, used as it came. Where a range begins without one, a
//! cursor is made up ([`cursor`]). The place after a page is one microsecond above its last row's instant:
//! rows of that same instant may still follow, and everything that is left lies below it.

pub mod cursor;

mod answer;
mod profile;

use followlytics_core::{
    account::{AccountRef, Platform},
    page::MAX_ROWS,
    retry::{Class, Failure},
    scan::range::{NEWEST, Place, Walk},
};
use futures::{FutureExt as _, future::BoxFuture};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::{cursor::Form, profile::Profile};
use crate::{
    answer::Answer,
    connector::{Connector, Context, FetchedPage, LookedUp, PageRequest},
    request::{Dialect, encode, failure, get},
    rows::{lines, object},
};

const DIALECT: Dialect = Dialect {
    limits: &["ratelimit"],
    ..Dialect::JSON
};
const API: &str = Platform::Bluesky.facts().api;
/// The lexicon of app.bsky.graph.getFollowers: `limit` is 1 to 100.
const MOST_ROWS: u32 = 100;

/// Bluesky.
#[derive(Debug, Clone, Copy)]
pub struct Bluesky;

impl Connector for Bluesky {
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        look_up(ctx, id.unwrap_or(&account.handle)).boxed()
    }

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        page(ctx, request).boxed()
    }
}

async fn look_up(ctx: &Context, actor: &str) -> Result<LookedUp, Failure> {
    let path = format!("{API}/app.bsky.actor.getProfile?actor={}", encode(actor));
    let answer = get(ctx, DIALECT, &path).await?;
    answer::check(&answer)?;
    let profile: Profile = object(&answer.body).map_err(|_| answer.malformed("it is no profile"))?;
    let report = profile.report().map_err(|what| answer.malformed(what))?;
    Ok((report, answer.told))
}

async fn page(ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
    if request.walk == Walk::Up {
        return Err(failure(
            Class::BadRequest,
            "Bluesky's lists are read from their newest end only",
        ));
    }
    let place = request.place;
    let rows = request.max_rows.min(request.page_rows).clamp(1, MOST_ROWS);
    let mut path = format!(
        "{API}/app.bsky.graph.getFollowers?actor={}&limit={rows}",
        encode(request.account_id)
    );
    let made_up = || Form::of(&ctx.base_url).cursor_below(place.position);
    let cursor = place
        .cursor
        .clone()
        .or_else(|| (place.position != NEWEST).then(made_up));
    if let Some(cursor) = &cursor {
        path.push_str("&cursor=");
        path.push_str(&encode(cursor));
    }
    let answer = get(ctx, DIALECT, &path).await?;
    answer::check(&answer)?;
    read_page(&answer, place, cursor.as_deref())
}

#[derive(Deserialize)]
struct Followers<'a> {
    #[serde(borrow)]
    followers: Vec<&'a RawValue>,
    cursor: Option<String>,
}

fn read_page(answer: &Answer, place: &Place, used: Option<&str>) -> Result<FetchedPage, Failure> {
    let list: Followers<'_> =
        object(&answer.body).map_err(|_| answer.malformed("it has no list of followers"))?;
    let next = match list.cursor {
        Some(cursor) if Some(cursor.as_str()) == used => {
            let message = "the platform named the cursor of this page as the next one";
            return Err(answer.failure(Class::CursorRepeated, message));
        }
        Some(cursor) => Some(follow(answer, place, cursor)?),
        None => None,
    };
    let lines = lines(&list.followers, Profile::row)
        .ok_or_else(|| answer.malformed(&format!("it holds more than {MAX_ROWS} rows")))?;
    let returned = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    Ok(FetchedPage {
        lines,
        next,
        returned,
        total: None,
        anomalies: Vec::new(),
        told: answer.told,
    })
}

/// The place a cursor leads to. One above where the page began means that the server does not seek.
fn follow(answer: &Answer, place: &Place, cursor: String) -> Result<Place, Failure> {
    let instant =
        cursor::instant(&cursor).ok_or_else(|| answer.malformed("its cursor has an unknown form"))?;
    let position = instant.saturating_add(1);
    if position > place.position {
        return Err(answer.malformed("its cursor leads to newer rows than were asked for"));
    }
    Ok(Place {
        position,
        cursor: Some(cursor),
    })
}

#[cfg(test)]
mod tests;
