//! How a world behaves, as data: every field has a default, unknown fields are refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::WorldError;

/// The whole world's settings; `{}` is a valid configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Seeds users, ids, churn, token text and probabilistic faults. Default 0.
    pub seed: u64,
    /// Milliseconds every answer of a platform takes (the admin routes are not delayed). Default 0.
    pub latency_ms: u64,
    /// X API v2.
    pub x: XConfig,
    /// Bluesky's `AppView`.
    pub bluesky: BlueskyConfig,
    /// A Gitea server.
    pub gitea: GiteaConfig,
}

impl WorldConfig {
    /// Whether every value is in its domain; the error names the field. [`crate::World::new`] does not insist.
    pub fn validate(&self) -> Result<(), WorldError> {
        for (field, share) in [
            ("x.hiddenShare", self.x.hidden_share),
            ("bluesky.hiddenShare", self.bluesky.hidden_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(WorldError::invalid(
                    field,
                    format!("{share} is not between 0 and 1"),
                ));
            }
        }
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

/// X API v2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct XConfig {
    /// The developer apps that exist from the start. Default: one public client `simulator` whose bearer token is
    /// `simulator-bearer`.
    pub apps: Vec<XAppSpec>,
    /// Requests per window.
    pub limits: XLimits,
    /// Prices, de-duplication, balance and cap, per app.
    pub pricing: XPricing,
    /// Milliseconds after which a pagination token is refused; absent = never. Default absent.
    pub token_ttl_ms: Option<u64>,
    /// Seconds an OAuth 2 access token lives. Default 7200.
    pub access_token_seconds: u64,
    /// Whether fields are named `tweet_count` or `post_count`. Default `tweet`.
    pub names: NameSet,
    /// Share of followers (0..=1) that are suspended or deactivated: counted, never listed. Default 0.
    pub hidden_share: f64,
}

impl Default for XConfig {
    fn default() -> Self {
        Self {
            apps: vec![XAppSpec {
                client_id: "simulator".to_owned(),
                client_secret: None,
                bearer: "simulator-bearer".to_owned(),
                owner: None,
            }],
            limits: XLimits::default(),
            pricing: XPricing::default(),
            token_ttl_ms: None,
            access_token_seconds: 7_200,
            names: NameSet::Tweet,
            hidden_share: 0.0,
        }
    }
}

/// A developer app on X.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct XAppSpec {
    /// OAuth 2 client id, the app's name in logs and totals.
    pub client_id: String,
    /// Present for a confidential client, which must then refresh with HTTP Basic.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The app-only bearer token.
    pub bearer: String,
    /// Handle of the account that owns the app: its own follower reads cost the owned price.
    #[serde(default)]
    pub owner: Option<String>,
}

/// Which vocabulary X answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameSet {
    /// `tweet_count`, `pinned_tweet_id`.
    Tweet,
    /// `post_count`, `pinned_post_id`.
    Post,
}

/// Fixed windows of X; each starts at the first request of its (endpoint, app) or (endpoint, user).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct XLimits {
    /// Follower pages per window for an app bearer. Default 300.
    pub followers_app: u32,
    /// Follower pages per window for a user token. Default 300.
    pub followers_user: u32,
    /// User look-ups per window for an app bearer. Default 300.
    pub lookup_app: u32,
    /// User look-ups per window for a user token. Default 900.
    pub lookup_user: u32,
    /// `/2/users/me` per window for a user token. Default 75.
    pub me_user: u32,
    /// Length of the short window in milliseconds. Default 900 000; below 60 000 every answer also carries
    /// `x-rate-limit-reset-ms`, for whole seconds say too little about such a window.
    pub window_ms: u64,
    /// Follower pages per long window for an app bearer; absent = no long window. Default absent.
    pub followers_app_day: Option<u32>,
    /// Follower pages per long window for a user token; absent = no long window. Default absent.
    pub followers_user_day: Option<u32>,
    /// Length of the long window in milliseconds. Default 86 400 000.
    pub day_window_ms: u64,
}

impl Default for XLimits {
    fn default() -> Self {
        Self {
            followers_app: 300,
            followers_user: 300,
            lookup_app: 300,
            lookup_user: 900,
            me_user: 75,
            window_ms: 900_000,
            followers_app_day: None,
            followers_user_day: None,
            day_window_ms: 86_400_000,
        }
    }
}

/// Pay-per-use prices of X in nano-dollars (10⁻⁹ US dollars).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct XPricing {
    /// One follower row. Default 10 000 000 ($0.010).
    pub follower_nano_usd: i64,
    /// One user look-up. Default 10 000 000 ($0.010).
    pub user_nano_usd: i64,
    /// One follower row of the app owner's own list, read with the owner's token. Default 1 000 000 ($0.001).
    pub owned_nano_usd: i64,
    /// Whether a resource is charged once per app and UTC day. Default true, as on the platform.
    pub dedupe_per_utc_day: bool,
    /// What each app starts with; at zero or below requests are refused with 402. Absent = unlimited.
    pub balance_nano_usd: Option<i64>,
    /// Rows each app may read in all before 429 `UsageCapExceeded`. Absent = unlimited.
    pub usage_cap_rows: Option<u64>,
}

impl Default for XPricing {
    fn default() -> Self {
        Self {
            follower_nano_usd: 10_000_000,
            user_nano_usd: 10_000_000,
            owned_nano_usd: 1_000_000,
            dedupe_per_utc_day: true,
            balance_nano_usd: None,
            usage_cap_rows: None,
        }
    }
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
}

impl Default for GiteaConfig {
    fn default() -> Self {
        Self {
            require_token: false,
            tokens: Vec::new(),
            max_response_items: 50,
            root_url: "https://git.example.com".to_owned(),
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
