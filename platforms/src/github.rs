//! GitHub: pages by number, a hundred rows each.
//!
//! The order is not documented. What people saw is oldest first, so the list is read from its end, as Gitea's is;
//! but GitHub hides flagged and suspended accounts and shows them again in their old place, so rows move both
//! ways, and nothing better than `BestEffort` is promised (`followlytics_core::platform`).

mod answer;
mod user;

use followlytics_core::{
    account::{AccountRef, Platform},
    retry::Failure,
    scan::plan::AccountReport,
};
use futures::{FutureExt as _, future::BoxFuture};

use self::user::User;
use crate::{
    answer::{Answer, text},
    connector::{Connector, Context, FetchedPage, LookedUp, PageRequest},
    links,
    numbered::{self, Numbered},
    request::{Dialect, encode, get_moved},
    rows::object,
};

const DIALECT: Dialect = Dialect {
    limits: &["x-ratelimit"],
    accept: "application/vnd.github+json",
    headers: &[("x-github-api-version", Platform::GitHub.facts().api)],
    ..Dialect::JSON
};

/// GitHub's REST API.
#[derive(Debug, Clone, Copy)]
pub struct GitHub;

impl Connector for GitHub {
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        look_up(ctx, &account.handle, id).boxed()
    }

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        page(ctx, request).boxed()
    }
}

async fn ask(ctx: &Context, path: &str) -> Result<Answer, Failure> {
    let mut answer = get_moved(ctx, DIALECT, path).await?;
    // Every answer speaks of the window of its own resource; searches and the like have others.
    if text(&answer.headers, "x-ratelimit-resource").is_some_and(|resource| resource != "core") {
        answer.told = None;
    }
    answer::check(&answer)?;
    Ok(answer)
}

async fn look_up(ctx: &Context, login: &str, id: Option<&str>) -> Result<LookedUp, Failure> {
    let path = match id {
        Some(id) => format!("/user/{}", encode(id)),
        None => format!("/users/{}", encode(login)),
    };
    let answer = ask(ctx, &path).await?;
    let report = read_account(&answer)?;
    Ok((report, answer.told))
}

fn read_account(answer: &Answer) -> Result<AccountReport, Failure> {
    let user: User = object(&answer.body).map_err(|_| answer.malformed("it is no user"))?;
    user.report().map_err(|what| answer.malformed(what))
}

async fn page(ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
    let position = request.place.position;
    let Some(numbered) = Numbered::at(position, request.walk, request.page_rows) else {
        return Ok(numbered::nothing_left());
    };
    let path = format!(
        "/users/{}/followers?per_page={}&page={}",
        encode(request.handle),
        numbered.size,
        numbered.number
    );
    let answer = ask(ctx, &path).await?;
    let total = pages(&answer).map(|pages| pages.saturating_mul(numbered.size));
    // Whole pages are counted only: good enough to plan by, but no total of rows.
    let total = total.filter(|_| request.span.is_none());
    numbered.read(&answer, User::row, position, request.walk, total)
}

/// How many pages there are, if this is not the last of them.
fn pages(answer: &Answer) -> Option<i64> {
    let last = links::parameter(links::query(&answer.headers, "last")?, "page")?;
    last.parse().ok().filter(|pages| *pages > 0)
}

#[cfg(test)]
mod tests;
