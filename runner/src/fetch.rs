//! One permit, one request: what is asked of the platform, and the message that tells the broker what came.

use followlytics_core::{
    account::AccountRef,
    page::{self, Header},
    platform::{Auth, Family},
    retry::{Class, Failure},
    scan::{
        plan::Probe,
        range::{Kind, Place, Span, Walk},
        source::Source,
    },
    wire::{Failed, Finding, Found, Held, Lease, Permit, Release, Reply, Step},
};
use followlytics_platforms::connector::{Context, FetchedPage, PageRequest};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{
    broker::Message,
    run::{Runner, RunnerError},
};

/// What a lease gives a right to, with what the replies have changed since.
pub(crate) struct Right {
    kind: Kind,
    source: Source,
    account: AccountRef,
    account_id: Option<String>,
    base_url: String,
    auth: Auth,
    token: Option<SecretString>,
    page_rows: u32,
    walk: Walk,
    span: Option<Span>,
    scan: String,
}

impl Right {
    pub(crate) fn new(lease: Lease) -> (Self, Step) {
        let right = Self {
            kind: lease.kind,
            source: lease.source,
            account: lease.account,
            account_id: lease.account_id,
            base_url: lease.base_url,
            auth: lease.auth,
            token: lease.token.map(SecretString::from),
            page_rows: lease.page_rows,
            walk: lease.walk,
            span: lease.span,
            scan: lease.scan,
        };
        (right, lease.step)
    }

    /// Takes a newer interval. While a lease lasts its range only ever loses a part, so of two answers that
    /// crossed on their way the smaller interval is the newer one.
    pub(crate) fn shrink(&mut self, newer: Option<Span>) {
        self.span = match (self.span, newer) {
            (Some(a), Some(b)) => Some(Span {
                lo: a.lo.max(b.lo),
                hi: a.hi.min(b.hi),
            }),
            (a, b) => b.or(a),
        };
    }

    pub(crate) fn learn(&mut self, reply: &Reply) {
        self.shrink(reply.span);
        if let Some(token) = &reply.token {
            self.token = Some(SecretString::from(token.clone()));
        }
    }
}

/// What came of a permit.
pub(crate) struct Fetched {
    /// What the broker hears of it.
    pub(crate) message: Message,
    /// The permit, if its request never started.
    pub(crate) unused: Option<String>,
}

impl Fetched {
    /// A message that reports no request.
    pub(crate) const fn nothing(message: Message) -> Self {
        Self {
            message,
            unused: None,
        }
    }
}

/// Makes the one request of a permit; the message says what came of it. A request that never started is no failure:
/// its permit is given back, and the next one finds more of what it needs made ready.
pub(crate) async fn fetch(
    runner: &Runner,
    right: &mut Right,
    held: Held,
    permit: Permit,
    start_by: Timestamp,
) -> Result<Fetched, RunnerError> {
    let ctx = context(runner, right, start_by);
    let report = match (permit.family, right.kind) {
        (Family::Lookup, _) => look_up(runner, right, &ctx, held, &permit).await,
        (Family::Server, _) => identify(runner, right, &ctx, held, &permit).await,
        (Family::Followers, Kind::Resolve) => probe(runner, right, &ctx, held, &permit).await,
        (Family::Followers, Kind::Listing | Kind::Seam | Kind::Sweep) => {
            list(runner, right, &ctx, held, &permit).await
        }
    };
    let message = match report {
        Ok(message) => message,
        Err(failure) if failure.class == Class::NotStarted => {
            tracing::info!(range = held.range, seq = permit.seq, "{}", failure.message);
            let unused = Some(permit.id.clone());
            return Ok(Fetched {
                message: Message::json("step", &Release { held, unused })?,
                unused: Some(permit.id),
            });
        }
        Err(failure) => {
            let class: &str = failure.class.into();
            tracing::warn!(
                range = held.range,
                seq = permit.seq,
                class,
                error = failure.message,
                "the request failed"
            );
            Message::json(
                "failed",
                &Failed {
                    held,
                    permit: permit.id,
                    failure,
                },
            )
        }
    };
    message.map(Fetched::nothing)
}

/// A message, unless the request failed.
type Report = Result<Result<Message, RunnerError>, Failure>;

async fn look_up(runner: &Runner, right: &mut Right, ctx: &Context, held: Held, permit: &Permit) -> Report {
    let (report, told) = runner
        .sources
        .connector(right.source, right.account.platform)?
        .look_up(ctx, &right.account, right.account_id.as_deref())
        .await?;
    // The probes that follow under this lease list by it.
    right.account_id = Some(report.id.clone());
    let found = Found {
        held,
        permit: permit.id.clone(),
        finding: Finding::Account(report),
        told,
    };
    Ok(Message::json("found", &found))
}

async fn identify(runner: &Runner, right: &Right, ctx: &Context, held: Held, permit: &Permit) -> Report {
    let connector = runner.sources.connector(right.source, right.account.platform)?;
    let (server, told) = connector.server(ctx).await?;
    let found = Found {
        held,
        permit: permit.id.clone(),
        finding: Finding::Server(server),
        told,
    };
    Ok(Message::json("found", &found))
}

async fn probe(runner: &Runner, right: &Right, ctx: &Context, held: Held, permit: &Permit) -> Report {
    let page = ask(runner, right, ctx, permit).await?;
    let probe = Probe {
        asked: permit.place.clone(),
        rows: i64::from(page.returned),
        next: page.next,
        total: page.total,
    };
    let found = Found {
        held,
        permit: permit.id.clone(),
        finding: Finding::Probe(probe),
        told: page.told,
    };
    Ok(Message::json("found", &found))
}

async fn list(runner: &Runner, right: &Right, ctx: &Context, held: Held, permit: &Permit) -> Report {
    let fetched = ask(runner, right, ctx, permit).await?;
    let header = Header {
        format: Header::FORMAT,
        scan: right.scan.clone(),
        platform: right.account.platform,
        account_id: account_id(right)?.to_owned(),
        range: held.range,
        epoch: held.epoch,
        seq: permit.seq,
        input: permit.place.clone(),
        exhausted: fetched.next.as_ref().is_none_or(Place::is_end),
        output: output_of(fetched.next.as_ref(), right, &permit.place),
        permit: permit.id.clone(),
        seen_at: permit.seen_at,
        price_version: right.account.platform.facts().price_version,
        source: right.source,
        returned: fetched.returned,
        total: fetched.total,
        anomalies: fetched.anomalies,
    };
    let object = match page::encode(&header, &fetched.lines) {
        Ok(object) if object.len() > page::MAX_BYTES => {
            return Err(failure("the page is over the size limit"));
        }
        Ok(object) => object,
        Err(error) => return Ok(Err(RunnerError::Page(error))),
    };
    Ok(Ok(Message::page(object, fetched.told)))
}

async fn ask(runner: &Runner, right: &Right, ctx: &Context, permit: &Permit) -> Result<FetchedPage, Failure> {
    let request = PageRequest {
        account_id: account_id(right)?,
        handle: &right.account.handle,
        walk: right.walk,
        span: right.span,
        place: &permit.place,
        max_rows: permit.max_rows,
        page_rows: right.page_rows,
    };
    let connector = runner.sources.connector(right.source, right.account.platform)?;
    connector.page(ctx, request).await
}

fn context(runner: &Runner, right: &Right, start_by: Timestamp) -> Context {
    Context {
        http: runner.sources.http.clone(),
        base_url: right.base_url.clone(),
        auth: right.auth,
        token: right.token.clone(),
        now: runner.clock.now(),
        start_by,
    }
}

/// Where the next page begins. A cursor that leads nowhere ends the list, and stays visible in the page.
fn output_of(next: Option<&Place>, right: &Right, place: &Place) -> Place {
    match next {
        None => end_of(right, place),
        Some(next) if next.is_end() => Place {
            cursor: next.cursor.clone(),
            ..end_of(right, place)
        },
        Some(next) => next.clone(),
    }
}

/// Where the list ended: the range's own end, for nothing is left before it.
fn end_of(right: &Right, place: &Place) -> Place {
    match (right.span, right.walk) {
        (Some(span), Walk::Down) => Place::at(span.lo),
        (Some(span), Walk::Up) => Place::at(span.hi),
        (None, _) => Place::at(place.position.saturating_add(1)),
    }
}

fn account_id(right: &Right) -> Result<&str, Failure> {
    right
        .account_id
        .as_deref()
        .ok_or_else(|| failure("the lease names no account id to list"))
}

fn failure(message: &str) -> Failure {
    Failure {
        class: Class::Malformed,
        message: message.to_owned(),
        told: None,
        retry_after_ms: None,
    }
}
