//! Gitea and Forgejo: oldest first, positions are row numbers, pages by number.
//!
//! Which rows a page holds depends on the page size, so it is the same for a whole scan, and links are never
//! followed: their host is whatever the server was configured to be called.

mod answer;
mod user;

use std::cmp::Ordering;

use followlytics_core::{
    account::{AccountRef, Platform},
    mutants::{self, Mutant},
    platform::server::Server,
    retry::Failure,
    scan::{observed::Anomaly, range::Walk},
};
use futures::{FutureExt as _, future::BoxFuture};

use self::user::User;
use crate::{
    answer::{Answer, integer},
    connector::{Connector, Context, FetchedPage, Identified, LookedUp, PageRequest},
    numbered::{self, Numbered},
    request::{Dialect, encode, get},
    rows::object,
};

const DIALECT: Dialect = Dialect {
    scheme: "token",
    limits: &["x-ratelimit"],
    ..Dialect::JSON
};
const API: &str = Platform::Gitea.facts().api;

/// A Gitea or Forgejo server.
#[derive(Debug, Clone, Copy)]
pub struct Gitea;

impl Connector for Gitea {
    /// By handle always: no server answers for an id.
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        _id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>> {
        look_up(ctx, &account.handle).boxed()
    }

    fn server<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<Identified, Failure>> {
        server(ctx).boxed()
    }

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        page(ctx, request).boxed()
    }
}

async fn look_up(ctx: &Context, login: &str) -> Result<LookedUp, Failure> {
    let answer = get(ctx, DIALECT, &format!("{API}/users/{}", encode(login))).await?;
    answer::check(&answer, ctx.auth)?;
    let user: User = object(&answer.body).map_err(|_| answer.malformed("it is no user"))?;
    let report = user.report().map_err(|what| answer.malformed(what))?;
    Ok((report, answer.told))
}

#[derive(serde::Deserialize)]
struct Version {
    version: String,
}

/// `GET /api/v1/version`; Forgejo names the version of Gitea it is compatible with behind its own.
async fn server(ctx: &Context) -> Result<Identified, Failure> {
    let answer = get(ctx, DIALECT, &format!("{API}/version")).await?;
    let version = match answer::check(&answer, ctx.auth) {
        Ok(()) => object::<Version>(&answer.body).ok(),
        Err(failure) if failure.class.is_passing() => return Err(failure),
        Err(_) => None,
    };
    let server = version.map_or_else(Server::default, |Version { version }| {
        let software = if version.contains("+gitea-") {
            "forgejo"
        } else {
            "gitea"
        };
        Server::new(software, &version)
    });
    Ok((server, answer.told))
}

async fn page(ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
    let position = request.place.position;
    let Some(numbered) = Numbered::at(position, request.walk, request.page_rows) else {
        return Ok(numbered::nothing_left());
    };
    let path = format!(
        "{API}/users/{}/followers?page={}&limit={}",
        encode(request.handle),
        numbered.number,
        numbered.size
    );
    let answer = get(ctx, DIALECT, &path).await?;
    answer::check(&answer, ctx.auth)?;
    read_page(&answer, numbered, position, request.walk)
}

fn read_page(answer: &Answer, page: Numbered, position: i64, walk: Walk) -> Result<FetchedPage, Failure> {
    let total = integer(&answer.headers, "x-total-count").filter(|total| *total >= 0);
    let mut read = page.read(answer, User::row, position, walk, total)?;
    // Page and total are two statements: a change between them looks like a short page too, and rows did move then.
    if let Some(total) = total {
        let (due, rows) = ((total - page.first).clamp(0, page.size), i64::from(read.returned));
        let anomaly = match rows.cmp(&due) {
            Ordering::Less => (!mutants::on(Mutant::ShortPageUnnoticed)).then_some(Anomaly::ShortPage),
            Ordering::Greater if due < page.size => Some(Anomaly::RowsPastTotal),
            Ordering::Equal | Ordering::Greater => None,
        };
        read.anomalies.extend(anomaly);
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
