//! What stands before every Gitea route: tokens, redirects of renamed users, faults of a proxy in front.

use crate::{
    answer::{Answer, Content, Turn},
    faults::{FaultKind, ResetHeader},
    world::{Platform, State},
};

use super::errors;

/// Lets a request through that is about nobody; returns the caller's label.
pub(super) fn admit_anybody(turn: &Turn<'_>) -> Result<&'static str, Answer> {
    let token = token(turn);
    let label = if token.is_some() { "token" } else { "anonymous" };
    refusal(turn, token).map_or(Ok(label), Err)
}

/// The user the request is about and the caller's label, or what the server says instead.
pub(super) fn admit(state: &State, turn: &Turn<'_>) -> Result<(u64, &'static str), Answer> {
    let token = token(turn);
    let label = if token.is_some() { "token" } else { "anonymous" };
    refusal(turn, token)
        .map_or(Ok(()), Err)
        .and_then(|()| find(state, turn))
        .map(|user| (user, label))
        .map_err(|answer| Answer {
            principal: label.to_owned(),
            ..answer
        })
}

fn token<'a>(turn: &'a Turn<'_>) -> Option<&'a str> {
    let header = turn
        .ask
        .authorization("token")
        .or_else(|| turn.ask.authorization("Bearer"));
    header
        .or_else(|| turn.ask.query("token"))
        .or_else(|| turn.ask.query("access_token"))
}

fn refusal(turn: &Turn<'_>, token: Option<&str>) -> Option<Answer> {
    let config = &turn.config.gitea;
    match turn.fault {
        Some(FaultKind::Unauthorized) => return Some(errors::token_required()),
        Some(FaultKind::RateLimited { reset }) => return Some(rate_limited(turn, *reset)),
        Some(fault) => {
            if let Some(answer) = Answer::gateway_fault(fault, turn.ask.realm.platform) {
                return Some(answer);
            }
        }
        None => {}
    }
    match token {
        None if config.require_token => Some(errors::token_required()),
        Some(token) if !config.tokens.is_empty() && !config.tokens.iter().any(|known| known == token) => {
            Some(errors::token_invalid(turn))
        }
        _ => None,
    }
}

fn find(state: &State, turn: &Turn<'_>) -> Result<u64, Answer> {
    let login = turn.ask.subject.text().unwrap_or_default();
    let people = state.population(Platform::Gitea);
    if let Some(user) = turn.subject {
        let known = people.overlays.get(&user);
        let private = known.and_then(|known| known.protected).unwrap_or(false);
        // A private user is seen by those who are signed in.
        return if private && token(turn).is_none() {
            Err(errors::user_not_found(turn, login))
        } else {
            Ok(user)
        };
    }
    match people.by_retired_handle(login) {
        Some(user) => {
            let path = turn.ask.wire.path.replacen(login, &people.handle(user), 1);
            let query: Vec<String> = turn
                .ask
                .wire
                .query
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let to = if query.is_empty() {
                path
            } else {
                format!("{path}?{}", query.join("&"))
            };
            Err(Answer {
                content: Content::Empty,
                ..Answer::json(307, "")
            }
            .with_header("location", to))
        }
        None => Err(errors::user_not_found(turn, login)),
    }
}

/// Gitea has no limits of its own: this is a proxy's 429, which speaks `retry-after` if at all.
fn rate_limited(turn: &Turn<'_>, reset: ResetHeader) -> Answer {
    const TRUE_SECONDS: u32 = 60;
    let answer = errors::too_many_requests(turn);
    match reset {
        ResetHeader::Absent => answer,
        ResetHeader::True => answer.with_header("retry-after", TRUE_SECONDS.to_string()),
        ResetHeader::Early(seconds) => {
            answer.with_header("retry-after", TRUE_SECONDS.saturating_sub(seconds).to_string())
        }
        ResetHeader::Late(seconds) => {
            answer.with_header("retry-after", TRUE_SECONDS.saturating_add(seconds).to_string())
        }
    }
}
