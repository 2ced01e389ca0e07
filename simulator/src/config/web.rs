//! How X's web client behaves: who is signed in, what a session may ask, and what its page looks like.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::WorldError;

/// X's web client: documents, their script, and GraphQL behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WebConfig {
    /// Whether its routes are there at all. Default true; without a session they lead to the login.
    pub enabled: bool,
    /// Who is signed in from the start; more can come later. Default nobody.
    pub sessions: Vec<WebSessionSpec>,
    /// Requests per window.
    pub limits: WebLimits,
    /// Whether a cursor may name any position. Default false: it must be the position of a follow of that list, as
    /// every cursor this server gives out is.
    pub accept_fabricated_cursor: bool,
    /// What a user looks like in GraphQL. Default `modern`.
    pub shape: WebShape,
    /// The language of the page's labels. Default `en`.
    pub language: WebLanguage,
    /// The id of the `Followers` query; another one is stale.
    pub query_id: String,
    /// The id of the `UserByScreenName` query; another one is stale.
    pub user_query_id: String,
    /// Rows the page's script asks for, 1..=100. Default 20; the first page ignores it and has 65 to 70.
    pub count: u32,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            sessions: Vec::new(),
            limits: WebLimits::default(),
            accept_fabricated_cursor: false,
            shape: WebShape::Modern,
            language: WebLanguage::En,
            query_id: "vJijlO_CM7dyGFNjDd7iqQ".to_owned(),
            user_query_id: "qWeb5imulat0rUserByName".to_owned(),
            count: 20,
        }
    }
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebSessionSpec {
    /// The cookie `auth_token`.
    pub auth_token: String,
    /// The cookie `ct0`, which every request repeats as `x-csrf-token`.
    pub ct0: String,
    /// Who is signed in. Sessions of one handle share its windows; it need not be a user of this world.
    pub handle: String,
}

/// Fixed windows of the web client; each starts at the first request of its (operation, signed-in account).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WebLimits {
    /// Follower pages per window. Default 50.
    pub followers: u32,
    /// Look-ups per window. Default 95.
    pub user_by_screen_name: u32,
    /// Length of the window in milliseconds. Default 900 000; below 60 000 every answer also carries
    /// `x-rate-limit-reset-ms`.
    pub window_ms: u64,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            followers: 50,
            user_by_screen_name: 95,
            window_ms: 900_000,
        }
    }
}

/// What a user looks like in GraphQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WebShape {
    /// `core`, `profile_bio`, `relationship_counts`: since 2025.
    Modern,
    /// Nearly everything under `legacy`: until 2024.
    Legacy,
}

/// The language of the page's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WebLanguage {
    /// English.
    En,
    /// German.
    De,
    /// Japanese.
    Ja,
}

impl WebLanguage {
    /// As documents and headers name it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Ja => "ja",
        }
    }
}

impl WebSessionSpec {
    /// Whether both cookies can be cookies.
    pub(crate) fn check(&self) -> Result<(), WorldError> {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        for (field, text) in [("authToken", &self.auth_token), ("ct0", &self.ct0)] {
            if !plain(text) {
                return Err(WorldError::invalid(
                    field,
                    "it is no cookie of X; use letters and digits",
                ));
            }
        }
        if self.handle.is_empty() {
            return Err(WorldError::invalid("handle", "it is empty; say who is signed in"));
        }
        Ok(())
    }
}

impl WebConfig {
    pub(super) fn validate(&self) -> Result<(), WorldError> {
        self.sessions.iter().try_for_each(WebSessionSpec::check)?;
        let tokens: BTreeSet<&str> = self.sessions.iter().map(|one| one.auth_token.as_str()).collect();
        if tokens.len() < self.sessions.len() {
            let reason = "two sessions share an authToken; give each its own";
            return Err(WorldError::invalid("x.web.sessions", reason));
        }
        if !(1..=100).contains(&self.count) {
            let reason = format!("{} is not between 1 and 100", self.count);
            return Err(WorldError::invalid("x.web.count", reason));
        }
        if self.limits.window_ms == 0 {
            let reason = "0 is too small; use 1 or more";
            return Err(WorldError::invalid("x.web.limits.windowMs", reason));
        }
        let in_a_path = |id: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            !id.is_empty() && id.bytes().all(plain)
        };
        for (field, id) in [
            ("x.web.queryId", &self.query_id),
            ("x.web.userQueryId", &self.user_query_id),
        ] {
            if !in_a_path(id) {
                return Err(WorldError::invalid(
                    field,
                    format!("{id:?} is not of A-Z a-z 0-9 _ -"),
                ));
            }
        }
        Ok(())
    }
}
