//! What stands before every GitHub route: the front door, tokens, the hourly limit, the secondary ones, and entity
//! tags.
//!
//! A 304 to a caller with a token does not count in the hourly window, one to an anonymous caller does; both are a
//! point of the secondary limit.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::{
    answer::{Answer, Content, Turn},
    config::{GithubSecondary, RenamedAnswer, SecondaryWait},
    faults::{FaultKind, ResetHeader},
    ids::mix,
    windows::{Slot, WindowKey},
    world::{Endpoint, Platform, State},
};

use super::errors;

const MINUTE_MS: u64 = 60_000;

/// A request that may go on.
pub(super) struct Pass {
    label: &'static str,
    key: WindowKey,
    limit: u32,
}

impl Pass {
    /// Counts the request and puts headers, tag and principal on whatever the route answers.
    pub(super) fn finish(self, state: &mut State, turn: &Turn<'_>, mut answer: Answer) -> Answer {
        if answer.status == 200 {
            answer = tagged(answer, turn.ask.wire.if_none_match.as_deref());
        }
        let free = answer.status == 304 && self.label == "token" || turn.ask.endpoint == Endpoint::RateLimit;
        let slot = if free {
            state.windows.look(&self.key, self.limit, turn.now_ms)
        } else {
            state.windows.take(&self.key, self.limit, turn.now_ms)
        };
        self.label(answer, headers(slot, turn))
    }

    fn label(self, mut answer: Answer, headers: Vec<(&'static str, String)>) -> Answer {
        self.label.clone_into(&mut answer.principal);
        for (name, value) in headers {
            if answer.headers.iter().all(|(known, _)| *known != name) {
                answer.headers.push((name, value));
            }
        }
        answer
    }

    /// How the window stands.
    pub(super) fn slot(&self, state: &State, turn: &Turn<'_>) -> Slot {
        state.windows.look(&self.key, self.limit, turn.now_ms)
    }
}

/// Lets the request through, or says what the platform would say instead.
pub(super) fn admit(state: &mut State, turn: &Turn<'_>) -> Result<Pass, Answer> {
    let config = &turn.config.github;
    if config.require_user_agent && turn.ask.wire.user_agent.as_deref().is_none_or(str::is_empty) {
        return Err(errors::user_agent_required());
    }
    let token = turn
        .ask
        .authorization("Bearer")
        .or_else(|| turn.ask.authorization("token"));
    let bad = token
        .is_some_and(|token| !config.tokens.is_empty() && config.tokens.iter().all(|known| known != token));
    if bad || turn.has_fault(&FaultKind::Unauthorized) {
        return Err(errors::bad_credentials());
    }
    let principal = turn.ask.caller();
    let pass = Pass {
        label: if token.is_some() { "token" } else { "anonymous" },
        limit: if token.is_some() {
            config.token_requests
        } else {
            config.anonymous_requests
        },
        key: WindowKey {
            principal: principal.clone(),
            route: "github",
            length_ms: config.window_ms,
            aligned: false,
        },
    };
    let Some(refused) = refusal(state, turn, &pass, &principal) else {
        return Ok(pass);
    };
    let slot = pass.slot(state, turn);
    Err(pass.label(refused, headers(slot, turn)))
}

fn refusal(state: &mut State, turn: &Turn<'_>, pass: &Pass, principal: &str) -> Option<Answer> {
    match turn.fault {
        Some(FaultKind::RateLimited { reset }) => {
            return Some(with_room(*reset, pass.slot(state, turn), turn));
        }
        Some(FaultKind::SecondaryLimit {
            status,
            retry_after_seconds,
        }) => {
            let answer = errors::secondary(*status);
            return Some(match retry_after_seconds {
                Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
                None => answer,
            });
        }
        Some(FaultKind::LegallyBlocked) => return Some(errors::blocked()),
        Some(fault) => {
            if let Some(answer) = Answer::gateway_fault(fault, turn.ask.realm.platform) {
                return Some(answer);
            }
        }
        None => {}
    }
    if turn.ask.endpoint == Endpoint::RateLimit {
        return None;
    }
    if let Some(secondary) = &turn.config.github.secondary
        && let Some(answer) = too_fast(state, turn, secondary, principal)
    {
        return Some(answer);
    }
    let used_up = pass.slot(state, turn).remaining == 0;
    used_up.then(|| exceeded(turn))
}

fn exceeded(turn: &Turn<'_>) -> Answer {
    let anonymous = turn.ask.wire.authorization.is_none();
    let address = anonymous.then_some(turn.ask.wire.address.as_str());
    errors::rate_limited(address, mix(turn.config.seed, 1) % 100_000_000)
}

/// The secondary limits: requests at once, and points a minute and endpoint.
fn too_fast(state: &mut State, turn: &Turn<'_>, limits: &GithubSecondary, principal: &str) -> Option<Answer> {
    let at_once = state.in_flight.get(principal).copied().unwrap_or(0);
    if at_once > limits.concurrent {
        let seconds = u64::from(limits.retry_after_seconds);
        return Some(says(limits, seconds, turn.now_ms + seconds * 1_000));
    }
    let key = WindowKey {
        principal: principal.to_owned(),
        route: match turn.ask.endpoint {
            Endpoint::Followers => "github/followers",
            _ => "github/users",
        },
        length_ms: MINUTE_MS,
        aligned: false,
    };
    let slot = state.windows.look(&key, limits.points_per_minute, turn.now_ms);
    if slot.remaining == 0 {
        let left_ms = slot.reset_ms.saturating_sub(turn.now_ms);
        return Some(says(limits, left_ms.div_ceil(1_000), slot.reset_ms));
    }
    state.windows.take(&key, limits.points_per_minute, turn.now_ms);
    None
}

fn says(limits: &GithubSecondary, seconds: u64, reset_ms: u64) -> Answer {
    let answer = errors::secondary(limits.status);
    match limits.wait {
        SecondaryWait::RetryAfter => answer.with_header("retry-after", seconds.to_string()),
        SecondaryWait::Reset => answer
            .with_header("x-ratelimit-remaining", "0")
            .with_header("x-ratelimit-reset", reset_ms.div_ceil(1_000).to_string()),
        SecondaryWait::Nothing => answer,
    }
}

/// The 403 fault: says the window is used up, and lies about its end as told.
fn with_room(reset: ResetHeader, slot: Slot, turn: &Turn<'_>) -> Answer {
    let shifted = reset.shift(slot.reset_ms);
    let mut answer = exceeded(turn);
    let told = Slot {
        remaining: 0,
        reset_ms: shifted.unwrap_or(slot.reset_ms),
        ..slot
    };
    answer.headers = headers(told, turn);
    if shifted.is_none() {
        // A header with no value is left out, and stops the true one from being added.
        for (_, value) in &mut answer.headers {
            value.clear();
        }
    }
    answer
}

fn headers(slot: Slot, turn: &Turn<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("x-ratelimit-limit", slot.limit.to_string()),
        ("x-ratelimit-remaining", slot.remaining.to_string()),
        ("x-ratelimit-reset", slot.reset_ms.div_ceil(1_000).to_string()),
        ("x-ratelimit-used", (slot.limit - slot.remaining).to_string()),
        ("x-ratelimit-resource", "core".to_owned()),
        ("x-github-api-version-selected", "2022-11-28".to_owned()),
        ("x-github-media-type", "github.v3; format=json".to_owned()),
        ("server", "github.com".to_owned()),
    ];
    if turn.config.github.window_ms < MINUTE_MS {
        headers.push(("x-ratelimit-reset-ms", slot.reset_ms.to_string()));
    }
    headers
}

/// Adds the answer's tag; a caller that has it already gets 304 and no body.
fn tagged(answer: Answer, known: Option<&str>) -> Answer {
    let mut tag = String::from("W/\"");
    for byte in Sha256::digest(answer.body.as_bytes()) {
        // Writing into a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    let same = |given: &str| given.trim().trim_start_matches("W/") == tag.trim_start_matches("W/");
    let matches = known.is_some_and(|known| known.split(',').any(same));
    let answer = answer.with_header("etag", tag);
    if !matches {
        return answer;
    }
    Answer {
        status: 304,
        body: String::new(),
        content: Content::Empty,
        rows: Vec::new(),
        ..answer
    }
}

/// The user the request is about, or where it went.
pub(super) fn find(state: &State, turn: &Turn<'_>) -> Result<u64, Answer> {
    let people = state.population(Platform::Github);
    if let Some(user) = turn.subject {
        // Flagged and deleted users are as if they had never been.
        return if people.is_hidden(user) {
            Err(errors::not_found())
        } else {
            Ok(user)
        };
    }
    let login = turn.ask.subject.text().unwrap_or_default();
    let moved = people
        .by_retired_handle(login)
        .filter(|_| turn.config.github.renamed == RenamedAnswer::Redirect);
    let Some(user) = moved else {
        return Err(errors::not_found());
    };
    let mut path = format!("/user/{}", people.public_id(user));
    if turn.ask.endpoint == Endpoint::Followers {
        path.push_str("/followers");
    }
    let query: Vec<String> = turn
        .ask
        .wire
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !query.is_empty() {
        path.push('?');
        path.push_str(&query.join("&"));
    }
    Err(errors::moved(&path))
}
