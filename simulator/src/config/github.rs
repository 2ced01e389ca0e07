//! How GitHub behaves: its limits, first and secondary, and what it says of users who left or were renamed.

use serde::{Deserialize, Serialize};

/// GitHub's REST API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GithubConfig {
    /// The tokens that are good; empty = any token is. Default empty.
    pub tokens: Vec<String>,
    /// Requests per window and address without a token. Default 60.
    pub anonymous_requests: u32,
    /// Requests per window and token. Default 5000.
    pub token_requests: u32,
    /// Length of the window in milliseconds. Default 3 600 000; below 60 000 every answer also carries
    /// `x-ratelimit-reset-ms`.
    pub window_ms: u64,
    /// The limits beside the first one; absent = none. Default as published.
    pub secondary: Option<GithubSecondary>,
    /// Whether a request without `User-Agent` is refused, as on the platform. Default true.
    pub require_user_agent: bool,
    /// What the look-up of a former login gets. Default `redirect`.
    pub renamed: RenamedAnswer,
    /// Share of followers (0..=1) that are flagged: counted, never listed. Default 0.
    pub hidden_share: f64,
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            anonymous_requests: 60,
            token_requests: 5_000,
            window_ms: 3_600_000,
            secondary: Some(GithubSecondary::default()),
            require_user_agent: true,
            renamed: RenamedAnswer::Redirect,
            hidden_share: 0.0,
        }
    }
}

/// Secondary limits, each per caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GithubSecondary {
    /// Points per minute and endpoint; a GET is one point, also where it is answered 304. Default 900.
    pub points_per_minute: u32,
    /// Requests being answered at once. Default 100.
    pub concurrent: u32,
    /// Status of the refusal, 403 or 429. Default 403.
    pub status: u16,
    /// How the refusal says when to come back. Default `retryAfter`.
    pub wait: SecondaryWait,
    /// Seconds named by a refusal for too many requests at once. Default 60.
    pub retry_after_seconds: u32,
}

impl Default for GithubSecondary {
    fn default() -> Self {
        Self {
            points_per_minute: 900,
            concurrent: 100,
            status: 403,
            wait: SecondaryWait::RetryAfter,
            retry_after_seconds: 60,
        }
    }
}

/// How a secondary limit says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecondaryWait {
    /// `retry-after`, in seconds.
    RetryAfter,
    /// `x-ratelimit-remaining: 0` and `x-ratelimit-reset`.
    Reset,
    /// Not at all: wait at least a minute, then longer each time.
    Nothing,
}

/// What the look-up of a former login gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RenamedAnswer {
    /// 301 to `/user/{id}`.
    Redirect,
    /// 404, as if nobody ever had that login.
    NotFound,
}
