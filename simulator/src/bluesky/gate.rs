//! What stands before every XRPC route: an optional rate limit, and the faults of the gateway.

use crate::{
    answer::{Answer, Turn},
    faults::{FaultKind, ResetHeader},
    windows::{Slot, WindowKey},
    world::State,
};

use super::errors;

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

pub(super) fn admit(state: &mut State, turn: &Turn<'_>) -> Result<Pass, Answer> {
    let token = turn.ask.token_fingerprint();
    let principal = if token.is_some() { "token" } else { "anonymous" }.to_owned();
    let mut pass = Pass {
        principal,
        headers: Vec::new(),
    };
    let limit = turn.config.bluesky.rate_limit;
    let key = limit.map(|limit| WindowKey {
        principal: token.unwrap_or_default(),
        route: "bluesky",
        length_ms: limit.window_ms,
        aligned: false,
    });
    let window = limit.zip(key);
    if let Some(FaultKind::RateLimited { reset }) = turn.fault {
        let look = |(limit, key): &(crate::config::RateLimit, WindowKey)| {
            state.windows.look(key, limit.requests, turn.now_ms)
        };
        let slot = window.as_ref().map(look);
        pass.headers = refused_with_room(*reset, slot, turn);
        return Err(pass.stamp(errors::rate_limited()));
    }
    if let Some((limit, key)) = window {
        let looked = state.windows.look(&key, limit.requests, turn.now_ms);
        if looked.remaining == 0 {
            pass.headers = headers(looked, limit.window_ms);
            return Err(pass.stamp(errors::rate_limited()));
        }
        let counted = state.windows.take(&key, limit.requests, turn.now_ms);
        pass.headers = headers(counted, limit.window_ms);
    }
    match turn.fault {
        Some(FaultKind::Unauthorized) => Err(pass.stamp(errors::auth_required())),
        Some(fault) => match Answer::gateway_fault(fault, turn.ask.realm.platform) {
            Some(answer) => Err(pass.stamp(answer)),
            None => Ok(pass),
        },
        None => Ok(pass),
    }
}

fn headers(slot: Slot, window_ms: u64) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("ratelimit-limit", slot.limit.to_string()),
        ("ratelimit-remaining", slot.remaining.to_string()),
        ("ratelimit-reset", slot.reset_ms.div_ceil(1_000).to_string()),
        (
            "ratelimit-policy",
            format!("{};w={}", slot.limit, window_ms.div_ceil(1_000)),
        ),
    ];
    if window_ms < 60_000 {
        headers.push(("ratelimit-reset-ms", slot.reset_ms.to_string()));
    }
    headers
}

/// Where no limit is configured the fault speaks of the public service's 3000 in five minutes.
fn refused_with_room(reset: ResetHeader, slot: Option<Slot>, turn: &Turn<'_>) -> Vec<(&'static str, String)> {
    let public = Slot {
        limit: 3_000,
        remaining: 0,
        reset_ms: turn.now_ms + 300_000,
    };
    let slot = slot.unwrap_or(public);
    let reset_ms = match reset {
        ResetHeader::Absent => return Vec::new(),
        ResetHeader::True => slot.reset_ms,
        ResetHeader::Early(seconds) => slot.reset_ms.saturating_sub(u64::from(seconds) * 1_000),
        ResetHeader::Late(seconds) => slot.reset_ms + u64::from(seconds) * 1_000,
    };
    let window_ms = turn
        .config
        .bluesky
        .rate_limit
        .map_or(300_000, |limit| limit.window_ms);
    headers(
        Slot {
            remaining: 0,
            reset_ms,
            ..slot
        },
        window_ms,
    )
}
