//! Mastodon's errors: one sentence.

use serde_json::json;

use crate::answer::Answer;

fn error(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({"error": message}).to_string())
}

pub(super) fn not_found() -> Answer {
    error(404, "Record not found")
}

pub(super) fn gone() -> Answer {
    error(410, "Gone")
}

pub(super) fn token_invalid() -> Answer {
    error(401, "The access token is invalid")
}

pub(super) fn user_needed() -> Answer {
    error(401, "This method requires an authenticated user")
}

pub(super) fn too_many_requests() -> Answer {
    error(429, "Too many requests")
}

pub(super) fn bad_position(name: &str) -> Answer {
    error(400, &format!("Bad Request: {name} is not a valid id"))
}

pub(super) fn no_such_server(host: &str) -> Answer {
    error(
        404,
        &format!("no server {host:?} in this world; name it in mastodon.servers"),
    )
}
