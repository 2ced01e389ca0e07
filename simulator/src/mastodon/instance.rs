//! `GET /api/v2/instance` (and v1): which software of which version this is.

use serde_json::json;

use crate::{
    answer::{Answer, Turn},
    config::MastodonIds,
    world::State,
};

use super::{gate::admit, server};

pub(super) fn get(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let server = server(turn);
    let (version, source) = match server.ids {
        MastodonIds::Snowflake => (server.version.clone(), "https://github.com/mastodon/mastodon"),
        // The others name the version of Mastodon they are compatible with, then their own.
        MastodonIds::Flake => (
            format!("2.7.2 (compatible; Pleroma {})", server.version),
            "https://git.pleroma.social/pleroma/pleroma",
        ),
        MastodonIds::Ulid => (
            server.version.clone(),
            "https://codeberg.org/superseriousbusiness/gotosocial",
        ),
    };
    let body = json!({
        "domain": server.host,
        "uri": server.host,
        "title": server.host,
        "version": version,
        "source_url": source,
        "description": "A simulated server",
        "usage": {"users": {"active_month": 0}},
        "languages": ["en"],
        "registrations": {"enabled": false, "approval_required": false, "message": null},
        "rules": [],
    });
    pass.stamp(Answer::json(200, body.to_string()))
}
