//! What an answer of Bluesky means: XRPC names its errors in the body; a few are told apart by their words.

use followlytics_core::retry::{Class, Failure};
use serde::Deserialize;

use crate::answer::Answer;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
    message: String,
}

/// Success, or the failure the answer stands for.
pub(super) fn check(answer: &Answer) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words = problem.message.to_ascii_lowercase();
    let (class, message) = match (answer.status.as_u16(), problem.error.as_str()) {
        (_, "AccountTakedown") => (Class::Suspended, "Bluesky took the account down"),
        // Its owner may come back, but until then it is as gone as a deleted one.
        (_, "AccountDeactivated") => (Class::NotFound, "the account's owner deactivated it"),
        (_, "BlockedActor" | "BlockedByActor") => (
            Class::Protected,
            "the account does not show its followers to this token's user",
        ),
        (_, "RateLimitExceeded") | (429, _) => (Class::RateLimited, "Bluesky's rate limit window is used up"),
        (400, "ExpiredToken" | "InvalidToken") | (401, _) => {
            (Class::Unauthorized, "Bluesky refuses the token")
        }
        (400 | 404, _) if words.contains("not found") || words.contains("unable to resolve handle") => {
            (Class::NotFound, "Bluesky knows no such account")
        }
        (400, _) if words.contains("cursor") => (
            Class::CursorExpired,
            "Bluesky refuses the cursor of the next page",
        ),
        (400, _) => (Class::BadRequest, "Bluesky refuses the request (400)"),
        (403, _) => (Class::Forbidden, "Bluesky does not allow this (403)"),
        (404, _) => (
            Class::BadRequest,
            "the server does not know this request (404): its base URL must be an AppView's",
        ),
        _ => return Err(answer.common_failure().unwrap_or_else(|| answer.unknown())),
    };
    Err(answer.failure(class, message))
}

#[cfg(test)]
mod tests;
