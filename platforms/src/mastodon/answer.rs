//! What an answer of a Mastodon server means. Statuses are all there is to go by: the words of errors are in the
//! server's own language.

use followlytics_core::{
    platform::Auth,
    retry::{Class, Failure},
};
use http::{Uri, header};

use crate::answer::{Answer, text};

/// Success, or the failure the answer stands for.
pub(super) fn check(answer: &Answer, auth: Auth) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok();
    let anonymous = auth == Auth::Anonymous;
    let (class, message) = match answer.status.as_u16() {
        301..=308 => return Err(answer.failure(Class::BadRequest, elsewhere(answer))),
        // 422 is what older servers say instead (Mastodon before 4.3).
        401 | 403 | 422 if anonymous && is_json => (
            Class::Unauthorized,
            "the server shows this to nobody without a token (limited federation or authorized fetch): \
             give the scan a Credential for it",
        ),
        401 => (
            Class::Unauthorized,
            "the server refuses the token: it is expired or revoked",
        ),
        403 => (
            Class::Forbidden,
            "the server does not allow this (403): the token needs the scope read:accounts, and its user must not be \
             blocked",
        ),
        // Servers before Mastodon 3.4 take `lookup` for an id, and know no account of that id.
        404 if is_json => (
            Class::NotFound,
            "the server knows no such account, or is too old to look one up (before Mastodon 3.4)",
        ),
        404 => (
            Class::BadRequest,
            "the server has no such address (404): it must be the one that serves Mastodon's API",
        ),
        410 => (
            Class::Suspended,
            "the server suspended or deleted the account (410)",
        ),
        400 | 406 | 422 => (Class::BadRequest, "the server refuses the request"),
        429 => (Class::RateLimited, "the server's rate limit window is used up"),
        _ => return Err(answer.common_failure().unwrap_or_else(|| answer.unknown())),
    };
    Err(answer.failure(class, message))
}

/// Accounts are often called after a domain whose API lives on another one.
fn elsewhere(answer: &Answer) -> String {
    let target =
        text(&answer.headers, header::LOCATION.as_str()).and_then(|target| target.parse::<Uri>().ok());
    match target.as_ref().and_then(Uri::host) {
        Some(host) => format!(
            "the server sends its visitors on to {host}, where no token is sent: name https://{host} as the base URL"
        ),
        None => "the server redirects to no address of its own: check the base URL".to_owned(),
    }
}
