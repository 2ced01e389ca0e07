//! What stands before every Mastodon route: throttles by the clock, tokens, and what became of the account.

use jiff::Timestamp;

use crate::{
    answer::{Answer, Turn},
    config::{RateLimit, SuspendedAnswer},
    faults::FaultKind,
    population::UserState,
    windows::{Slot, WindowKey},
    world::{State, timestamp},
};

use super::{errors, server};

/// A request that may go on.
pub(super) struct Pass {
    principal: String,
    headers: Vec<(&'static str, String)>,
}

impl Pass {
    pub(super) fn stamp(self, mut answer: Answer) -> Answer {
        answer.principal = self.principal;
        answer.headers.extend(self.headers);
        answer
    }
}

/// Lets the request through, or says what the server would say instead.
pub(super) fn admit(state: &mut State, turn: &Turn<'_>) -> Result<Pass, Answer> {
    let server = server(turn);
    let token = turn.ask.authorization("Bearer");
    let mut pass = Pass {
        principal: if token.is_some() { "token" } else { "anonymous" }.to_owned(),
        headers: Vec::new(),
    };
    let limits = limits(turn);
    let tightest = |slots: Vec<Slot>| slots.into_iter().min_by_key(|slot| slot.remaining);
    let looked = limits
        .iter()
        .map(|(limit, key)| state.windows.look(key, limit.requests, turn.now_ms))
        .collect();
    let looked = tightest(looked);
    if let Some(FaultKind::RateLimited { reset }) = turn.fault {
        let public = Slot {
            limit: 300,
            remaining: 0,
            reset_ms: turn.now_ms + 300_000,
        };
        let slot = looked.unwrap_or(public);
        if let Some(reset_ms) = reset.shift(slot.reset_ms) {
            pass.headers = headers(
                Slot {
                    remaining: 0,
                    reset_ms,
                    ..slot
                },
                turn,
            );
        }
        return Err(pass.stamp(errors::too_many_requests()));
    }
    if let Some(slot) = looked.filter(|slot| slot.remaining == 0) {
        pass.headers = headers(slot, turn);
        return Err(pass.stamp(errors::too_many_requests()));
    }
    let counted = limits
        .iter()
        .map(|(limit, key)| state.windows.take(key, limit.requests, turn.now_ms))
        .collect();
    if let Some(slot) = tightest(counted) {
        pass.headers = headers(slot, turn);
    }
    let refused = match turn.fault {
        Some(FaultKind::Unauthorized) => Some(errors::token_invalid()),
        Some(fault) => Answer::gateway_fault(fault, turn.ask.realm.platform),
        None => None,
    };
    let refused = refused.or_else(|| match token {
        None if server.require_token => Some(errors::user_needed()),
        Some(token) if !server.tokens.is_empty() && server.tokens.iter().all(|known| known != token) => {
            Some(errors::token_invalid())
        }
        _ => None,
    });
    match refused {
        Some(answer) => Err(pass.stamp(answer)),
        None => Ok(pass),
    }
}

/// The throttles this request counts in.
fn limits(turn: &Turn<'_>) -> Vec<(RateLimit, WindowKey)> {
    let server = server(turn);
    let key = |route, limit: RateLimit| {
        let key = WindowKey {
            principal: format!("{}/{}", server.host, turn.ask.caller()),
            route,
            length_ms: limit.window_ms,
            aligned: true,
        };
        (limit, key)
    };
    let paging = server.paging_limit.filter(|_| turn.ask.cursor().is_some());
    let all = server.rate_limit.map(|limit| key("mastodon", limit));
    all.into_iter()
        .chain(paging.map(|limit| key("mastodon/paging", limit)))
        .collect()
}

fn headers(slot: Slot, turn: &Turn<'_>) -> Vec<(&'static str, String)> {
    // The server adds whole seconds to the moment of the request: its fraction comes along.
    let fraction = if slot.reset_ms.is_multiple_of(1_000) {
        turn.now_ms % 1_000
    } else {
        0
    };
    let reset: Timestamp = timestamp(slot.reset_ms + fraction);
    vec![
        ("x-ratelimit-limit", slot.limit.to_string()),
        ("x-ratelimit-remaining", slot.remaining.to_string()),
        ("x-ratelimit-reset", format!("{reset:.6}")),
        ("cache-control", "private, no-store".to_owned()),
    ]
}

/// An account that can be looked at.
pub(super) enum Seen {
    Whole(u64),
    /// Emptied, with an empty list.
    Suspended(u64),
}

/// The account the request is about, or what the server says instead.
pub(super) fn find(state: &State, turn: &Turn<'_>) -> Result<Seen, Answer> {
    let people = state.population(turn.ask.realm);
    let user = turn.subject.ok_or_else(errors::not_found)?;
    if people.is_born_hidden(user) {
        return Err(errors::not_found());
    }
    match (people.state(user), server(turn).suspended) {
        (UserState::Active, _) => Ok(Seen::Whole(user)),
        (UserState::Deactivated, _) | (_, SuspendedAnswer::NotFound) => Err(errors::not_found()),
        (UserState::Suspended, SuspendedAnswer::Gone) => Err(errors::gone()),
        (UserState::Suspended, SuspendedAnswer::Entity) => Ok(Seen::Suspended(user)),
    }
}
