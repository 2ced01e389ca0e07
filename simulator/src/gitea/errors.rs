//! Gitea's errors: a message, and a link to the server's API description.

use serde_json::json;

use crate::answer::{Answer, Turn};

fn error(turn: &Turn<'_>, status: u16, message: &str) -> Answer {
    let url = format!("{}/api/swagger", turn.config.gitea.root_url);
    Answer::json(status, json!({"message": message, "url": url}).to_string())
}

pub(super) fn user_not_found(turn: &Turn<'_>, login: &str) -> Answer {
    error(
        turn,
        404,
        &format!("user redirect does not exist [name: {login}]"),
    )
}

pub(super) fn token_required() -> Answer {
    Answer::json(401, r#"{"message":"token is required"}"#)
}

pub(super) fn token_invalid(turn: &Turn<'_>) -> Answer {
    error(turn, 401, "user does not exist [uid: 0, name: ]")
}

pub(super) fn too_many_requests(turn: &Turn<'_>) -> Answer {
    error(turn, 429, "Too Many Requests")
}
