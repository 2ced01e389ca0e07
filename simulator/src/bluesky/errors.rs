//! XRPC errors: `{"error": name, "message": text}`.

use serde_json::json;

use crate::answer::Answer;

fn xrpc(status: u16, error: &str, message: &str) -> Answer {
    Answer::json(status, json!({"error": error, "message": message}).to_string())
}

pub(super) fn invalid_request(message: &str) -> Answer {
    xrpc(400, "InvalidRequest", message)
}

pub(super) fn deactivated() -> Answer {
    xrpc(400, "AccountDeactivated", "Account is deactivated")
}

pub(super) fn taken_down() -> Answer {
    xrpc(400, "AccountTakedown", "Account has been suspended")
}

pub(super) fn internal() -> Answer {
    xrpc(500, "InternalServerError", "Internal Server Error")
}

pub(super) fn rate_limited() -> Answer {
    xrpc(429, "RateLimitExceeded", "Rate Limit Exceeded")
}

pub(super) fn auth_required() -> Answer {
    xrpc(401, "AuthMissing", "Authentication Required")
}
