//! Where a request goes: the platform, which of its servers, and the kind of route.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A platform the world plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Platform {
    /// X: API v2 and the web client.
    X,
    /// Bluesky's `AppView`.
    Bluesky,
    /// A Gitea server.
    Gitea,
    /// GitHub's REST API.
    Github,
    /// Mastodon servers, and others that speak its API.
    Mastodon,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 5] = [Self::X, Self::Bluesky, Self::Gitea, Self::Github, Self::Mastodon];
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::X => "x",
            Self::Bluesky => "bluesky",
            Self::Gitea => "gitea",
            Self::Github => "github",
            Self::Mastodon => "mastodon",
        })
    }
}

/// A platform, and where it is many servers, which of them: each has its own users, ids and lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Realm {
    pub(crate) platform: Platform,
    pub(crate) server: usize,
}

impl From<Platform> for Realm {
    fn from(platform: Platform) -> Self {
        Self { platform, server: 0 }
    }
}

/// A kind of route, the same words on every platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoint {
    /// The look-up of one account by handle or id.
    Account,
    /// A page of followers.
    Followers,
    /// X: the token's own user.
    Me,
    /// X: the OAuth 2 token endpoint.
    Token,
    /// GitHub: how the window stands.
    RateLimit,
    /// Mastodon: the server itself.
    Instance,
    /// X's web client: a document, before its script runs.
    WebPage,
    /// X's web client: the GraphQL look-up of one account.
    WebUser,
    /// X's web client: a GraphQL page of followers.
    WebFollowers,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Followers,
        Self::Me,
        Self::Token,
        Self::RateLimit,
        Self::Instance,
        Self::WebPage,
        Self::WebUser,
        Self::WebFollowers,
    ];

    /// Whether it belongs to the web client: no app, no token, no money, but a session and a page.
    pub const fn is_web(self) -> bool {
        matches!(self, Self::WebPage | Self::WebUser | Self::WebFollowers)
    }

    /// Whether it serves rows of a follower list.
    pub const fn lists_followers(self) -> bool {
        matches!(self, Self::Followers | Self::WebFollowers)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Account => "account",
            Self::Followers => "followers",
            Self::Me => "me",
            Self::Token => "token",
            Self::RateLimit => "rateLimit",
            Self::Instance => "instance",
            Self::WebPage => "webPage",
            Self::WebUser => "webUser",
            Self::WebFollowers => "webFollowers",
        })
    }
}
