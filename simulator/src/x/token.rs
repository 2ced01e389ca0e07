//! `POST /2/oauth2/token`: one refresh token, one exchange.

use axum::extract::Query;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use serde_json::json;

use crate::{
    answer::{Answer, Turn},
    faults::{FaultKind, ResetHeader},
    oauth::{Client, RefreshError},
    world::State,
};

use super::errors;

const SCOPE: &str = "tweet.read users.read follows.read offline.access";

/// The pairs of an `application/x-www-form-urlencoded` body; an unreadable body has none.
pub(super) fn form(body: &str) -> Vec<(String, String)> {
    // A form body and a query string are the same language.
    let uri = Uri::builder()
        .path_and_query(format!("/?{}", body.trim()))
        .build();
    let pairs = uri
        .ok()
        .and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    pairs.map(|Query(pairs)| pairs).unwrap_or_default()
}

pub(super) fn refresh(state: &mut State, turn: &Turn<'_>) -> Answer {
    match turn.fault {
        Some(FaultKind::Unauthorized) => return errors::client_unauthorized(),
        Some(FaultKind::RateLimited { reset }) => return rate_limited(*reset, turn),
        Some(fault) => {
            if let Some(answer) = Answer::gateway_fault(fault) {
                return answer;
            }
        }
        None => {}
    }
    match turn.ask.form("grant_type") {
        Some("refresh_token") => {}
        Some("authorization_code") => return errors::code_invalid(),
        other => return errors::grant_unsupported(other.unwrap_or_default()),
    }
    let basic = turn.ask.authorization("Basic").and_then(basic);
    let client = match (&basic, turn.ask.form("client_id")) {
        (Some((id, secret)), _) => Client {
            id,
            secret: Some(secret),
        },
        (None, Some(id)) => Client { id, secret: None },
        (None, None) => return errors::client_unauthorized(),
    };
    let token = turn.ask.form("refresh_token").unwrap_or_default();
    let label = format!("app:{}", client.id);
    let answer = match state.refresh(&client, token, turn.config.x.access_token_seconds, turn.now_ms) {
        Ok(pair) => {
            let body = json!({
                "token_type": "bearer",
                "expires_in": pair.expires_in,
                "access_token": pair.access_token,
                "scope": SCOPE,
                "refresh_token": pair.refresh_token,
            });
            Answer::json(200, body.to_string())
        }
        Err(RefreshError::NoClient) => errors::client_unauthorized(),
        Err(RefreshError::BadToken) => errors::refresh_token_invalid(),
    };
    Answer {
        principal: label,
        ..answer
    }
}

/// The token endpoint has no window of its own: its reset is a short window from now, shifted as told.
fn rate_limited(reset: ResetHeader, turn: &Turn<'_>) -> Answer {
    let end_ms = turn.now_ms + turn.config.x.limits.window_ms;
    let reset_ms = match reset {
        ResetHeader::Absent => return errors::too_many_requests(),
        ResetHeader::True => end_ms,
        ResetHeader::Early(seconds) => end_ms.saturating_sub(u64::from(seconds) * 1_000),
        ResetHeader::Late(seconds) => end_ms + u64::from(seconds) * 1_000,
    };
    errors::too_many_requests()
        .with_header("x-rate-limit-remaining", "0")
        .with_header("x-rate-limit-reset", reset_ms.div_ceil(1_000).to_string())
}

fn basic(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':')
        .map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}
