//! One GET of a platform: its URL, its authorisation, and what became of it.

use bytes::Bytes;
use followlytics_core::{
    platform::Auth,
    retry::{Class, Failure},
};
use http::{HeaderValue, Request, Uri, header};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::{
    answer::Answer,
    connector::Context,
    http::{HttpError, USER_AGENT, send},
};

/// How a platform's requests and answers differ from another's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// First word of the authorisation header.
    pub(crate) scheme: &'static str,
    /// What the names of its rate-limit headers begin with; of several kinds the scarcest counts.
    pub(crate) limits: &'static [&'static str],
    /// What it should answer with.
    pub(crate) accept: &'static str,
    /// Headers of its own, such as the version of its API.
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// What most of them have in common.
    pub(crate) const JSON: Self = Self {
        scheme: "Bearer",
        limits: &[],
        accept: "application/json",
        headers: &[],
    };
}

/// Sends one GET; `path` begins with a slash and is encoded already.
pub(crate) async fn get(ctx: &Context, dialect: Dialect, path: &str) -> Result<Answer, Failure> {
    let mut request = Request::get(url(&ctx.base_url, path)?)
        .header(header::ACCEPT, dialect.accept)
        // GitHub refuses whoever has no name.
        .header(header::USER_AGENT, USER_AGENT);
    for (name, value) in dialect.headers {
        request = request.header(*name, *value);
    }
    if let Some(value) = authorization(ctx, dialect.scheme)? {
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Bytes::new()).map_err(|_| no_base_url())?;
    let began = Instant::now();
    let response = send(&ctx.http, request).await.map_err(|error| lost(&error))?;
    let passed = SignedDuration::try_from(began.elapsed()).unwrap_or_default();
    let now = ctx.now.saturating_add(passed).unwrap_or(ctx.now);
    Ok(Answer::read(response, dialect.limits, now))
}

/// Sends one GET, and one more where the platform redirects to another address of its own: it has been asked
/// twice then, as its own headers will say. To another host nothing is sent, for the token would go with it:
/// that answer is the caller's to explain.
pub(crate) async fn get_moved(ctx: &Context, dialect: Dialect, path: &str) -> Result<Answer, Failure> {
    let answer = get(ctx, dialect, path).await?;
    if !matches!(answer.status.as_u16(), 301 | 302 | 307 | 308) {
        return Ok(answer);
    }
    match moved_to(&ctx.base_url, &answer) {
        Some(path) => get(ctx, dialect, &path).await,
        None => Ok(answer),
    }
}

/// Path and query of a redirect that stays under the base URL.
fn moved_to(base_url: &str, answer: &Answer) -> Option<String> {
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    let base = base_url.trim_end_matches('/');
    let path = match base.parse::<Uri>() {
        // From the root of the same server.
        Ok(uri) if location.starts_with('/') => location.strip_prefix(uri.path().trim_end_matches('/'))?,
        _ => location.strip_prefix(base)?,
    };
    let plain = path.starts_with('/') && !path.starts_with("//");
    plain.then(|| path.to_owned())
}

/// The text as one part of a path or a query.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The base URL and a path as one URL. A valid base URL that is none with the path has a cursor in it that no URL may
/// hold, or that is too long for one.
pub(crate) fn url(base_url: &str, path: &str) -> Result<Uri, Failure> {
    let base = base_url.trim_end_matches('/');
    let is_http = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    };
    match format!("{base}{path}").parse::<Uri>() {
        Ok(uri) if is_http(&uri) => Ok(uri),
        Err(_) if base.parse().is_ok_and(|base| is_http(&base)) => {
            let message = format!(
                "no valid URL holds the cursor of this page ({} characters)",
                base.len() + path.len()
            );
            Err(failure(Class::CursorUnusable, message))
        }
        _ => Err(no_base_url()),
    }
}

/// A failure that no answer speaks of.
pub(crate) fn failure(class: Class, message: impl Into<String>) -> Failure {
    Failure {
        class,
        message: message.into(),
        told: None,
        retry_after_ms: None,
    }
}

fn no_base_url() -> Failure {
    failure(
        Class::BadRequest,
        "the platform's base URL is none: write http://HOST or https://HOST, with no query",
    )
}

fn authorization(ctx: &Context, scheme: &str) -> Result<Option<HeaderValue>, Failure> {
    let token = match (ctx.auth, &ctx.token) {
        (Auth::Anonymous, _) => return Ok(None),
        (_, Some(token)) => token,
        (auth, None) => {
            let message = format!(
                "the request is to be authorised as {auth}, but there is no token: check the Credential"
            );
            return Err(failure(Class::Unauthorized, message));
        }
    };
    secret_header(scheme, token).map(Some).ok_or_else(|| {
        failure(
            Class::Unauthorized,
            "the token holds characters that no header can carry: enter it again",
        )
    })
}

/// A header value that is never shown by `Debug`.
pub(crate) fn secret_header(scheme: &str, secret: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{scheme} {}", secret.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a request without an answer means. Only one that was surely not sent cost nothing.
fn lost(error: &HttpError) -> Failure {
    match error {
        HttpError::Connect(words) => {
            failure(Class::Network, format!("the platform cannot be reached: {words}"))
        }
        HttpError::Timeout => failure(Class::NoAnswer, "the platform did not answer in time"),
        HttpError::Broken(words) => failure(Class::NoAnswer, format!("the connection broke: {words}")),
        HttpError::TooLarge => failure(
            Class::Malformed,
            "the platform's answer is too large to be one page",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn nothing_of_a_parameter_escapes_its_place() {
        assert_eq!(encode("a/b?c=d&e #é~"), "a%2Fb%3Fc%3Dd%26e%20%23%C3%A9~");
    }

    #[test]
    fn a_base_url_keeps_its_path_and_must_be_http() {
        assert_eq!(url("http://h:1/gitea/", "/api").unwrap(), "http://h:1/gitea/api");
        for wrong in ["", "h:1", "ftp://h", "http://", "not a url"] {
            assert_eq!(
                url(wrong, "/api").unwrap_err().class,
                Class::BadRequest,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_cursor_that_makes_no_url_is_not_blamed_on_the_base_url() {
        // Within the longest cursor that is kept; encoded it is over the longest URL.
        let path = format!("/api?cursor={}", encode(&"|".repeat(22 << 10)));
        for (base, path, class) in [
            ("https://h", path.as_str(), Class::CursorUnusable),
            ("https://h", "/api?a b", Class::CursorUnusable),
            ("not a url", path.as_str(), Class::BadRequest),
        ] {
            assert_eq!(url(base, path).unwrap_err().class, class, "{base}");
        }
    }

    #[test]
    fn a_redirect_is_followed_only_where_it_stays() {
        for (base, location, path) in [
            (
                "https://api.test/",
                "https://api.test/user/7?x=1",
                Some("/user/7?x=1"),
            ),
            ("https://api.test/api/v3", "/api/v3/user/7", Some("/user/7")),
            ("https://api.test/api/v3", "https://api.test/user/7", None),
            ("https://api.test", "https://api.test.evil.test/user/7", None),
            ("https://api.test", "https://api.test@evil.test/user/7", None),
            ("https://api.test", "http://api.test/user/7", None),
            ("https://api.test", "//evil.test/user/7", None),
            ("https://api.test", "user/7", None),
        ] {
            let answer = testing::response(301, &[("location", location)], "");
            let answer = Answer::read(answer, &[], jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(moved_to(base, &answer).as_deref(), path, "{base} {location}");
        }
    }

    #[test]
    fn only_a_request_that_was_not_sent_surely_cost_nothing() {
        let charged = |error| lost(&error).class.policy().may_be_charged;
        assert!(!charged(HttpError::Connect("refused".into())));
        assert!(
            charged(HttpError::Timeout)
                && charged(HttpError::Broken("reset".into()))
                && charged(HttpError::TooLarge)
        );
    }
}
