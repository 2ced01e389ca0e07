//! Who may ask: whoever brings the token, and nobody else. Nothing of a refused request is read but its head.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

/// What a Kubernetes API server answers to somebody it does not know.
const UNAUTHORIZED: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;

/// Knows the token.
pub(super) struct Gate {
    token: SecretString,
}

/// Who is at the other end of a connection.
#[derive(Default)]
pub(super) struct Visitor {
    known: AtomicBool,
}

impl Gate {
    pub(super) fn new(token: SecretString) -> Self {
        Self { token }
    }

    /// Lets a request pass, or has the answer that refuses it.
    pub(super) fn admit(&self, visitor: &Visitor, headers: &HeaderMap) -> Result<(), Box<Response>> {
        if self.is_right(headers) {
            visitor.known.store(true, Ordering::Relaxed);
            Ok(())
        } else {
            tracing::debug!("a request without the token was refused");
            Err(Box::new(refusal()))
        }
    }

    fn is_right(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_at_checked(7));
        // In a time that tells nothing of how much of it was right; its length is no secret.
        given.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case(b"bearer ")
                && bool::from(token.ct_eq(self.token.expose_secret().as_bytes()))
        })
    }
}

impl Visitor {
    /// Whether a request of this connection had the token.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }
}

fn refusal() -> Response {
    let mut response = Response::new(Body::from(UNAUTHORIZED));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let gate = Gate::new(SecretString::from("secret"));
        for (given, opens) in [
            ("Bearer secret", true),
            ("bearer secret", true),
            ("Bearer secre", false),
            ("Bearer secrets", false),
            ("Bearer ", false),
            ("Basic secret", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(given));
            let visitor = Visitor::default();
            assert_eq!(gate.admit(&visitor, &headers).is_ok(), opens, "{given:?}");
            assert_eq!(visitor.is_known(), opens);
        }
        let refused = gate.admit(&Visitor::default(), &HeaderMap::new()).unwrap_err();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
}
