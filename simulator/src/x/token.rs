//! The OAuth 2 endpoints: signing in, exchanging a code or a refresh token (each once), revoking, app bearers.

use axum::extract::Query;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Content, Turn},
    faults::{FaultKind, ResetHeader},
    oauth::{Client, Exchange, RefreshError, SignIn, TokenPair},
    world::{Platform, State},
};

use super::errors;

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
            if let Some(answer) = Answer::gateway_fault(fault, turn.ask.realm.platform) {
                return answer;
            }
        }
        None => {}
    }
    match turn.ask.form("grant_type").unwrap_or_default() {
        "refresh_token" => {}
        "authorization_code" if state.oauth.has_code(turn.ask.form("code").unwrap_or_default()) => {}
        "authorization_code" => return errors::code_invalid(),
        other => return errors::grant_unsupported(other),
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
    let seconds = turn.config.x.access_token_seconds;
    let form = |name: &str| turn.ask.form(name).unwrap_or_default();
    let (given, refused) = if form("grant_type") == "refresh_token" {
        let given = state.refresh(&client, form("refresh_token"), seconds, turn.now_ms);
        (given, errors::refresh_token_invalid as fn() -> Answer)
    } else {
        let exchange = Exchange {
            code: form("code"),
            redirect_uri: form("redirect_uri"),
            verifier: form("code_verifier"),
        };
        let given = state.exchange(&client, &exchange, seconds, turn.now_ms);
        (given, errors::code_invalid as fn() -> Answer)
    };
    let answer = match given {
        Ok((pair, scope)) => Answer::json(200, body(&pair, &scope).to_string()),
        Err(RefreshError::NoClient) => errors::client_unauthorized(),
        Err(RefreshError::BadToken) => refused(),
    };
    Answer {
        principal: format!("app:{}", client.id),
        ..answer
    }
}

fn body(pair: &TokenPair, scope: &str) -> Value {
    let mut body = json!({
        "token_type": "bearer",
        "expires_in": pair.expires_in,
        "access_token": pair.access_token,
        "scope": scope,
    });
    let offline = scope.split(' ').any(|scope| scope == "offline.access");
    if let (true, Some(members)) = (offline, body.as_object_mut()) {
        members.insert(
            "refresh_token".to_owned(),
            Value::from(pair.refresh_token.clone()),
        );
    }
    body
}

/// `POST /oauth2/token`: the bearer of an application that proves its key and secret.
pub(super) fn bearer(state: &mut State, turn: &Turn<'_>) -> Answer {
    if let Some(answer) = turn
        .fault
        .and_then(|fault| Answer::gateway_fault(fault, turn.ask.realm.platform))
    {
        return answer;
    }
    let known = turn.ask.authorization("Basic").and_then(basic);
    let client = known.as_ref().map(|(id, secret)| Client {
        id,
        secret: Some(secret),
    });
    let bearer = client.and_then(|client| state.oauth.bearer(&client));
    match bearer.filter(|_| turn.ask.form("grant_type") == Some("client_credentials")) {
        Some(bearer) => Answer::json(
            200,
            json!({"token_type": "bearer", "access_token": bearer}).to_string(),
        ),
        None => errors::bad_consumer(),
    }
}

/// `POST /2/oauth2/revoke`.
pub(super) fn revoke(state: &mut State, turn: &Turn<'_>) -> Answer {
    if let Some(answer) = turn
        .fault
        .and_then(|fault| Answer::gateway_fault(fault, turn.ask.realm.platform))
    {
        return answer;
    }
    // A token nobody knows is revoked as well as one that was.
    state.oauth.revoke(turn.ask.form("token").unwrap_or_default());
    Answer::json(200, r#"{"revoked":true}"#)
}

/// `GET /i/oauth2/authorize`: who is signed in at the browser says yes at once; nobody says no.
pub(super) fn authorize(state: &mut State, turn: &Turn<'_>) -> Answer {
    let query = |name: &str| turn.ask.query(name).unwrap_or_default();
    let (client_id, redirect_uri, challenge) =
        (query("client_id"), query("redirect_uri"), query("code_challenge"));
    if state.oauth.app(client_id).is_none()
        || redirect_uri.is_empty()
        || query("response_type") != "code"
        || challenge.is_empty()
    {
        let message = "client_id, redirect_uri, response_type=code and code_challenge are needed";
        return errors::invalid_parameter("client_id", client_id, message);
    }
    let signed_in = turn.config.x.signed_in.as_deref();
    let user = signed_in.and_then(|handle| state.population(Platform::X).by_handle(handle));
    let sign_in = SignIn {
        client_id,
        redirect_uri,
        challenge,
        hashed: query("code_challenge_method") != "plain",
        scope: query("scope"),
    };
    let outcome = match user {
        Some(user) => format!("code={}", state.sign_in(&sign_in, user, turn.now_ms)),
        None => "error=access_denied".to_owned(),
    };
    let join = if redirect_uri.contains('?') { '&' } else { '?' };
    let location = format!("{redirect_uri}{join}state={}&{outcome}", query("state"));
    Answer {
        content: Content::Empty,
        ..Answer::json(302, "")
    }
    .with_header("location", location)
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
