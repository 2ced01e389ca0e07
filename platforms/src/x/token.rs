//! X's OAuth 2 refresh. A refresh token works once: the new pair must be stored before it is used, and who
//! does not know whether a refresh took place must not try the old token as if nothing had happened.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{
    http::{HttpError, HttpService, send},
    request::{encode, secret_header, url},
};

/// A fresh pair.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// Authorises requests.
    pub access: SecretString,
    /// For the next refresh; absent without the scope `offline.access`.
    pub refresh: Option<SecretString>,
    /// How long the access token lives.
    pub expires_in: SignedDuration,
    /// Scopes granted, separated by spaces.
    pub scope: String,
}

/// Why there is no fresh pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token was used before, revoked, or never good. Only signing in again helps.
    #[error("failed to refresh the token: it was used before or revoked; sign in again")]
    Spent,
    /// The client id or secret is refused; the refresh token is untouched.
    #[error("failed to refresh the token: X refuses the client id or secret ({status})")]
    Client {
        /// HTTP status.
        status: u16,
    },
    /// The base URL or a secret cannot be sent.
    #[error("failed to refresh the token: {field} cannot be sent")]
    Unsendable {
        /// Which argument.
        field: &'static str,
    },
    /// Surely not processed; the same token may be tried again.
    #[error("failed to refresh the token: X cannot be reached or takes no more requests now")]
    Unavailable,
    /// Perhaps processed, and then the old token is spent and the new pair is lost.
    #[error("failed to refresh the token: no readable answer came, so the old one may be spent")]
    Ambiguous,
}

/// Exchanges a refresh token for a fresh pair. At most one caller at a time may do so for one token.
///
/// A confidential client (with a secret) authorises itself by HTTP Basic, a public one by its id in the form.
pub async fn refresh(
    http: &HttpService,
    base_url: &str,
    client_id: &str,
    client_secret: Option<&SecretString>,
    refresh_token: &SecretString,
) -> Result<TokenPair, RefreshError> {
    let url = url(base_url, "/2/oauth2/token").map_err(|_| RefreshError::Unsendable {
        field: "the base URL",
    })?;
    let mut form = format!(
        "grant_type=refresh_token&refresh_token={}",
        encode(refresh_token.expose_secret())
    );
    let mut request = Request::post(url)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(secret) = client_secret {
        request = request.header(header::AUTHORIZATION, basic(client_id, secret)?);
    } else {
        form.push_str("&client_id=");
        form.push_str(&encode(client_id));
    }
    let request = request
        .body(Bytes::from(form))
        .map_err(|_| RefreshError::Unsendable { field: "the request" })?;
    let response = send(http, request).await.map_err(|error| match error {
        HttpError::Connect(_) => RefreshError::Unavailable,
        HttpError::Timeout | HttpError::Broken(_) | HttpError::TooLarge => RefreshError::Ambiguous,
    })?;
    read(response.status(), response.body())
}

fn basic(client_id: &str, secret: &SecretString) -> Result<HeaderValue, RefreshError> {
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose_secret()));
    secret_header("Basic", &SecretString::from(STANDARD.encode(pair))).ok_or(RefreshError::Unsendable {
        field: "the client secret",
    })
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: i64,
    #[serde(default)]
    scope: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: String,
    error_description: String,
}

fn read(status: StatusCode, body: &[u8]) -> Result<TokenPair, RefreshError> {
    let refused = || serde_json::from_slice::<Refused>(body).unwrap_or_default();
    match status.as_u16() {
        200..=299 => {
            let granted: Granted = serde_json::from_slice(body).map_err(|_| RefreshError::Ambiguous)?;
            Ok(TokenPair {
                access: granted.access_token.into(),
                refresh: granted.refresh_token.map(SecretString::from),
                expires_in: SignedDuration::from_secs(granted.expires_in),
                scope: granted.scope,
            })
        }
        status @ (400 | 401 | 403) if refused().error.ends_with("_client") => {
            Err(RefreshError::Client { status })
        }
        400 if refused().error == "invalid_grant"
            || refused().error_description.contains("token was invalid") =>
        {
            Err(RefreshError::Spent)
        }
        status @ (400..=407 | 410..=428) => Err(RefreshError::Client { status }),
        429 => Err(RefreshError::Unavailable),
        _ => Err(RefreshError::Ambiguous),
    }
}

#[cfg(test)]
mod tests;
