//! What an answer of Gitea means.

use followlytics_core::{
    platform::Auth,
    retry::{Class, Failure},
};

use http::header;

use crate::answer::Answer;

/// Success, or the failure the answer stands for.
pub(super) fn check(answer: &Answer, auth: Auth) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok();
    let location = answer
        .headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (class, message) = match answer.status.as_u16() {
        301..=308 if location.contains("/api/v1/users/") => (
            Class::NotFound,
            "the account was renamed: scan it under its new handle",
        ),
        // Servers that require signing in demand a token even for public users.
        401 if auth == Auth::Anonymous => (
            Class::Unauthorized,
            "the server answers nobody without a token: give the scan a Credential for it",
        ),
        401 => (
            Class::Unauthorized,
            "the server refuses the token: it is expired or revoked",
        ),
        403 => (
            Class::Forbidden,
            "the server does not allow this (403): the token needs the scope read:user",
        ),
        // Users of limited visibility are unknown to strangers, private ones to nearly everybody.
        404 if is_json && auth == Auth::Anonymous => (
            Class::NotFound,
            "the server knows no such account, or shows it to nobody without a token",
        ),
        // Whatever stands in front of a server says 404 too, but not in JSON.
        404 if is_json => (
            Class::NotFound,
            "the server knows no such account that this token may see",
        ),
        404 => (
            Class::BadRequest,
            "the server has no such address (404): check the base URL",
        ),
        400 | 422 => (Class::BadRequest, "the server refuses the request"),
        429 => (Class::RateLimited, "the server takes no more requests for now"),
        _ => return Err(answer.common_failure().unwrap_or_else(|| answer.unknown())),
    };
    Err(answer.failure(class, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn every_refusal_has_its_class() {
        for (status, body, class) in [
            (401, r#"{"message":"token is required"}"#, Class::Unauthorized),
            (
                403,
                r#"{"message":"token does not have at least one of required scope(s): [read:user]"}"#,
                Class::Forbidden,
            ),
            (
                404,
                r#"{"message":"user redirect does not exist [name: x]","url":"http://h/api/swagger"}"#,
                Class::NotFound,
            ),
            (404, "<html>not here</html>", Class::BadRequest),
            (422, "{}", Class::BadRequest),
            (429, "", Class::RateLimited),
            (500, "", Class::ServerError),
            (503, "<html>", Class::ServerError),
            (307, "", Class::BadRequest),
            (418, "", Class::Unknown),
        ] {
            let answer = testing::answer(status, body);
            assert_eq!(
                check(&answer, Auth::Anonymous).unwrap_err().class,
                class,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn the_remedy_for_a_server_that_wants_a_token_is_named() {
        let answer = testing::answer(401, r#"{"message":"token is required"}"#);
        assert!(
            check(&answer, Auth::Anonymous)
                .unwrap_err()
                .message
                .contains("Credential")
        );
        assert!(
            check(&answer, Auth::UserToken)
                .unwrap_err()
                .message
                .contains("expired or revoked")
        );
    }

    #[test]
    fn a_renamed_account_is_told_from_a_wrong_base_url() {
        let renamed = testing::response(307, &[("location", "/api/v1/users/new/followers?page=1")], "");
        let answer = Answer::read(renamed, &["x-ratelimit"], jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(
            check(&answer, Auth::Anonymous).unwrap_err().class,
            Class::NotFound
        );
    }
}
