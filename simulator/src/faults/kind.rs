//! What can go wrong, and where it means anything.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::world::{Endpoint, Platform};

/// When the platform says its window ends, against when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResetHeader {
    /// The true end of the window.
    True,
    /// So many seconds before it: who believes it comes back to another 429 (set `times` to 2 or more).
    Early(u32),
    /// So many seconds after it.
    Late(u32),
    /// No rate-limit headers at all.
    Absent,
}

impl ResetHeader {
    /// The time the header names for a window that ends at `at`, in the same unit of milliseconds.
    pub(crate) fn shift(self, at: u64) -> Option<u64> {
        match self {
            Self::True => Some(at),
            Self::Early(seconds) => Some(at.saturating_sub(u64::from(seconds) * 1_000)),
            Self::Late(seconds) => Some(at.saturating_add(u64::from(seconds) * 1_000)),
            Self::Absent => None,
        }
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// 500 with an HTML page.
    InternalErrorHtml,
    /// 502 with an empty body.
    BadGateway,
    /// 504 with an empty body.
    GatewayTimeout,
    /// 403 with the HTML page of a bot wall in front (`cf-ray`); nothing behind it heard of the request.
    BlockedHtml,
    /// 200 with an HTML page: closed for maintenance.
    MaintenanceHtml,
    /// 403 in the platform's own words: on X the application is not enrolled, on its web client there are none.
    Forbidden,
    /// 503 with an empty body.
    Unavailable {
        /// Value of a `retry-after` header, if any.
        retry_after_seconds: Option<u32>,
    },
    /// 429 although the window has room; not counted in it. X's GraphQL: code 88.
    RateLimited {
        /// What the headers say.
        reset: ResetHeader,
    },
    /// GitHub: a secondary limit, with room in the first one.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// Value of `retry-after`; absent = none, wait a minute or more.
        retry_after_seconds: Option<u32>,
    },
    /// GitHub: 451.
    LegallyBlocked,
    /// X: 402.
    CreditsDepleted,
    /// X: 429 `UsageCapExceeded`.
    UsageCapExceeded,
    /// 401 for a token that is good. `times: 20` makes a storm. X's GraphQL: code 32, for a session that is good.
    Unauthorized,
    /// The right answer, cut in the middle, with a matching length: valid HTTP, invalid JSON. Charged.
    TruncatedBody,
    /// The right answer with nothing in it: 200 and an empty body. Charged.
    EmptyBody,
    /// The right answer, called `text/html`. Charged.
    WrongContentType,
    /// X: the right rows, and besides them an `errors` member about one that could not be shown. Charged.
    PartialErrors,
    /// One more row, in the middle, whose id and names have the wrong type. Charged, and never in the truth.
    MalformedRow,
    /// The page's first row once more at its end.
    DuplicatedRow,
    /// Half the rows, and a cursor that goes on right behind them. X, Bluesky and Mastodon.
    ShortPage,
    /// No rows, and a cursor that goes on from the same place. On Gitea and GitHub no rows, as behind the last page.
    EmptyPage,
    /// The right rows, but the next cursor is the one just used. X, Bluesky and Mastodon, from the second page on.
    RepeatedCursor,
    /// The right rows, but the next cursor is that of the first page. X, Bluesky and Mastodon, from the second page on.
    CursorLeadsBack,
    /// Bluesky: the right rows, and a cursor of no known form that leads on all the same.
    OddCursor,
    /// The right rows, and no way on, although there is more. Not on Gitea.
    MissingCursor,
    /// The cursor is refused as if it had expired. X and Bluesky, from the second page on.
    ExpiredCursor,
    /// The right answer, later.
    ExtraLatency {
        /// On top of everything else.
        milliseconds: u64,
    },
    /// The right answer with a `Date` header this far from the truth.
    ClockSkew {
        /// Positive = the platform's clock is ahead.
        seconds: i64,
    },
    /// The right answer, so many bytes a second. Charged.
    SlowBody {
        /// At least 1.
        bytes_per_second: u32,
    },
    /// Half the right answer, whose headers promise all of it; then the connection is closed. Charged.
    BodyLost,
    /// Processed and charged; then nothing comes for so long, and the connection is dropped.
    Hang {
        /// Until the platform gives up.
        milliseconds: u64,
    },
    /// Processed, logged and charged; then the connection is dropped. On the token endpoint the rotation is done.
    ResponseLost,
    /// X's GraphQL: 400 with code 336, a feature is missing; the client is older than the server.
    ClientOutdated,
    /// X's GraphQL: 200 with code 326; the page goes to `/account/access`.
    SessionLocked,
    /// X's GraphQL: 429 with code 88 although headers show room; not counted in the window.
    SoftBan,
    /// X's GraphQL: 200 with code 37 and an empty timeline.
    NotAuthorized,
    /// X's GraphQL: 403 with code 353, although cookie and header match.
    CsrfMismatch,
    /// X's GraphQL: 404 with an empty body, as for the query id of an older page.
    StaleQueryId,
    /// X's GraphQL: 200 with `LoadShed`, which has no code (clients say -1), and no timeline.
    LoadShed,
    /// X's GraphQL: the right rows in members nobody documented; the page's own script knows them.
    UnknownShape,
    /// X's web client: the session ends with this request. A document leads to the login, GraphQL answers 401.
    LoggedOut,
    /// X's web page: 302 to `/account/access`, where a person has to prove to be one.
    Challenge,
    /// X's web page: the list of another account, the viewer's own where that is another.
    WrongAccount,
    /// X's web page: no test ids and no labels.
    SelectorsGone,
    /// X's web page: drawn, with a progress bar, and it never asks for anything.
    PageStalls,
    /// X's web page, or with an answer of GraphQL: the script breaks the renderer.
    RendererCrash,
    /// X's web page: the script keeps every row and some megabytes more with each answer.
    MemoryLeak,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl FaultKind {
    /// Whether this fault means anything on that platform and endpoint.
    pub(super) fn fits(&self, platform: Platform, endpoint: Endpoint) -> bool {
        let lists = endpoint.lists_followers();
        let has_graph = matches!(endpoint, Endpoint::WebUser | Endpoint::WebFollowers);
        match self {
            Self::MalformedRow | Self::DuplicatedRow | Self::EmptyPage => lists,
            Self::ShortPage | Self::RepeatedCursor => {
                lists && !matches!(platform, Platform::Gitea | Platform::Github)
            }
            Self::CursorLeadsBack => {
                lists && !endpoint.is_web() && !matches!(platform, Platform::Gitea | Platform::Github)
            }
            Self::ExpiredCursor => lists && matches!(platform, Platform::X | Platform::Bluesky),
            Self::OddCursor => lists && platform == Platform::Bluesky,
            Self::MissingCursor => lists && platform != Platform::Gitea,
            Self::SecondaryLimit { .. } | Self::LegallyBlocked => platform == Platform::Github,
            Self::PartialErrors => platform == Platform::X && lists,
            Self::CreditsDepleted | Self::UsageCapExceeded => {
                platform == Platform::X && endpoint != Endpoint::Token && !endpoint.is_web()
            }
            Self::Unauthorized | Self::RateLimited { .. } => endpoint != Endpoint::WebPage,
            Self::ClientOutdated
            | Self::SessionLocked
            | Self::SoftBan
            | Self::NotAuthorized
            | Self::CsrfMismatch
            | Self::StaleQueryId
            | Self::LoadShed => has_graph,
            Self::UnknownShape => endpoint == Endpoint::WebFollowers,
            Self::LoggedOut => endpoint.is_web(),
            Self::RendererCrash => matches!(endpoint, Endpoint::WebPage | Endpoint::WebFollowers),
            Self::Challenge
            | Self::WrongAccount
            | Self::SelectorsGone
            | Self::PageStalls
            | Self::MemoryLeak => endpoint == Endpoint::WebPage,
            _ => true,
        }
    }

    pub(super) fn needs_cursor(&self) -> bool {
        matches!(
            self,
            Self::RepeatedCursor | Self::CursorLeadsBack | Self::ExpiredCursor
        )
    }
}
