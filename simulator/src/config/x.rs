//! How X behaves: its apps, limits, prices and words.

use serde::{Deserialize, Serialize};

use super::WebConfig;

/// X: API v2, and under `web` the web client.
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
    /// Most rows of a page of followers, whatever was asked for, 1..=1000: a page may hold fewer rows than
    /// `max_results` although more follow. Default 1000.
    pub page_rows: usize,
    /// Milliseconds after which a pagination token is refused; absent = never. Default absent.
    pub token_ttl_ms: Option<u64>,
    /// Seconds an OAuth 2 access token lives. Default 7200.
    pub access_token_seconds: u64,
    /// Handle of the user at the browser that comes to `/i/oauth2/authorize`, and agrees; absent = nobody, who does
    /// not. Default absent.
    pub signed_in: Option<String>,
    /// Whether fields are named `tweet_count` or `post_count`. Default `tweet`.
    pub names: NameSet,
    /// Share of followers (0..=1) that are suspended or deactivated: counted, never listed. Default 0.
    pub hidden_share: f64,
    /// The web client.
    pub web: WebConfig,
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
            page_rows: 1_000,
            token_ttl_ms: None,
            access_token_seconds: 7_200,
            signed_in: None,
            names: NameSet::Tweet,
            hidden_share: 0.0,
            web: WebConfig::default(),
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
