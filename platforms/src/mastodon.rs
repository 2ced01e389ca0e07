//! Mastodon and the servers that speak its API: newest follow first.
//!
//! Where the next page begins stands in the `Link` header alone: its `max_id` is the id of a *follow*, which no
//! row shows. On Mastodon it is a number, and a page can begin below any number: the list is seekable. On other
//! servers it is a text, and only the server can make one: there the list is a chain, whose cursor is the query
//! of the link as it came. Which of the two a server is shows in the probes (`followlytics_core::scan::plan`).

mod answer;
mod server;
mod user;

use followlytics_core::{
    account::{AccountRef, Platform},
    page::MAX_ROWS,
    retry::{Class, Failure},
    scan::{
        observed::Anomaly,
        plan::AccountReport,
        range::{NEWEST, Place, Walk},
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::value::RawValue;

use self::user::Account;
use crate::{
    answer::Answer,
    connector::{Connector, Context, FetchedPage, Identified, LookedUp, PageRequest},
    links,
    request::{Dialect, encode, failure, get_moved},
    rows::{lines, object},
};

const DIALECT: Dialect = Dialect {
    limits: &["x-ratelimit"],
    ..Dialect::JSON
};
const API: &str = Platform::Mastodon.facts().api;
/// docs.joinmastodon.org, followers: `limit` is at most 80.
const MOST_ROWS: u32 = 80;

/// A Mastodon server.
#[derive(Debug, Clone, Copy)]
pub struct Mastodon;

impl Connector for Mastodon {
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        look_up(ctx, &account.handle, id).boxed()
    }

    fn server<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<Identified, Failure>> {
        server::get(ctx).boxed()
    }

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        page(ctx, request).boxed()
    }
}

async fn look_up(ctx: &Context, user: &str, id: Option<&str>) -> Result<LookedUp, Failure> {
    let path = match id {
        Some(id) => format!("{API}/accounts/{}", encode(id)),
        None => format!("{API}/accounts/lookup?acct={}", encode(user)),
    };
    let answer = get_moved(ctx, DIALECT, &path).await?;
    answer::check(&answer, ctx.auth)?;
    let report = read_account(&answer)?;
    Ok((report, answer.told))
}

fn read_account(answer: &Answer) -> Result<AccountReport, Failure> {
    let account: Account = object(&answer.body).map_err(|_| answer.malformed("it is no account"))?;
    if account.is_suspended() {
        return Err(answer.failure(Class::Suspended, "the server suspended the account"));
    }
    account.report().map_err(|what| answer.malformed(what))
}

/// What a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'a> {
    /// The newest follows below this id.
    Below {
        id: i64,
        /// Whether the answer is to show what kind of list this is.
        probing: bool,
    },
    /// The next page of a list of numbers, by a link that shows none.
    Link {
        /// The last number that was read.
        id: i64,
        /// The link's query.
        query: &'a str,
    },
    /// The next page of a chain; its first one has no query.
    Chain(Option<&'a str>),
}

impl<'a> Asked<'a> {
    fn new(request: &PageRequest<'a>) -> Self {
        let place = request.place;
        match (place.token(), request.span) {
            (Some(query), Some(_)) => Self::Link {
                id: place.position,
                query,
            },
            (Some(query), None) => Self::Chain(Some(query)),
            // Where every chain begins; a probe never looks below the first id.
            (None, None) if place.position == 0 => Self::Chain(None),
            (None, span) => Self::Below {
                id: place.position,
                probing: span.is_none(),
            },
        }
    }
}

async fn page(ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
    if request.walk == Walk::Up {
        return Err(failure(
            Class::BadRequest,
            "Mastodon's lists are read from their newest end only",
        ));
    }
    let rows = request.max_rows.min(request.page_rows).clamp(1, MOST_ROWS);
    let asked = Asked::new(&request);
    let query = match asked {
        Asked::Chain(Some(query)) | Asked::Link { query, .. } => query.to_owned(),
        Asked::Chain(None) | Asked::Below { id: NEWEST, .. } => format!("limit={rows}"),
        Asked::Below { id, .. } => format!("limit={rows}&max_id={id}"),
    };
    let path = format!("{API}/accounts/{}/followers?{query}", encode(request.account_id));
    let answer = get_moved(ctx, DIALECT, &path).await?;
    answer::check(&answer, ctx.auth)?;
    read_page(&answer, asked, request.place, rows)
}

fn read_page(answer: &Answer, asked: Asked<'_>, place: &Place, rows: u32) -> Result<FetchedPage, Failure> {
    let list: Vec<&RawValue> =
        serde_json::from_slice(&answer.body).map_err(|_| answer.malformed("it is no list"))?;
    let lines = lines(&list, Account::row)
        .ok_or_else(|| answer.malformed(&format!("it holds more than {MAX_ROWS} rows")))?;
    let returned = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let link = links::query(&answer.headers, "next");
    // Even a list's last page has a way back, and a list of numbers does not end with a full page.
    let is_full = returned >= rows && !matches!(asked, Asked::Chain(_));
    let is_cut = link.is_none() && returned > 0 && (is_full || !links::any(&answer.headers));
    let next = match (asked, link) {
        (_, None) => None,
        (Asked::Link { query: used, .. }, Some(query)) if used == query => Some(place.clone()),
        (Asked::Below { id, .. }, Some(query)) if number_in(query, "max_id") == Some(id) => {
            Some(place.clone())
        }
        (Asked::Chain(_), Some(query)) => Some(place.followed_by(query)),
        (Asked::Link { id, .. }, Some(query)) => Some(below(answer, id, query)),
        (Asked::Below { id, probing }, Some(query)) => match below(answer, id, query) {
            // The probe of a list that cannot be entered leads on by a token.
            next if probing && next.is_unread() => Some(Place {
                position: 1,
                cursor: Some(query.to_owned()),
            }),
            next => Some(next),
        },
    };
    let unread = next
        .as_ref()
        .filter(|next| next.is_unread())
        .and_then(Place::token);
    let odd = unread.map(|query| match number_in(query, "max_id") {
        Some(_) => Anomaly::KeyRose,
        None => Anomaly::CursorUnreadable,
    });
    let anomaly = odd.or(is_cut.then_some(Anomaly::EndUnproven));
    Ok(FetchedPage {
        lines,
        next,
        returned,
        total: None,
        anomalies: anomaly.into_iter().collect(),
        told: answer.told,
    })
}

/// Returns the next place of a list of numbers: a number, or the link itself where it shows none or leads to newer rows.
fn below(answer: &Answer, id: i64, query: &str) -> Place {
    // The id of the page's first row: not below the one asked for, if the server does not seek.
    let first = links::query(&answer.headers, "prev")
        .and_then(|query| number_in(query, "min_id").or_else(|| number_in(query, "since_id")));
    match number_in(query, "max_id") {
        Some(next) if next > 0 && next < id && first.is_none_or(|first| first < id) => Place::at(next),
        _ => Place::unread(id, query),
    }
}

/// The number that a parameter of a link's query holds.
fn number_in(query: &str, name: &str) -> Option<i64> {
    let text = links::parameter(query, name)?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
