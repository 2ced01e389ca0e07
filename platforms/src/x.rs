//! X, API v2: opaque tokens, one page after another; every row costs money.
//!
//! A chain's position is the number of pages read so far, its cursor the platform's `next_token`.

mod answer;
pub mod token;
mod user;

use followlytics_core::{
    account::{AccountRef, Platform},
    page::MAX_ROWS,
    retry::{Class, Failure},
    scan::{observed::Anomaly, plan::AccountReport, range::Place},
};
use futures::{FutureExt as _, future::BoxFuture};

use self::{answer::Asked, user::User};
use crate::{
    answer::Answer,
    connector::{Connector, Context, FetchedPage, LookedUp, PageRequest},
    request::{Dialect, encode, failure, get},
    rows::{lines, object},
};

const DIALECT: Dialect = Dialect {
    limits: &["x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"],
    ..Dialect::JSON
};
const API: &str = Platform::X.facts().api;
/// docs.x.com, followers: `max_results` is 1 to 1000.
const MOST_ROWS: u32 = 1000;
const ACCOUNT_FIELDS: &str = "created_at,protected,public_metrics";
const ROW_FIELDS: &str = "created_at,description,location,protected,public_metrics,verified";

/// X, API v2.
#[derive(Debug, Clone, Copy)]
pub struct X;

impl Connector for X {
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        look_up(ctx, account, id).boxed()
    }

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        page(ctx, request).boxed()
    }
}

/// A protected account is reported like any other: its look-up was charged. Its list then says `Protected`,
/// unless the token's user may see it.
async fn look_up(ctx: &Context, account: &AccountRef, id: Option<&str>) -> Result<LookedUp, Failure> {
    let path = match id {
        Some(id) => format!("{API}/users/{}?user.fields={ACCOUNT_FIELDS}", encode(id)),
        None => format!(
            "{API}/users/by/username/{}?user.fields={ACCOUNT_FIELDS}",
            encode(&account.handle)
        ),
    };
    let answer = get(ctx, DIALECT, &path).await?;
    let report = read_account(&answer)?;
    Ok((report, answer.told))
}

fn read_account(answer: &Answer) -> Result<AccountReport, Failure> {
    let body = answer::read(answer, Asked::Account)?;
    let data = body
        .data
        .ok_or_else(|| answer.malformed("it has neither data nor errors"))?;
    let user: User = object(data.get().as_bytes()).map_err(|_| answer.malformed("its data is no user"))?;
    user.report().map_err(|what| answer.malformed(what))
}

async fn page(ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
    let cursor = request.place.token();
    if cursor.is_none() && request.place.position > 0 {
        // Reading from the newest end instead would be paid for twice.
        return Err(failure(
            Class::BadRequest,
            "the chain's place has no token although pages were read",
        ));
    }
    let rows = request.max_rows.min(request.page_rows).clamp(1, MOST_ROWS);
    let mut path = format!(
        "{API}/users/{}/followers?max_results={rows}&user.fields={ROW_FIELDS}",
        encode(request.account_id)
    );
    if let Some(cursor) = cursor {
        path.push_str("&pagination_token=");
        path.push_str(&encode(cursor));
    }
    let answer = get(ctx, DIALECT, &path).await?;
    read_page(&answer, request.account_id, request.place)
}

fn read_page(answer: &Answer, account_id: &str, place: &Place) -> Result<FetchedPage, Failure> {
    let body = answer::read(answer, Asked::Followers { id: account_id })?;
    let list = body.list(answer)?;
    let token = body.next_token(answer, !list.is_empty())?;
    let lines = lines(&list, User::row)
        .ok_or_else(|| answer.malformed(&format!("it holds more than {MAX_ROWS} rows")))?;
    let next = token.map(|token| place.followed_by(&token));
    let leads_nowhere = next.as_ref().is_some_and(Place::is_end);
    let anomaly = if leads_nowhere {
        Some(Anomaly::CursorUnreadable)
    } else {
        (!body.has_meta()).then_some(Anomaly::EndUnproven)
    };
    Ok(FetchedPage {
        returned: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        lines,
        next,
        total: None,
        anomalies: anomaly.into_iter().collect(),
        told: answer.told,
    })
}

#[cfg(test)]
mod tests;
