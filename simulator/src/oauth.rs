//! X's apps and tokens: app bearers, two-hour access tokens, refresh tokens that work once.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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

/// A sign-in that waits to be exchanged.
#[derive(Debug, Clone)]
struct Code {
    app: String,
    user: u64,
    redirect_uri: String,
    /// What the verifier must come to; plain, or the hash of it.
    challenge: String,
    hashed: bool,
    scope: String,
    expires_ms: u64,
}

/// What a browser brings to the sign-in page.
#[derive(Debug)]
pub(crate) struct SignIn<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) challenge: &'a str,
    pub(crate) hashed: bool,
    pub(crate) scope: &'a str,
}

/// What a client brings to exchange a code.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

/// How long a code lives.
const CODE_MS: u64 = 30_000;

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
    scope: String,
    spent: bool,
}

/// What a sign-in without a browser is good for.
const EVERY_SCOPE: &str = "tweet.read users.read follows.read offline.access";

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
    codes: BTreeMap<String, Code>,
}

impl OAuth {
    pub(crate) fn new(apps: &[XAppSpec]) -> Self {
        let mut oauth = Self {
            apps: BTreeMap::new(),
            bearers: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            codes: BTreeMap::new(),
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

    fn issue(
        &mut self,
        rng: &mut impl Rng,
        (app, user, scope): (&str, u64, &str),
        seconds: u64,
        now_ms: u64,
    ) -> TokenPair {
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
                scope: scope.to_owned(),
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

impl OAuth {
    /// The app a client proves to be: one with a secret by HTTP Basic, one without by its id.
    fn prove(&self, client: &Client<'_>) -> Option<&XAppSpec> {
        self.app(client.id)
            .filter(|app| match (&app.client_secret, client.secret) {
                (Some(secret), given) => given == Some(secret.as_str()),
                (None, _) => true,
            })
    }

    /// Whether there is such a code, spent ones excepted.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.codes.contains_key(code)
    }

    /// The bearer of an app that has a secret and knows it.
    pub(crate) fn bearer(&self, client: &Client<'_>) -> Option<&str> {
        let app = self.prove(client).filter(|app| app.client_secret.is_some())?;
        self.bearers
            .contains_key(&app.bearer)
            .then_some(app.bearer.as_str())
    }

    /// Makes a token of either kind invalid; says whether it was known.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        let known = self.access.remove(token).is_some() | self.refresh.remove(token).is_some();
        self.bearers.remove(token).is_some() || known
    }
}

impl State {
    /// Signs a user in: a code to be exchanged within half a minute.
    pub(crate) fn sign_in(&mut self, sign_in: &SignIn<'_>, user: u64, now_ms: u64) -> String {
        let text = token_text(&mut self.rng, now_ms, "ac");
        let code = Code {
            app: sign_in.client_id.to_owned(),
            user,
            redirect_uri: sign_in.redirect_uri.to_owned(),
            challenge: sign_in.challenge.to_owned(),
            hashed: sign_in.hashed,
            scope: sign_in.scope.to_owned(),
            expires_ms: now_ms + CODE_MS,
        };
        self.oauth.codes.insert(text.clone(), code);
        text
    }

    /// Exchanges a code, which is spent from here on; returns the pair and its scope.
    pub(crate) fn exchange(
        &mut self,
        client: &Client<'_>,
        exchange: &Exchange<'_>,
        seconds: u64,
        now_ms: u64,
    ) -> Result<(TokenPair, String), RefreshError> {
        let app = self
            .oauth
            .prove(client)
            .ok_or(RefreshError::NoClient)?
            .client_id
            .clone();
        let code = self
            .oauth
            .codes
            .remove(exchange.code)
            .ok_or(RefreshError::BadToken)?;
        let proof = if code.hashed {
            URL_SAFE_NO_PAD.encode(Sha256::digest(exchange.verifier.as_bytes()))
        } else {
            exchange.verifier.to_owned()
        };
        let good = code.app == app
            && code.redirect_uri == exchange.redirect_uri
            && code.challenge == proof
            && now_ms < code.expires_ms;
        if !good {
            return Err(RefreshError::BadToken);
        }
        let holder = (app.as_str(), code.user, code.scope.as_str());
        let pair = self.oauth.issue(&mut self.rng, holder, seconds, now_ms);
        Ok((pair, code.scope))
    }

    /// Exchanges a refresh token: the old one is spent from here on, whether or not the answer arrives.
    pub(crate) fn refresh(
        &mut self,
        client: &Client<'_>,
        token: &str,
        seconds: u64,
        now_ms: u64,
    ) -> Result<(TokenPair, String), RefreshError> {
        let app = self
            .oauth
            .prove(client)
            .ok_or(RefreshError::NoClient)?
            .client_id
            .clone();
        let found = self.oauth.refresh.get_mut(token).ok_or(RefreshError::BadToken)?;
        if found.spent || found.app != app {
            return Err(RefreshError::BadToken);
        }
        found.spent = true;
        let (user, scope) = (found.user, found.scope.clone());
        let holder = (app.as_str(), user, scope.as_str());
        let pair = self.oauth.issue(&mut self.rng, holder, seconds, now_ms);
        Ok((pair, scope))
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
        let (_, user) = state.find(Platform::X, who)?;
        let seconds = self.config.x.access_token_seconds;
        let holder = (client_id, user, EVERY_SCOPE);
        Ok(state.oauth.issue(&mut state.rng, holder, seconds, now_ms))
    }

    /// Makes an access token, refresh token or app bearer invalid at once; says whether it was known.
    pub fn revoke_x_token(&self, token: &str) -> bool {
        self.lock().oauth.revoke(token)
    }
}
