//! What is known of each platform before the first request: order, page size, price and published limits.
//!
//! Facts only, each with its evidence ([`evidence::Fact`]); docs/evidence.md is their table. An operator's Credential may
//! state other limits.

pub mod evidence;
pub mod limits;
pub mod list;
pub mod server;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use self::{evidence::Fact, limits::HOUR};
use crate::{account::Platform, money::Usd, scan::range::Walk};

/// How a follower list can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr)]
pub enum Seek {
    /// By row number.
    Index,
    /// By the time of the follow, in microseconds since 1970.
    Time,
    /// By an ordered id.
    Id,
    /// Not at all: each page carries the token of the next.
    Chain,
}

/// Which way the rows of a list move while it is read ([`list::ListTraits`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drift {
    /// Positions are keys: nothing moves.
    None,
    /// The list closes up towards its start.
    TowardsStart,
    /// Rows are put in and taken out in front: both ways.
    Both,
}

/// What a platform's ids are, and so how results are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ids {
    /// Whole numbers from 0 to 2^63 - 1, in their usual digits.
    Integer,
    /// Texts, compared byte by byte.
    Text,
}

/// What a request is counted and priced as.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Family {
    /// One account by its handle or id.
    Lookup,
    /// A page of a follower list.
    Followers,
    /// Which program the server runs.
    Server,
}

/// How a request is authorised.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
)]
pub enum Auth {
    /// No token: the platform counts the address.
    Anonymous,
    /// The application's token.
    AppBearer,
    /// A user's token.
    UserToken,
    /// A signed-in web session, in a browser.
    WebSession,
}

/// What is known of a platform's pages for people, where a browser can list followers from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Web {
    /// Base URL of the public site.
    pub base_url: &'static str,
    /// Rows that the page asks for at a time; its first answer holds more.
    pub page_rows: u32,
    /// Evidence for that size.
    pub pages: Fact,
    /// What an operator has to write to enable it: the risk by its name.
    pub consent: &'static str,
}

/// What is known of a platform.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// How its lists can be entered at best; one of its servers may prove less able.
    pub seek: Seek,
    /// The direction of reading in which a row that moves, moves into what is still unread.
    pub walk: Walk,
    /// What its ids are.
    pub ids: Ids,
    /// Most rows of a page.
    pub page_rows: u32,
    /// Evidence for that size.
    pub pages: Fact,
    /// Price of a row of a follower list.
    pub row_price: Usd,
    /// Price of a look-up.
    pub lookup_price: Usd,
    /// Version of the price list, kept with every page.
    pub price_version: u32,
    /// Evidence for the prices.
    pub prices: Fact,
    /// Base URL of the public service; none where each account names its server.
    pub base_url: Option<&'static str>,
    /// Whether requests without a token are answered.
    pub anonymous: bool,
    /// Whether its servers run different programs and say which.
    pub names_server: bool,
    /// The version of its API that every request names: where a path begins, or the value of GitHub's
    /// version header.
    pub api: &'static str,
    /// Length in milliseconds of the shortest window that its rate-limit headers speak of.
    pub told_from_ms: i64,
}

/// What costs nothing.
const FREE: Fact = Fact::observed("no price is named");

impl Platform {
    /// What is known of this platform.
    pub const fn facts(self) -> Facts {
        match self {
            Self::X => Facts {
                seek: Seek::Chain,
                walk: Walk::Down,
                ids: Ids::Integer,
                page_rows: 1000,
                pages: Fact::documented(
                    "docs.x.com, GET /2/users/{id}/followers: max_results from 1 to 1000",
                ),
                row_price: Usd::from_nanos(10_000_000),
                lookup_price: Usd::from_nanos(10_000_000),
                price_version: 202_608,
                prices: Fact::documented(
                    "docs.x.com, pay-per-use, August 2026: users and followers $0.010 a resource",
                ),
                base_url: Some("https://api.x.com"),
                anonymous: false,
                names_server: false,
                api: "/2",
                told_from_ms: 0,
            },
            Self::Bluesky => Facts {
                seek: Seek::Time,
                walk: Walk::Down,
                ids: Ids::Text,
                page_rows: 100,
                pages: Fact::documented("lexicon app.bsky.graph.getFollowers: limit from 1 to 100"),
                row_price: Usd::ZERO,
                lookup_price: Usd::ZERO,
                price_version: 0,
                prices: FREE,
                base_url: Some("https://public.api.bsky.app"),
                anonymous: true,
                names_server: true,
                // XRPC has no version but the names of its methods.
                api: "/xrpc",
                told_from_ms: 0,
            },
            // In no defined order; most servers show rows by the age of the user or of the follow, so a list is read from
            // its end: of a new follow least is lost there.
            Self::Gitea => Facts {
                seek: Seek::Index,
                walk: Walk::Down,
                ids: Ids::Integer,
                page_rows: 50,
                pages: Fact::source(
                    "Gitea 1.26.0, modules/setting/api.go: MAX_RESPONSE_ITEMS is 50 where a server does not set it",
                ),
                row_price: Usd::ZERO,
                lookup_price: Usd::ZERO,
                price_version: 0,
                prices: FREE,
                base_url: None,
                anonymous: true,
                names_server: true,
                api: "/api/v1",
                told_from_ms: 0,
            },
            // Seen oldest first, so it is read from its end like Gitea's.
            Self::GitHub => Facts {
                seek: Seek::Index,
                walk: Walk::Down,
                ids: Ids::Integer,
                page_rows: 100,
                pages: Fact::documented("docs.github.com, list followers of a user: per_page at most 100"),
                row_price: Usd::ZERO,
                lookup_price: Usd::ZERO,
                price_version: 0,
                prices: FREE,
                base_url: Some("https://api.github.com"),
                anonymous: true,
                names_server: false,
                api: "2022-11-28",
                // The headers speak of the primary limit, never of the secondary one's minute.
                told_from_ms: HOUR,
            },
            // Servers that only speak its API have ids nobody can compute: there the list is a chain (see
            // `crate::scan::plan`).
            Self::Mastodon => Facts {
                seek: Seek::Id,
                walk: Walk::Down,
                ids: Ids::Text,
                page_rows: 80,
                pages: Fact::source(
                    "Mastodon 4.0 to 4.5, app/controllers/api/base_controller.rb, limit_param: twice DEFAULT_ACCOUNTS_LIMIT (40)",
                ),
                row_price: Usd::ZERO,
                lookup_price: Usd::ZERO,
                price_version: 0,
                prices: FREE,
                base_url: None,
                anonymous: true,
                names_server: true,
                api: "/api/v1",
                told_from_ms: 0,
            },
        }
    }

    /// What is known of its pages for people; `None` where no browser lists followers.
    pub const fn web(self) -> Option<Web> {
        match self {
            // platform rules, August 2026: scripting the site is forbidden, accounts that do are suspended.
            Self::X => Some(Web {
                base_url: "https://x.com",
                page_rows: 20,
                pages: Fact::observed("x.com: the page asks for 20 rows, and its first answer has 65 to 70"),
                consent: "x-forbids-this-and-may-suspend-the-account",
            }),
            Self::Bluesky | Self::Gitea | Self::GitHub | Self::Mastodon => None,
        }
    }

    /// The price of one request of this family that returns `rows` rows.
    pub const fn price(self, family: Family, rows: i64) -> Usd {
        match family {
            Family::Lookup => self.facts().lookup_price,
            Family::Server => Usd::ZERO,
            Family::Followers => self.facts().row_price.times(rows),
        }
    }
}
