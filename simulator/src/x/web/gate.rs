//! What stands before GraphQL: the session, its cookies and headers, the query id, the window.

use crate::{
    answer::{Answer, Turn},
    faults::FaultKind,
    windows::WindowKey,
    world::{Platform, State},
    x::gate::{Applied, headers, headers_of_refusal},
};

use super::{PUBLIC_BEARER, errors, features};

/// A query of the web client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Followers,
    UserByScreenName,
}

/// A request that may go on.
pub(super) struct Pass {
    label: String,
    /// The signed-in user, if it is one of this world.
    pub(super) viewer: Option<u64>,
    headers: Vec<(&'static str, String)>,
}

impl Pass {
    /// Puts the window's headers on whatever the query answers.
    pub(super) fn stamp(self, mut answer: Answer) -> Answer {
        answer.principal = self.label;
        answer.headers.extend(self.headers);
        answer.with_header("cache-control", "no-cache, no-store, must-revalidate")
    }
}

/// The name of a signed-in account in logs.
pub(super) fn label(handle: &str) -> String {
    format!("web:{handle}")
}

/// Lets the request through, or says what the platform would say instead.
pub(super) fn admit(state: &mut State, turn: &Turn<'_>, operation: Operation) -> Result<Pass, Answer> {
    if turn.has_fault(&FaultKind::BlockedHtml) {
        return Err(gateway(turn).unwrap_or_else(errors::forbidden));
    }
    let handle = session(state, turn, operation)?;
    let named = |answer: Answer| Answer {
        principal: label(&handle),
        ..answer
    };
    // Only what the page itself would send goes on to be counted.
    well_formed(state, turn, operation).map_err(named)?;
    let window = window(turn, operation, &handle);
    let looked = state.windows.look(&window.key, window.limit, turn.now_ms);
    let pass = |headers| Pass {
        label: label(&handle),
        viewer: state.population(Platform::X).by_handle(&handle),
        headers,
    };
    let windows = [window];
    match turn.fault {
        Some(FaultKind::RateLimited { reset }) => {
            let headers = headers_of_refusal(*reset, &windows, &[looked]);
            return Err(pass(headers).stamp(errors::rate_limited()));
        }
        Some(FaultKind::SoftBan) => {
            return Err(pass(headers(&windows, &[looked])).stamp(errors::rate_limited()));
        }
        _ if looked.remaining == 0 => {
            return Err(pass(headers(&windows, &[looked])).stamp(errors::rate_limited()));
        }
        _ => {}
    }
    let mut pass = pass(Vec::new());
    let [window] = &windows;
    let counted = state.windows.take(&window.key, window.limit, turn.now_ms);
    pass.headers = headers(&windows, &[counted]);
    match refusal(turn) {
        Some(answer) => Err(pass.stamp(answer)),
        None => Ok(pass),
    }
}

/// Whose session it is.
fn session(state: &mut State, turn: &Turn<'_>, operation: Operation) -> Result<String, Answer> {
    let ask = turn.ask;
    if ask.authorization("Bearer") != Some(PUBLIC_BEARER) {
        return Err(errors::signed_out());
    }
    if ask.cookie("auth_token").is_none() && operation == Operation::Followers {
        return Err(errors::not_authorized());
    }
    let handle = state.web.viewer(ask).map(str::to_owned);
    let handle = handle.ok_or_else(errors::signed_out)?;
    let refused = match turn.fault {
        Some(FaultKind::LoggedOut) => {
            state.web.end(ask);
            Some(errors::signed_out())
        }
        Some(FaultKind::Unauthorized) => Some(errors::signed_out()),
        Some(FaultKind::Forbidden) => Some(errors::forbidden()),
        Some(FaultKind::CsrfMismatch) => Some(errors::csrf_mismatch()),
        _ => None,
    };
    match refused {
        Some(answer) => Err(Answer {
            principal: label(&handle),
            ..answer
        }),
        None => Ok(handle),
    }
}

fn well_formed(state: &mut State, turn: &Turn<'_>, operation: Operation) -> Result<(), Answer> {
    let web = &turn.config.x.web;
    if !state.web.check_csrf(turn.ask) {
        return Err(errors::csrf_mismatch());
    }
    let query_id = match operation {
        Operation::Followers => &web.query_id,
        Operation::UserByScreenName => &web.user_query_id,
    };
    let asked = turn.ask.wire.path.split('/').nth(4);
    let has_transaction = turn
        .ask
        .wire
        .transaction
        .as_deref()
        .is_some_and(|id| !id.is_empty());
    if turn.has_fault(&FaultKind::StaleQueryId) || asked != Some(query_id.as_str()) || !has_transaction {
        return Err(errors::no_such_query());
    }
    Ok(())
}

fn window(turn: &Turn<'_>, operation: Operation, handle: &str) -> Applied {
    let limits = &turn.config.x.web.limits;
    let (route, limit) = match operation {
        Operation::Followers => ("x/web/Followers", limits.followers),
        Operation::UserByScreenName => ("x/web/UserByScreenName", limits.user_by_screen_name),
    };
    let key = WindowKey {
        // Whoever opens a second session of one account has no second window.
        principal: label(&handle.to_ascii_lowercase()),
        route,
        length_ms: limits.window_ms,
        aligned: false,
    };
    Applied::short(key, limit)
}

fn gateway(turn: &Turn<'_>) -> Option<Answer> {
    let fault = turn.fault?;
    Answer::gateway_fault(fault, turn.ask.realm.platform)
}

/// What comes after the window has counted the request.
fn refusal(turn: &Turn<'_>) -> Option<Answer> {
    match turn.fault {
        Some(FaultKind::SessionLocked) => return Some(errors::locked()),
        Some(FaultKind::NotAuthorized) => return Some(errors::not_authorized()),
        Some(FaultKind::LoadShed) => return Some(errors::load_shed()),
        Some(FaultKind::ClientOutdated) => {
            return Some(errors::features_missing(&["responsive_web_example_enabled"]));
        }
        _ => {}
    }
    if let Some(answer) = gateway(turn) {
        return Some(answer);
    }
    let missing = features::missing(turn.ask.query("features").unwrap_or_default());
    (!missing.is_empty()).then(|| errors::features_missing(&missing))
}
