//! What an answer of GitHub means. 403 and 429 mean four things: the hour's limit, the secondary limit, a list
//! that is cut off, and a plain no; headers and words tell them apart (docs.github.com, rate limits).

use followlytics_core::retry::{Class, Failure};
use serde::Deserialize;

use crate::answer::Answer;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    message: String,
}

/// Success, or the failure the answer stands for.
pub(super) fn check(answer: &Answer) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    let problem = serde_json::from_slice::<Problem>(&answer.body);
    let is_json = problem.is_ok();
    let words = problem.unwrap_or_default().message.to_ascii_lowercase();
    let (class, message) = match answer.status.as_u16() {
        301..=308 => (
            Class::BadRequest,
            "GitHub redirects to another server, where no token is sent: check the base URL",
        ),
        401 => (
            Class::Unauthorized,
            "GitHub refuses the token: it is expired or revoked",
        ),
        status @ (403 | 429) => limited(answer, status, &words),
        404 if is_json => (Class::NotFound, "GitHub knows no such account"),
        404 => (
            Class::BadRequest,
            "the server has no such address (404): its base URL must be an API's, such as https://HOST/api/v3",
        ),
        // The account exists and may come back; until then it is as good as suspended.
        451 => (
            Class::Suspended,
            "GitHub shows this account to nobody, for legal reasons (451)",
        ),
        422 if words.contains("pagination") => (
            Class::Forbidden,
            "GitHub does not show a list this long to its end (422)",
        ),
        400 | 406 | 415 | 422 => (
            Class::BadRequest,
            "GitHub refuses the request or this version of its API",
        ),
        _ => return Err(answer.common_failure().unwrap_or_else(|| answer.unknown())),
    };
    Err(answer.failure(class, message))
}

fn limited(answer: &Answer, status: u16, words: &str) -> (Class, &'static str) {
    let none_left = answer.told.is_some_and(|told| told.remaining == Some(0));
    // Its older name is abuse detection.
    if words.contains("secondary rate limit") || words.contains("abuse detection") {
        (Class::SecondaryLimited, SECONDARY)
    } else if none_left {
        (
            Class::RateLimited,
            "GitHub's hour for this token or address is used up; without a token it has 60 requests",
        )
    } else if status == 429 || answer.has_retry_after() {
        (Class::SecondaryLimited, SECONDARY)
    } else {
        (
            Class::Forbidden,
            "GitHub does not allow this (403): check what the token may read, and its organisation's rules",
        )
    }
}

const SECONDARY: &str = "GitHub's secondary limit asks for a pause";
