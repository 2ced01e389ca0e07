//! X's apps and tokens: app bearers, two-hour access tokens, refresh tokens that work once.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    config::XAppSpec,
    error::WorldError,
    world::{Platform, State, World},
};

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    App { app: String },
    User { app: String, user: u64 },
}

impl Principal {
    pub(crate) fn app(&self) -> &str {
        match self {
            Self::App { app } | Self::User { app, .. } => app,
        }
    }

    pub(crate) fn user(&self) -> Option<u64> {
        match self {
            Self::App { .. } => None,
            Self::User { user, .. } => Some(*user),
        }
    }
}

/// A fresh pair for one user of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenPair {
    /// Bearer of the API calls.
    pub access_token: String,
    /// Good for exactly one refresh.
    pub refresh_token: String,
    /// Seconds the access token lives.
    pub expires_in: u64,
}

#[derive(Debug, Clone)]
struct Access {
    app: String,
    user: u64,
    expires_ms: u64,
}

#[derive(Debug, Clone)]
struct Refresh {
    app: String,
    user: u64,
    spent: bool,
}

/// Why a refresh was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshError {
    NoClient,
    BadToken,
}

/// Every app and token.
#[derive(Debug)]
pub(crate) struct OAuth {
    apps: BTreeMap<String, XAppSpec>,
    bearers: BTreeMap<String, String>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
}

impl OAuth {
    pub(crate) fn new(apps: &[XAppSpec]) -> Self {
        let mut oauth = Self {
            apps: BTreeMap::new(),
            bearers: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
        };
        for app in apps {
            oauth.add_app(app.clone());
        }
        oauth
    }

    fn add_app(&mut self, app: XAppSpec) {
        self.bearers.insert(app.bearer.clone(), app.client_id.clone());
        self.apps.insert(app.client_id.clone(), app);
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&XAppSpec> {
        self.apps.get(client_id)
    }

    pub(crate) fn require_app(&self, client_id: &str) -> Result<&XAppSpec, WorldError> {
        self.app(client_id)
            .ok_or_else(|| WorldError::invalid("clientId", format!("no app {client_id:?}; create it first")))
    }

    /// Who this bearer token speaks for, if it is good now.
    pub(crate) fn authenticate(&self, token: &str, now_ms: u64) -> Option<Principal> {
        if let Some(app) = self.bearers.get(token) {
            return Some(Principal::App { app: app.clone() });
        }
        let access = self
            .access
            .get(token)
            .filter(|access| now_ms < access.expires_ms)?;
        Some(Principal::User {
            app: access.app.clone(),
            user: access.user,
        })
    }

    fn issue(&mut self, rng: &mut impl Rng, app: &str, user: u64, seconds: u64, now_ms: u64) -> TokenPair {
        let access_token = token_text(rng, now_ms, "at");
        let refresh_token = token_text(rng, now_ms, "rt");
        let expires_ms = now_ms.saturating_add(seconds.saturating_mul(1_000));
        self.access.insert(
            access_token.clone(),
            Access {
                app: app.to_owned(),
                user,
                expires_ms,
            },
        );
        self.refresh.insert(
            refresh_token.clone(),
            Refresh {
                app: app.to_owned(),
                user,
                spent: false,
            },
        );
        TokenPair {
            access_token,
            refresh_token,
            expires_in: seconds,
        }
    }
}

impl State {
    /// Exchanges a refresh token: the old one is spent from here on, whether or not the answer arrives.
    pub(crate) fn refresh(
        &mut self,
        client: &Client<'_>,
        token: &str,
        seconds: u64,
        now_ms: u64,
    ) -> Result<TokenPair, RefreshError> {
        let app = self
            .oauth
            .app(client.id)
            .filter(|app| match (&app.client_secret, client.secret) {
                (Some(secret), given) => given == Some(secret.as_str()),
                (None, _) => true,
            });
        let app = app.ok_or(RefreshError::NoClient)?.client_id.clone();
        let found = self.oauth.refresh.get_mut(token).ok_or(RefreshError::BadToken)?;
        if found.spent || found.app != app {
            return Err(RefreshError::BadToken);
        }
        found.spent = true;
        let user = found.user;
        Ok(self.oauth.issue(&mut self.rng, &app, user, seconds, now_ms))
    }
}

/// Who claims to refresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) id: &'a str,
    /// Present when it came by HTTP Basic.
    pub(crate) secret: Option<&'a str>,
}

fn token_text(rng: &mut impl Rng, now_ms: u64, kind: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!(
        "{:016x}{:016x}:{now_ms}:1:0:{kind}:1",
        rng.next_u64(),
        rng.next_u64()
    ))
}

impl World {
    /// Adds a developer app, or replaces the one with the same client id.
    pub fn create_x_app(&self, app: XAppSpec) -> Result<(), WorldError> {
        if app.client_id.is_empty() {
            return Err(WorldError::invalid("clientId", "it is empty; name the app"));
        }
        if app.bearer.is_empty() {
            return Err(WorldError::invalid("bearer", "it is empty; give the app a token"));
        }
        self.lock().oauth.add_app(app);
        Ok(())
    }

    /// Signs a user (handle or id) in with an app, as a finished OAuth 2 dance would have.
    pub fn issue_x_user_token(&self, client_id: &str, who: &str) -> Result<TokenPair, WorldError> {
        let now_ms = self.now_ms();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.oauth.require_app(client_id)?;
        let user = state.find(Platform::X, who)?;
        let seconds = self.config.x.access_token_seconds;
        Ok(state
            .oauth
            .issue(&mut state.rng, client_id, user, seconds, now_ms))
    }

    /// Makes an access token or app bearer invalid at once; says whether it was known.
    pub fn revoke_x_token(&self, token: &str) -> bool {
        let mut state = self.lock();
        let access = state.oauth.access.remove(token).is_some();
        state.oauth.bearers.remove(token).is_some() || access
    }
}
