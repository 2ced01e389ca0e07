//! Who is signed in to X's web client, and who no longer is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    answer::{Ask, fingerprint},
    config::WebSessionSpec,
    error::WorldError,
    world::World,
};

/// A session as it is now; its cookies stay inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebSessionView {
    /// Who is signed in.
    pub handle: String,
    /// First 12 hex digits of the SHA-256 of its `auth_token`, as in the request log.
    pub token: String,
    /// Whether it still is one.
    pub live: bool,
    /// Requests refused because cookie, header and session did not agree on `ct0`.
    pub csrf_refusals: u64,
}

#[derive(Debug)]
struct Known {
    ct0: String,
    handle: String,
    live: bool,
    csrf_refusals: u64,
}

/// Every session that ever was, by `auth_token`.
#[derive(Debug, Default)]
pub(crate) struct WebSessions {
    known: BTreeMap<String, Known>,
}

impl WebSessions {
    pub(crate) fn new(specs: &[WebSessionSpec]) -> Self {
        let mut sessions = Self::default();
        for spec in specs {
            sessions.add(spec.clone());
        }
        sessions
    }

    fn add(&mut self, spec: WebSessionSpec) {
        let known = Known {
            ct0: spec.ct0,
            handle: spec.handle,
            live: true,
            csrf_refusals: 0,
        };
        self.known.insert(spec.auth_token, known);
    }

    fn live(&self, ask: &Ask) -> Option<&Known> {
        let known = self.known.get(ask.cookie("auth_token")?)?;
        known.live.then_some(known)
    }

    /// Who is signed in where the request comes from.
    pub(super) fn viewer(&self, ask: &Ask) -> Option<&str> {
        self.live(ask).map(|known| known.handle.as_str())
    }

    /// Whether a document may be shown: the browser has both cookies.
    pub(super) fn has_cookies(&self, ask: &Ask) -> bool {
        let known = self.live(ask);
        known.is_some_and(|known| ask.cookie("ct0") == Some(known.ct0.as_str()))
    }

    /// Whether cookie, header and session agree on `ct0`; counts it if not.
    pub(super) fn check_csrf(&mut self, ask: &Ask) -> bool {
        let token = ask.cookie("auth_token").unwrap_or_default();
        let Some(known) = self.known.get_mut(token) else {
            return false;
        };
        let own = Some(known.ct0.as_str());
        let agree = ask.cookie("ct0") == own && ask.wire.csrf.as_deref() == own;
        known.csrf_refusals += u64::from(!agree);
        agree
    }

    /// Ends the session the request comes with.
    pub(super) fn end(&mut self, ask: &Ask) {
        let token = ask.cookie("auth_token").unwrap_or_default();
        if let Some(known) = self.known.get_mut(token) {
            known.live = false;
        }
    }
}

impl World {
    /// Signs a browser in on X; a session of the same `auth_token` is replaced.
    pub fn sign_in_web(&self, session: WebSessionSpec) -> Result<(), WorldError> {
        session.check()?;
        self.lock().web.add(session);
        Ok(())
    }

    /// Ends every web session of this handle on X; returns how many lived.
    pub fn sign_out_web(&self, handle: &str) -> usize {
        let mut state = self.lock();
        let mut ended = 0;
        for known in state.web.known.values_mut() {
            if known.live && known.handle.eq_ignore_ascii_case(handle) {
                known.live = false;
                ended += 1;
            }
        }
        ended
    }

    /// Every web session there ever was on X, by `auth_token`.
    pub fn web_sessions(&self) -> Vec<WebSessionView> {
        let state = self.lock();
        let view = |(token, known): (&String, &Known)| WebSessionView {
            handle: known.handle.clone(),
            token: fingerprint(token),
            live: known.live,
            csrf_refusals: known.csrf_refusals,
        };
        state.web.known.iter().map(view).collect()
    }
}
