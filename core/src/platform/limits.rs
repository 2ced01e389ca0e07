//! Limits of requests that platforms publish.

use super::{Auth, Fact, Family};
use crate::{account::Platform, scan::window::Rule};

/// The limits of one way of authorizing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Every rule of a family needs a free slot.
    pub rules: Vec<Rule>,
    /// Where they are published.
    pub evidence: Fact,
}

const MINUTE: i64 = 60 * 1000;
const QUARTER: i64 = 15 * MINUTE;
pub(super) const HOUR: i64 = 60 * MINUTE;

impl Platform {
    /// The limits that it publishes for this way of authorizing. A Credential may state stricter ones, and its servers
    /// report others.
    pub fn limits(self, auth: Auth) -> Limits {
        let (rules, evidence) = match (self, auth) {
            (Self::X, Auth::WebSession) => (
                vec![
                    Rule::new(Family::Lookup, 95, QUARTER),
                    Rule::new(Family::Followers, 50, QUARTER),
                ],
                Fact::observed("x.com, x-rate-limit-limit of the page's own requests, counted by account"),
            ),
            (Self::X, _) => {
                let lookups = if auth == Auth::UserToken { 900 } else { 300 };
                (
                    vec![
                        Rule::new(Family::Lookup, lookups, QUARTER),
                        Rule::new(Family::Followers, 300, QUARTER),
                    ],
                    Fact::documented("docs.x.com, rate limits, August 2026"),
                )
            }
            (Self::Bluesky, _) => (
                vec![Rule::new(Family::Followers, 3000, 5 * MINUTE)],
                Fact::observed(
                    "docs.bsky.app, rate limits: 3,000 requests in 5 minutes by address on the servers of hosted accounts; \
                     the AppView's own limits have no number",
                ),
            ),
            (Self::Gitea, _) => (
                Vec::new(),
                Fact::source("Gitea 1.26.0, routers/api/v1/api.go: no request is limited"),
            ),
            (Self::GitHub, Auth::Anonymous) => (
                vec![Rule::new(Family::Followers, 60, HOUR)],
                Fact::documented(
                    "docs.github.com, rate limits for the REST API: 60 requests an hour by address",
                ),
            ),
            (Self::GitHub, _) => (
                vec![
                    Rule::new(Family::Followers, 900, MINUTE),
                    Rule::new(Family::Followers, 5000, HOUR),
                ],
                Fact::documented(
                    "docs.github.com, rate limits for the REST API: 5,000 requests an hour by user; secondary limit of \
                     900 points a minute, a GET is one",
                ),
            ),
            (Self::Mastodon, _) => (
                vec![
                    Rule::new(Family::Followers, 300, 5 * MINUTE),
                    Rule::new(Family::Followers, 300, QUARTER),
                ],
                Fact::source(
                    "Mastodon 4.0 to 4.5, config/initializers/rack_attack.rb: 300 requests in 5 minutes by token or address, \
                     and 300 in 15 minutes by user or address of those that name a place in a list",
                ),
            ),
        };
        Limits { rules, evidence }
    }

    /// The family whose windows a request of this one is counted in: some platforms count all requests alike.
    pub const fn counted_as(self, family: Family) -> Family {
        match self {
            Self::Bluesky | Self::GitHub | Self::Mastodon => Family::Followers,
            Self::X | Self::Gitea => family,
        }
    }
}
