//! What every platform's connector does: look one account up, and read one page of its followers.

use followlytics_core::{
    account::{AccountRef, Platform},
    platform::{Auth, server::Server},
    retry::Failure,
    row::Line,
    scan::{
        observed::Anomaly,
        plan::AccountReport,
        range::{Place, Span, Walk},
        window::Told,
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{bluesky::Bluesky, gitea::Gitea, github::GitHub, http::HttpService, mastodon::Mastodon, x::X};

/// What a request needs besides its question.
#[derive(Clone)]
pub struct Context {
    /// The way out.
    pub http: HttpService,
    /// Base URL of the platform, with or without a slash at its end.
    pub base_url: String,
    /// How requests are authorised.
    pub auth: Auth,
    /// The access token; never logged.
    pub token: Option<SecretString>,
    /// The time now, for headers that count from now.
    pub now: Timestamp,
    /// The request must have started before. Whoever has to make something ready first looks once more, and fails with
    /// [`followlytics_core::retry::Class::NotStarted`].
    pub start_by: Timestamp,
}

/// A page to read.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The account's id.
    pub account_id: &'a str,
    /// The account's handle, for platforms that list by it.
    pub handle: &'a str,
    /// Direction of reading.
    pub walk: Walk,
    /// The range's interval; `None` for a chain or a probe.
    pub span: Option<Span>,
    /// Where the page begins.
    pub place: &'a Place,
    /// Rows to ask for at most. Gitea and GitHub ignore it: there the page size decides which rows a page holds.
    pub max_rows: u32,
    /// Rows a full page holds on this server.
    pub page_rows: u32,
}

/// A page as the platform returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedPage {
    /// The rows inside the asked interval of positions, and the source of those that could not be read.
    pub lines: Vec<Line>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Place>,
    /// Rows the platform returned, and charges.
    pub returned: u32,
    /// Rows of the whole list, where the platform tells.
    pub total: Option<i64>,
    /// What the page showed that contradicts the platform's facts.
    pub anomalies: Vec<Anomaly>,
    /// What the headers said of the window.
    pub told: Option<Told>,
}

/// An account, and what the headers said of the window.
pub type LookedUp = (AccountReport, Option<Told>);

/// A server's own word, and what the headers said of the window.
pub type Identified = (Server, Option<Told>);

/// A platform. Every call makes exactly one request, or none when its arguments allow none; one more where GitHub
/// or a Mastodon server redirects to another address of its own.
pub trait Connector: Send + Sync {
    /// Looks an account up; by `id` where it is known and the platform can, for handles change.
    fn look_up<'a>(
        &'a self,
        ctx: &'a Context,
        account: &'a AccountRef,
        id: Option<&'a str>,
    ) -> BoxFuture<'a, Result<LookedUp, Failure>>;

    /// Asks which program the server runs. One that does not say is unnamed, which is not an error.
    fn server<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<Identified, Failure>> {
        std::future::ready(Ok((Server::default(), None))).boxed()
    }

    /// Reads one page of followers. A row that fails to parse is a [`Line::Unread`], never an error.
    fn page<'a>(
        &'a self,
        ctx: &'a Context,
        request: PageRequest<'a>,
    ) -> BoxFuture<'a, Result<FetchedPage, Failure>>;
}

/// The connector of a platform.
pub fn connector(platform: Platform) -> &'static dyn Connector {
    match platform {
        Platform::X => &X,
        Platform::Bluesky => &Bluesky,
        Platform::Gitea => &Gitea,
        Platform::GitHub => &GitHub,
        Platform::Mastodon => &Mastodon,
    }
}
