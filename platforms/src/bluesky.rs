//! Bluesky: newest first, positions are microseconds since 1970, seekable by time.
//!
//! Between two pages stands the server's own cursor, used as it came. Where a range begins without one, a
//! cursor is made up ([`cursor`]). The place after a page is one microsecond above its last row's instant:
//! rows of that same instant may still follow, and everything that is left lies below it.
//!
//! Keys are not unique: follows of one account with the same date share (sortAt, cid), for the record holds no author. Rows
//! below a cursor exclude every row of its key, so a page is asked for by a key just above it ([`TIE`]): the rows of that
//! key come again, and none is skipped. A page of one key alone is either the end of the list, or its key has more rows than
//! fit. So what is behind the key is asked for, and where that has rows, the key once more ([`TIE_AGAIN`]): rows that came
//! meanwhile, dated before all others, follow those of the key now; otherwise some of the key's are left out.
//!
//! A cursor of another form, or one that leads to newer rows, still leads on: its rows are kept, and the place after
//! the page keeps the last position that was read ([`Place::unread`]).

pub mod cursor;

mod answer;
mod profile;
mod server;

use followlytics_core::{
    account::{AccountRef, Platform},
    mutants::{self, Mutant},
    page::MAX_ROWS,
    retry::{Class, Failure},
    scan::{
        observed::Anomaly,
        range::{NEWEST, Place, Walk},
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::{cursor::Form, profile::Profile};
use crate::{
    answer::Answer,
    connector::{Connector, Context, FetchedPage, Identified, LookedUp, PageRequest},
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
/// What makes a key greater than all of its own and less than any other: cids are lower-case letters and digits.
const TIE: &str = "~";
/// The same for the second time, after rows were found behind a page of one key alone.
const TIE_AGAIN: &str = "~~";
/// What a number may begin with and still be read as the same: marks a key whose own rows were left out, as far as anybody
/// can tell. Time 0 is written with one zero.
const LEFT_OUT: &str = "00";
/// A longer cursor is not one of a known form, whatever it begins with.
const LONGEST_READ: usize = 256;

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

    fn server<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<Identified, Failure>> {
        server::ask(ctx).boxed()
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
    let asked = Asked::new(&request);
    let rows = request.max_rows.min(request.page_rows).clamp(1, MOST_ROWS);
    let mut path = format!(
        "{API}/app.bsky.graph.getFollowers?actor={}&limit={rows}",
        encode(request.account_id)
    );
    let cursor = match asked {
        Asked::Start => None,
        Asked::Below if place.position == NEWEST => None,
        Asked::Below => Some(Form::of(&ctx.base_url).cursor_below(place.position)),
        Asked::Token(token) | Asked::Chain(token) => Some(token.to_owned()),
    };
    if let Some(cursor) = &cursor {
        path.push_str("&cursor=");
        path.push_str(&encode(cursor));
    }
    let answer = get(ctx, DIALECT, &path).await?;
    answer::check(&answer)?;
    read_page(&answer, place, asked, (cursor.as_deref(), rows))
}

/// What a page is asked by.
#[derive(Debug, Clone, Copy)]
enum Asked<'a> {
    /// A position.
    Below,
    /// The server's own cursor, in a list of positions.
    Token(&'a str),
    /// Nothing: the first page of a chain.
    Start,
    /// The server's own cursor, in a chain.
    Chain(&'a str),
}

impl<'a> Asked<'a> {
    fn new(request: &PageRequest<'a>) -> Self {
        let place = request.place;
        match (place.token(), request.span) {
            (Some(token), Some(_)) => Self::Token(token),
            (Some(token), None) => Self::Chain(token),
            // Where every chain begins; no probe asks below it.
            (None, None) if place.position == 0 => Self::Start,
            (None, _) => Self::Below,
        }
    }
}

#[derive(Deserialize)]
struct Followers<'a> {
    #[serde(borrow)]
    followers: Vec<&'a RawValue>,
    #[serde(borrow)]
    cursor: Option<&'a RawValue>,
}

fn read_page(
    answer: &Answer,
    place: &Place,
    asked: Asked<'_>,
    (used, rows): (Option<&str>, u32),
) -> Result<FetchedPage, Failure> {
    let list: Followers<'_> =
        object(&answer.body).map_err(|_| answer.malformed("it has no list of followers"))?;
    let cursor = list.cursor.map(|cursor| {
        // What is not a text is kept as it is written.
        serde_json::from_str(cursor.get()).unwrap_or_else(|_| cursor.get().to_owned())
    });
    let lines = lines(&list.followers, Profile::row)
        .ok_or_else(|| answer.malformed(&format!("it holds more than {MAX_ROWS} rows")))?;
    let returned = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    // Rows of one key that fill a page leave out those that do not fit. A page lacks a row for each hidden account, and
    // nothing shows how many: it counts as full from a quarter on.
    let is_one_key = cursor.as_deref().is_some_and(|cursor| is_again(cursor, used));
    let was_followed = used.is_some_and(|used| used.ends_with(TIE_AGAIN));
    let is_tied = is_one_key && (was_followed || returned >= rows.min((rows / 4).max(2)));
    let next = cursor.map(|cursor: String| match asked {
        // A cursor that was computed names no time of a row: it may lie above the place that it was computed for.
        Asked::Below if used == Some(&cursor) => place.clone(),
        Asked::Token(key) if is_behind_one_key(key) => follow(place, format!("{key}{TIE_AGAIN}")),
        Asked::Below | Asked::Token(_) if is_tied => follow(place, left_out(&cursor)),
        Asked::Below | Asked::Token(_) => follow(place, with_ties(cursor, used)),
        Asked::Start | Asked::Chain(_) => place.followed_by(&cursor),
    });
    if mutants::on(Mutant::OddCursorRefused) && next.as_ref().is_some_and(Place::is_unread) {
        return Err(answer.malformed("its cursor cannot be read"));
    }
    // Only a page without rows ends a list (db/pagination.ts, packFromResult).
    let is_cut = next.is_none() && returned > 0;
    let mut anomalies = anomalies(next.as_ref());
    anomalies.extend(is_cut.then_some(Anomaly::EndUnproven));
    anomalies.extend(is_tied.then_some(Anomaly::KeysTied));
    Ok(FetchedPage {
        lines,
        returned,
        total: None,
        anomalies,
        next,
        told: answer.told,
    })
}

/// The cursor that brings the rows of its own key again; as it came where they are all that this page was, so that a
/// list goes on behind them, and where it names its own page.
fn with_ties(cursor: String, used: Option<&str>) -> String {
    if is_key(&cursor) && !is_again(&cursor, used) && used != Some(&cursor) {
        format!("{cursor}{TIE}")
    } else {
        cursor
    }
}

/// Whether a page that was asked for with the rows of this key ended at the same key.
fn is_again(cursor: &str, used: Option<&str>) -> bool {
    let key = |used: &str| {
        let key = used.strip_suffix(TIE_AGAIN).or_else(|| used.strip_suffix(TIE))?;
        Some(key == cursor)
    };
    is_key(cursor) && used.and_then(key) == Some(true)
}

/// Whether a page is asked for behind a page of one key alone, which may have been the list's last.
fn is_behind_one_key(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    is_key(token)
        && !token.ends_with(TIE)
        && !digits.starts_with(LEFT_OUT)
        && !mutants::on(Mutant::TieAskedOnce)
}

/// A key that is followed although rows of its own may be left out.
fn left_out(key: &str) -> String {
    if mutants::on(Mutant::TieUnmarked) {
        return key.to_owned();
    }
    key.strip_prefix('-').map_or_else(
        || format!("{LEFT_OUT}{key}"),
        |digits| format!("-{LEFT_OUT}{digits}"),
    )
}

/// Whether a cursor is a key of the open `AppView`.
fn is_key(cursor: &str) -> bool {
    cursor.contains("__") && cursor.len() < LONGEST_READ && cursor::instant(cursor).is_some()
}

/// What the next place says against the list: a position that rose, or that cannot be read.
fn anomalies(next: Option<&Place>) -> Vec<Anomaly> {
    let unread = next.filter(|next| next.is_unread()).and_then(Place::token);
    let anomaly = unread.map(|token| match cursor::instant(token) {
        Some(_) if token.len() <= LONGEST_READ => Anomaly::KeyRose,
        _ => Anomaly::CursorUnreadable,
    });
    anomaly.into_iter().collect()
}

/// Returns the place a cursor leads to. One above where the page began shows that the server did not seek: its rows are
/// read again further down, and merge away.
fn follow(place: &Place, cursor: String) -> Place {
    let position = cursor::instant(&cursor).map(|instant| instant.saturating_add(1));
    match position.filter(|position| *position <= place.position && cursor.len() <= LONGEST_READ) {
        Some(position) => Place {
            position,
            cursor: Some(cursor),
        },
        None => Place::unread(place.position, &cursor),
    }
}

#[cfg(test)]
mod tests;
