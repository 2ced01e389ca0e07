//! How Mastodon servers behave: several may stand side by side, each with its own users, ids and rules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{config::RateLimit, error::WorldError};

use super::check_share;

/// The servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MastodonConfig {
    /// Chosen by path (`/hosts/{host}/api/…`), else by `Host` header, else the first. Empty = one server
    /// `mastodon.example` with the defaults.
    pub servers: Vec<MastodonServer>,
}

impl MastodonConfig {
    /// The servers there are: never none.
    pub(crate) fn servers(&self) -> Vec<MastodonServer> {
        if self.servers.is_empty() {
            vec![MastodonServer::default()]
        } else {
            self.servers.clone()
        }
    }

    pub(super) fn validate(&self) -> Result<(), WorldError> {
        let names: BTreeSet<String> = self
            .servers
            .iter()
            .map(|server| server.host.to_ascii_lowercase())
            .collect();
        if names.len() < self.servers.len() || names.contains("") {
            return Err(WorldError::invalid(
                "mastodon.servers.host",
                "two servers share a name or one has none; give each its own",
            ));
        }
        for server in &self.servers {
            check_share("mastodon.servers.hiddenShare", server.hidden_share)?;
            if [server.rate_limit, server.paging_limit]
                .iter()
                .flatten()
                .any(|limit| limit.window_ms == 0)
            {
                return Err(WorldError::invalid(
                    "mastodon.servers.rateLimit.windowMs",
                    "0 is too small; use 1 or more",
                ));
            }
        }
        Ok(())
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MastodonServer {
    /// Its name, which `Link` headers show whatever host was asked. Default `mastodon.example`.
    pub host: String,
    /// What `GET /api/v2/instance` calls its version. Default `4.5.2`.
    pub version: String,
    /// What its ids look like, of accounts and of the positions in `Link` headers. Default `snowflake`.
    pub ids: MastodonIds,
    /// Whether every request needs a token (authorized fetch, limited federation, `GoToSocial`). Default false.
    pub require_token: bool,
    /// The tokens that are good; empty = any token is. Default empty.
    pub tokens: Vec<String>,
    /// Requests per clock-aligned window, per token, else per address; absent = no limit and no headers. Default
    /// 300 in five minutes.
    pub rate_limit: Option<RateLimit>,
    /// Requests with `max_id`, `min_id` or `since_id` per clock-aligned window, beside the other limit; absent =
    /// none. Default 300 in fifteen minutes, as Mastodon has it since 3.0.
    pub paging_limit: Option<RateLimit>,
    /// What a suspended account looks like. Default `entity`.
    pub suspended: SuspendedAnswer,
    /// Share of followers (0..=1) that are never listed: suspended since. Default 0.
    pub hidden_share: f64,
}

impl Default for MastodonServer {
    fn default() -> Self {
        Self {
            host: "mastodon.example".to_owned(),
            version: "4.5.2".to_owned(),
            ids: MastodonIds::Snowflake,
            require_token: false,
            tokens: Vec::new(),
            rate_limit: Some(RateLimit {
                requests: 300,
                window_ms: 300_000,
            }),
            paging_limit: Some(RateLimit {
                requests: 300,
                window_ms: 900_000,
            }),
            suspended: SuspendedAnswer::Entity,
            hidden_share: 0.0,
        }
    }
}

/// What a server's ids look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MastodonIds {
    /// Digits: Mastodon.
    Snowflake,
    /// Letters and digits that sort as text: Pleroma and Akkoma.
    Flake,
    /// ULIDs: `GoToSocial`.
    Ulid,
}

/// What a suspended account looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SuspendedAnswer {
    /// An emptied account with `suspended: true` and an empty list: Mastodon from 3.3.
    Entity,
    /// 410: Mastodon 2.4 to 3.3.
    Gone,
    /// 404, as on other software.
    NotFound,
}
