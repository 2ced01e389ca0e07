//! What stands before every X route: who asks, whether the window has room, whether there is money.

use crate::{
    answer::{Answer, Turn},
    credits::Standing,
    faults::{FaultKind, ResetHeader},
    oauth::Principal,
    windows::{Slot, WindowKey},
    world::State,
};

use super::errors;

/// Of the specification this server keeps to.
const API_VERSION: &str = "2.167";
/// Below this a reset in whole seconds is too coarse to wait for.
const COARSE_WINDOW_MS: u64 = 60_000;

/// A route as its limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Followers,
    ByUsername,
    ById,
    ByUsernames,
    ByIds,
    Me,
}

impl Route {
    fn name(self) -> &'static str {
        match self {
            Self::Followers => "x/users/:id/followers",
            Self::ByUsername => "x/users/by/username/:username",
            Self::ById => "x/users/:id",
            Self::ByUsernames => "x/users/by",
            Self::ByIds => "x/users",
            Self::Me => "x/users/me",
        }
    }
}

/// A request that may go on.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) principal: Principal,
    label: String,
    headers: Vec<(&'static str, String)>,
}

impl Pass {
    /// Puts the window's headers on whatever the route answers.
    pub(super) fn stamp(self, mut answer: Answer) -> Answer {
        answer.principal = self.label;
        answer.headers.push(("api-version", API_VERSION.to_owned()));
        // An answer's own header wins: a usage cap shows its own limit.
        for (name, value) in self.headers {
            if answer.headers.iter().all(|(known, _)| *known != name) {
                answer.headers.push((name, value));
            }
        }
        answer
    }
}

/// Lets the request through, or says what the platform would say instead.
pub(super) fn admit(state: &mut State, turn: &Turn<'_>, route: Route) -> Result<Pass, Answer> {
    let token = turn.ask.authorization("Bearer");
    let principal = token.and_then(|token| state.oauth.authenticate(token, turn.now_ms));
    let Some(principal) = principal else {
        return Err(errors::unauthorized());
    };
    let label = label(state, &principal);
    let named = |answer: Answer| Answer {
        principal: label.clone(),
        ..answer
    };
    if turn.has_fault(&FaultKind::Unauthorized) {
        return Err(named(errors::unauthorized()));
    }
    if route == Route::Me && principal.user().is_none() {
        return Err(named(errors::user_context_needed()));
    }
    let windows = windows_of(turn, route, &principal, &label);
    let looked: Vec<Slot> = windows
        .iter()
        .map(|window| state.windows.look(&window.key, window.limit, turn.now_ms))
        .collect();
    if let Some(FaultKind::RateLimited { reset }) = turn.fault {
        let mut answer = errors::too_many_requests();
        answer.headers = headers_of_refusal(*reset, &windows, &looked);
        return Err(named(answer));
    }
    if looked.iter().any(|slot| slot.remaining == 0) {
        let pass = Pass {
            principal,
            label,
            headers: headers(&windows, &looked),
        };
        return Err(pass.stamp(errors::too_many_requests()));
    }
    let counted: Vec<Slot> = windows
        .iter()
        .map(|window| state.windows.take(&window.key, window.limit, turn.now_ms))
        .collect();
    let pass = Pass {
        principal,
        label,
        headers: headers(&windows, &counted),
    };
    match refusal(state, turn, pass.principal.app()) {
        Some(answer) => Err(pass.stamp(answer)),
        None => Ok(pass),
    }
}

/// Faults of the gateway, then money: both come after the window has counted the request.
fn refusal(state: &mut State, turn: &Turn<'_>, app: &str) -> Option<Answer> {
    match turn.fault {
        Some(FaultKind::CreditsDepleted) => return Some(errors::credits_depleted()),
        Some(FaultKind::UsageCapExceeded) => return Some(errors::usage_capped()),
        Some(fault) => {
            if let Some(answer) = Answer::gateway_fault(fault, turn.ask.realm.platform) {
                return Some(answer);
            }
        }
        None => {}
    }
    match state.credits.standing(app) {
        Standing::Good => None,
        Standing::Depleted => Some(errors::credits_depleted()),
        Standing::Capped => Some(errors::usage_capped()),
    }
}

fn label(state: &State, principal: &Principal) -> String {
    match principal {
        Principal::App { app } => format!("app:{app}"),
        Principal::User { app, user } => {
            let handle = state.population(crate::world::Platform::X).handle(*user);
            format!("user:{app}/{handle}")
        }
    }
}

/// A window that applies to this request, with its headers' names.
pub(super) struct Applied {
    pub(super) key: WindowKey,
    pub(super) limit: u32,
    names: [&'static str; 3],
    fine: bool,
}

impl Applied {
    /// A short window, which speaks in `x-rate-limit-*`.
    pub(super) fn short(key: WindowKey, limit: u32) -> Self {
        Self {
            fine: key.length_ms < COARSE_WINDOW_MS,
            key,
            limit,
            names: [
                "x-rate-limit-limit",
                "x-rate-limit-remaining",
                "x-rate-limit-reset",
            ],
        }
    }
}

fn windows_of(turn: &Turn<'_>, route: Route, principal: &Principal, label: &str) -> Vec<Applied> {
    let limits = &turn.config.x.limits;
    let is_app = principal.user().is_none();
    let short = match (route, is_app) {
        (Route::Followers, true) => limits.followers_app,
        (Route::Followers, false) => limits.followers_user,
        (Route::Me, _) => limits.me_user,
        (_, true) => limits.lookup_app,
        (_, false) => limits.lookup_user,
    };
    // A handle may change, the window may not: user windows are keyed by number.
    let holder = match principal.user() {
        None => label.to_owned(),
        Some(user) => format!("user:{}/{user}", principal.app()),
    };
    let key = |length_ms| WindowKey {
        principal: holder.clone(),
        route: route.name(),
        length_ms,
        aligned: false,
    };
    let mut applied = vec![Applied::short(key(limits.window_ms), short)];
    let day = if is_app {
        limits.followers_app_day
    } else {
        limits.followers_user_day
    };
    if let (Some(limit), Route::Followers) = (day, route) {
        let names = if is_app {
            [
                "x-app-limit-24hour-limit",
                "x-app-limit-24hour-remaining",
                "x-app-limit-24hour-reset",
            ]
        } else {
            [
                "x-user-limit-24hour-limit",
                "x-user-limit-24hour-remaining",
                "x-user-limit-24hour-reset",
            ]
        };
        applied.push(Applied {
            key: key(limits.day_window_ms),
            limit,
            names,
            fine: false,
        });
    }
    applied
}

pub(super) fn headers(windows: &[Applied], slots: &[Slot]) -> Vec<(&'static str, String)> {
    let mut headers = Vec::with_capacity(4);
    for (window, slot) in windows.iter().zip(slots) {
        let [limit, remaining, reset] = window.names;
        headers.push((limit, slot.limit.to_string()));
        headers.push((remaining, slot.remaining.to_string()));
        // Rounded up, so that whoever waits for it does not come early.
        headers.push((reset, slot.reset_ms.div_ceil(1_000).to_string()));
        if window.fine {
            headers.push(("x-rate-limit-reset-ms", slot.reset_ms.to_string()));
        }
    }
    headers
}

/// The 429 fault's headers: the window is used up, and they lie about its end as told.
pub(super) fn headers_of_refusal(
    reset: ResetHeader,
    windows: &[Applied],
    looked: &[Slot],
) -> Vec<(&'static str, String)> {
    let used_up = |slot: &Slot| {
        reset.shift(slot.reset_ms).map(|reset_ms| Slot {
            remaining: 0,
            reset_ms,
            ..*slot
        })
    };
    let shifted: Option<Vec<Slot>> = looked.iter().map(used_up).collect();
    shifted.map(|slots| headers(windows, &slots)).unwrap_or_default()
}
