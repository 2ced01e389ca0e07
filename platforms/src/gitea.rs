//! Gitea and Forgejo: oldest first, positions are row numbers, pages by number.
//!
//! Which rows a page holds depends on the page size, so it is the same for a whole scan, and links are never
//! followed: their host is whatever the server was configured to be called.

mod answer;
mod user;

use followlytics_core::{
    account::AccountRef,
    page::MAX_ROWS,
    retry::Failure,
    row::Line,
    scan::range::{Place, Walk},
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::value::RawValue;

use self::user::User;
use crate::{
    answer::{Answer, integer},
    connector::{Connector, Context, FetchedPage, LookedUp, PageRequest},
    request::{Dialect, encode, get},
    rows::{lines, object},
};

const DIALECT: Dialect = Dialect {
    scheme: "token",
    limits: "x-ratelimit",
};

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

    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>> {
        page(ctx, request).boxed()
    }
}

async fn look_up(ctx: &Context, login: &str) -> Result<LookedUp, Failure> {
    let answer = get(ctx, DIALECT, &format!("/api/v1/users/{}", encode(login))).await?;
    answer::check(&answer, ctx.auth)?;
    let user: User = object(&answer.body).map_err(|_| answer.malformed("it is no user"))?;
    let report = user.report().map_err(|what| answer.malformed(what))?;
    Ok((report, answer.told))
}

/// A page by its number from 1, and the row numbers `first..first + size` that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbered {
    number: i64,
    first: i64,
    size: i64,
}

impl Numbered {
    /// The page that holds the next rows in this direction; `None` when no row can be left.
    fn at(position: i64, walk: Walk, page_rows: u32) -> Option<Self> {
        let size = i64::from(page_rows.max(1));
        let before = match walk {
            Walk::Down if position <= 0 => return None,
            Walk::Down => (position - 1) / size,
            Walk::Up => position.max(0) / size,
        };
        Some(Self {
            number: before + 1,
            first: before * size,
            size,
        })
    }

    /// Where the next page begins. Walking down, an empty page is not the end: the list has closed up, and
    /// what is left lies below. Walking up, only an empty page is.
    fn next(self, walk: Walk, returned: usize) -> Option<Place> {
        match walk {
            Walk::Down => (self.first > 0).then_some(Place::at(self.first)),
            Walk::Up => (returned > 0).then(|| Place::at(self.first.saturating_add(self.size))),
        }
    }
}

async fn page(ctx: &Context, request: PageRequest<'_>) -> Result<FetchedPage, Failure> {
    let position = request.place.position;
    let Some(numbered) = Numbered::at(position, request.walk, request.page_rows) else {
        return Ok(FetchedPage {
            lines: Vec::new(),
            next: None,
            returned: 0,
            total: None,
            told: None,
        });
    };
    let path = format!(
        "/api/v1/users/{}/followers?page={}&limit={}",
        encode(request.handle),
        numbered.number,
        numbered.size
    );
    let answer = get(ctx, DIALECT, &path).await?;
    answer::check(&answer, ctx.auth)?;
    read_page(&answer, numbered, position, request.walk)
}

fn read_page(answer: &Answer, page: Numbered, position: i64, walk: Walk) -> Result<FetchedPage, Failure> {
    let list: Vec<&RawValue> =
        serde_json::from_slice(&answer.body).map_err(|_| answer.malformed("it is no list"))?;
    let read = lines(&list, User::row)
        .ok_or_else(|| answer.malformed(&format!("it holds more than {MAX_ROWS} rows")))?;
    if i64::try_from(read.len()).unwrap_or(i64::MAX) > page.size {
        // Then no row number is known: the server cuts its pages in another way.
        return Err(answer.malformed("it holds more rows than were asked for"));
    }
    let lines: Vec<Line> = read
        .into_iter()
        .zip(page.first..)
        .filter(|(_, row)| match walk {
            Walk::Down => *row < position,
            Walk::Up => *row >= position,
        })
        .map(|(line, _)| line)
        .collect();
    Ok(FetchedPage {
        lines,
        next: page.next(walk, list.len()),
        returned: u32::try_from(list.len()).unwrap_or(u32::MAX),
        total: integer(&answer.headers, "x-total-count").filter(|total| *total >= 0),
        told: answer.told,
    })
}

#[cfg(test)]
mod tests;
