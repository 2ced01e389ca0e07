//! How a world behaves, as data: every field has a default, unknown fields are refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{error::WorldError, faults::FaultSpec};

mod github;
mod mastodon;
mod web;
mod x;

pub use github::{GithubConfig, GithubSecondary, RenamedAnswer, SecondaryWait};
pub use mastodon::{MastodonConfig, MastodonIds, MastodonServer, SuspendedAnswer};
pub use web::{WebConfig, WebLanguage, WebLimits, WebSessionSpec, WebShape};
pub use x::{NameSet, XAppSpec, XConfig, XLimits, XPricing};

/// The whole world's settings; `{}` is a valid configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Seeds users, ids, churn, token text and probabilistic faults. Default 0.
    pub seed: u64,
    /// Milliseconds every answer of a platform takes (the admin routes are not delayed). Default 0.
    pub latency_ms: u64,
    /// What goes wrong from the start; more can be set later. Default nothing.
    pub faults: Vec<FaultSpec>,
    /// How much of what happened can be read back.
    pub log: LogConfig,
    /// X: API v2 and the web client.
    pub x: XConfig,
    /// Bluesky's `AppView`.
    pub bluesky: BlueskyConfig,
    /// A Gitea server.
    pub gitea: GiteaConfig,
    /// GitHub's REST API.
    pub github: GithubConfig,
    /// Mastodon servers, and others that speak its API.
    pub mastodon: MastodonConfig,
}

impl WorldConfig {
    /// Whether every value is in its domain; the error names the field. [`crate::World::new`] does not insist.
    pub fn validate(&self) -> Result<(), WorldError> {
        for (field, share) in [
            ("x.hiddenShare", self.x.hidden_share),
            ("bluesky.hiddenShare", self.bluesky.hidden_share),
            ("github.hiddenShare", self.github.hidden_share),
        ] {
            check_share(field, share)?;
        }
        self.mastodon.validate()?;
        self.x.web.validate()?;
        self.faults.iter().try_for_each(FaultSpec::check)?;
        let limits = &self.x.limits;
        for (field, value) in [
            ("x.limits.windowMs", limits.window_ms),
            ("x.limits.dayWindowMs", limits.day_window_ms),
            ("x.accessTokenSeconds", self.x.access_token_seconds),
            (
                "bluesky.rateLimit.windowMs",
                self.bluesky.rate_limit.map_or(1, |limit| limit.window_ms),
            ),
            ("gitea.maxResponseItems", u64::from(self.gitea.max_response_items)),
            ("github.windowMs", self.github.window_ms),
        ] {
            if value == 0 {
                return Err(WorldError::invalid(field, "0 is too small; use 1 or more"));
            }
        }
        let pricing = &self.x.pricing;
        for (field, price) in [
            ("x.pricing.followerNanoUsd", pricing.follower_nano_usd),
            ("x.pricing.userNanoUsd", pricing.user_nano_usd),
            ("x.pricing.ownedNanoUsd", pricing.owned_nano_usd),
        ] {
            if price < 0 {
                return Err(WorldError::invalid(
                    field,
                    format!("{price} is below 0; a price is not"),
                ));
            }
        }
        let clients: BTreeSet<&str> = self.x.apps.iter().map(|app| app.client_id.as_str()).collect();
        let bearers: BTreeSet<&str> = self.x.apps.iter().map(|app| app.bearer.as_str()).collect();
        if clients.len().min(bearers.len()) < self.x.apps.len() {
            return Err(WorldError::invalid(
                "x.apps",
                "two apps share a client id or bearer; give each its own",
            ));
        }
        Ok(())
    }
}

/// How much of what happened can be read back; sums and truth are kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LogConfig {
    /// The newest requests that are kept, about 300 bytes each. Default 100 000.
    pub requests: usize,
    /// The newest events that are kept, about 60 bytes each. Default 200 000.
    pub events: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            requests: 100_000,
            events: 200_000,
        }
    }
}

fn check_share(field: &'static str, share: f64) -> Result<(), WorldError> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    Err(WorldError::invalid(
        field,
        format!("{share} is not between 0 and 1"),
    ))
}

/// Bluesky's `AppView`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BlueskyConfig {
    /// Share of followers (0..=1) whose profile cannot be hydrated: dropped, so that pages are short. Default 0.
    pub hidden_share: f64,
    /// Requests per window and caller, with `ratelimit-*` headers; absent = no limit and no headers.
    pub rate_limit: Option<RateLimit>,
}

/// A plain fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// Requests per window.
    pub requests: u32,
    /// Length in milliseconds.
    pub window_ms: u64,
}

/// A Gitea server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GiteaConfig {
    /// Whether even public users need a token. Default false.
    pub require_token: bool,
    /// The tokens that are good; empty = any token is. Default empty.
    pub tokens: Vec<String>,
    /// The server's `MAX_RESPONSE_ITEMS`. Default 50.
    pub max_response_items: u32,
    /// The server's `ROOT_URL`, which `Link` headers show whatever host was asked. Default
    /// `https://git.example.com`.
    pub root_url: String,
    /// In which order followers are listed. Default `user`.
    pub order: GiteaOrder,
    /// The offset at which the order `plan` changes. Default 5,000.
    pub plan_changes_at: u64,
}

/// The order of a Gitea server's follower lists, which its query leaves to the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GiteaOrder {
    /// By the id of the user, as SQLite answers: a follow by an old account shifts everything behind it.
    #[default]
    User,
    /// As PostgreSQL answers: by the id of the user up to an offset, beyond it in the order of a hash table.
    Plan,
    /// By follow, oldest first. No Gitea does that: its version says so, for those who need a proven order.
    Follow,
}

impl Default for GiteaConfig {
    fn default() -> Self {
        Self {
            require_token: false,
            tokens: Vec::new(),
            max_response_items: 50,
            root_url: "https://git.example.com".to_owned(),
            order: GiteaOrder::default(),
            plan_changes_at: 5_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_document_is_the_default_world() {
        assert_eq!(
            serde_json::from_str::<WorldConfig>("{}").unwrap(),
            WorldConfig::default()
        );
    }

    #[test]
    fn a_misspelt_field_is_refused_by_name() {
        let error = serde_json::from_str::<WorldConfig>(r#"{"x":{"limits":{"windowms":3}}}"#).unwrap_err();
        assert!(error.to_string().contains("windowms"), "{error}");
    }

    #[test]
    fn values_out_of_their_domain_are_refused_by_name() {
        WorldConfig::default().validate().unwrap();
        for (text, field) in [
            (r#"{"bluesky":{"hiddenShare":1.5}}"#, "bluesky.hiddenShare"),
            (r#"{"x":{"limits":{"windowMs":0}}}"#, "x.limits.windowMs"),
            (r#"{"x":{"pricing":{"userNanoUsd":-1}}}"#, "x.pricing.userNanoUsd"),
            (
                r#"{"x":{"apps":[{"clientId":"a","bearer":"b"},{"clientId":"a","bearer":"c"}]}}"#,
                "x.apps",
            ),
            (r#"{"x":{"web":{"count":101}}}"#, "x.web.count"),
            (
                r#"{"x":{"web":{"limits":{"windowMs":0}}}}"#,
                "x.web.limits.windowMs",
            ),
            (r#"{"x":{"web":{"queryId":"a/b"}}}"#, "x.web.queryId"),
            (
                r#"{"x":{"web":{"sessions":[{"authToken":"a b","ct0":"c","handle":"d"}]}}}"#,
                "authToken",
            ),
        ] {
            let error = serde_json::from_str::<WorldConfig>(text)
                .unwrap()
                .validate()
                .unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
    }

    #[test]
    fn a_configuration_survives_json() {
        let config = WorldConfig {
            seed: 9,
            ..WorldConfig::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<WorldConfig>(&text).unwrap(), config);
    }
}
