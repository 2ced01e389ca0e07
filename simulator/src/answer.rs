//! What a platform was asked and what goes back, before either is HTTP.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{FromRequestParts, Query},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use sha2::{Digest as _, Sha256};

use crate::{
    config::{MastodonServer, WorldConfig},
    faults::FaultKind,
    mishap::Mishap,
    world::{Endpoint, Platform, Realm, timestamp},
};

/// Marks a response that must never arrive: [`crate::serve`] closes the connection instead of sending it. Who calls
/// the router in process must treat a response that carries it (502, empty) as a broken connection.
pub const DROP_HEADER: &str = "x-simulator-drop";

/// Whom a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Handle(String),
    Id(String),
    Nobody,
}

impl Subject {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Handle(text) | Self::Id(text) => Some(text),
            Self::Nobody => None,
        }
    }
}

/// The parts of a request every route reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    pub(crate) query: Vec<(String, String)>,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) cookie: Option<String>,
    /// `x-csrf-token`.
    pub(crate) csrf: Option<String>,
    /// `x-client-transaction-id`.
    pub(crate) transaction: Option<String>,
    /// The server's name as the caller wrote it, without a port.
    pub(crate) host: Option<String>,
    /// Where the caller is: what a platform counts callers without a token by.
    pub(crate) address: String,
    pub(crate) path: String,
}

/// The address a connection came from; absent in process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Wire {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let owned = |name: &str| text(name).map(str::to_owned);
        // A proxy says for whom it asks; in process everybody is one caller.
        let forwarded = text("x-forwarded-for").and_then(|list| list.split(',').next());
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.to_string());
        let address = forwarded.map(|first| first.trim().to_owned()).or(peer);
        let host = text("host").or(parts.uri.host());
        Ok(Self {
            query: query.map_err(IntoResponse::into_response)?.0,
            form: Vec::new(),
            authorization: owned("authorization"),
            user_agent: owned("user-agent"),
            if_none_match: owned("if-none-match"),
            cookie: owned("cookie"),
            csrf: owned("x-csrf-token"),
            transaction: owned("x-client-transaction-id"),
            host: host.map(|host| without_port(host).to_owned()),
            address: address.unwrap_or_else(|| "127.0.0.1".to_owned()),
            path: parts.uri.path().to_owned(),
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// One request to a platform.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) realm: Realm,
    pub(crate) endpoint: Endpoint,
    pub(crate) subject: Subject,
    pub(crate) wire: Wire,
}

impl Ask {
    pub(crate) fn new(realm: impl Into<Realm>, endpoint: Endpoint, subject: Subject, wire: Wire) -> Self {
        Self {
            realm: realm.into(),
            endpoint,
            subject,
            wire,
        }
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.wire.query, name)
    }

    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        find(&self.wire.form, name)
    }

    /// The place in the list the request names, if any.
    pub(crate) fn cursor(&self) -> Option<&str> {
        match self.realm.platform {
            // The web client's is inside its `variables`, which its route has taken apart.
            Platform::X => self.query("pagination_token").or_else(|| self.form("cursor")),
            Platform::Bluesky => self.query("cursor"),
            Platform::Gitea | Platform::Github => self.query("page"),
            Platform::Mastodon => ["max_id", "min_id", "since_id"]
                .into_iter()
                .find_map(|name| self.query(name)),
        }
    }

    /// A cookie of the web client.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.wire.cookie.as_deref()?.split(';');
        let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
        named.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The credentials after `scheme`, in any letter case.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.wire.authorization.as_deref()?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// Who is counted where limits are per token, else per address.
    pub(crate) fn caller(&self) -> String {
        self.token_fingerprint()
            .unwrap_or_else(|| self.wire.address.clone())
    }

    /// A short hash by which the log tells tokens apart without holding them.
    pub(crate) fn token_fingerprint(&self) -> Option<String> {
        // The web client's bearer is the same for everybody: its session tells callers apart.
        let token = self
            .cookie("auth_token")
            .or(self.wire.authorization.as_deref())
            .or_else(|| self.form("refresh_token"))?;
        let token = token.split_once(' ').map_or(token, |(_, rest)| rest.trim());
        Some(fingerprint(token))
    }
}

/// First 12 hex digits of the SHA-256 of a secret.
pub(crate) fn fingerprint(secret: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(12);
    for byte in Sha256::digest(secret.as_bytes()).iter().take(6) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// What a platform knows while it answers.
pub(crate) struct Turn<'a> {
    pub(crate) config: &'a WorldConfig,
    pub(crate) now: Timestamp,
    pub(crate) now_ms: u64,
    pub(crate) ask: &'a Ask,
    /// The user the request is about, if it resolved.
    pub(crate) subject: Option<u64>,
    pub(crate) fault: Option<&'a FaultKind>,
    /// The settings of a Mastodon server that has none.
    pub(crate) fallback: &'a MastodonServer,
}

impl Turn<'_> {
    pub(crate) fn has_fault(&self, kind: &FaultKind) -> bool {
        self.fault == Some(kind)
    }
}

/// What a body is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Content {
    #[default]
    Empty,
    Json,
    Text,
    Html,
    Script,
}

/// What goes back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
    pub(crate) body: String,
    /// Users served, for the log.
    pub(crate) rows: Vec<u64>,
    pub(crate) charged_nano_usd: i64,
    pub(crate) principal: String,
    pub(crate) delay_ms: u32,
    pub(crate) lost: bool,
    /// What becomes of it on its way; few answers need it.
    pub(crate) mishap: Option<Box<Mishap>>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
            content: Content::Json,
            principal: "anonymous".to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn meet(&mut self, mishap: Mishap) {
        self.mishap = Some(Box::new(mishap));
    }

    /// Delays the answer further.
    pub(crate) fn wait(&mut self, milliseconds: u64) {
        let more = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        self.delay_ms = self.delay_ms.saturating_add(more);
    }

    /// Whether not all of it arrives.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost || self.mishap.as_ref().is_some_and(|mishap| mishap.cut)
    }

    /// Puts the platform's own time on it.
    pub(crate) fn date(&mut self, now_ms: u64) {
        let skew_ms = self.mishap.as_ref().map_or(0, |mishap| mishap.date_skew_ms);
        let date = timestamp(now_ms.saturating_add_signed(skew_ms));
        if let Ok(text) = DateTimePrinter::new().timestamp_to_rfc9110_string(&date) {
            self.headers.push(("date", text));
        }
    }

    /// Faults that befall a finished answer on its way out: the request was processed and charged.
    pub(crate) fn suffer(&mut self, fault: &FaultKind) {
        match fault {
            FaultKind::TruncatedBody => {
                let half = self.body.len() / 2;
                let cut = (0..=half)
                    .rev()
                    .find(|at| self.body.is_char_boundary(*at))
                    .unwrap_or(0);
                self.body.truncate(cut);
            }
            FaultKind::ExtraLatency { milliseconds } => self.wait(*milliseconds),
            FaultKind::EmptyBody => self.body.clear(),
            FaultKind::WrongContentType => self.content = Content::Html,
            FaultKind::ClockSkew { seconds } => {
                self.meet(Mishap {
                    date_skew_ms: seconds.saturating_mul(1_000),
                    ..Mishap::default()
                });
            }
            FaultKind::SlowBody { bytes_per_second } => self.meet(Mishap {
                bytes_per_second: Some(*bytes_per_second),
                ..Mishap::default()
            }),
            FaultKind::BodyLost => self.meet(Mishap {
                cut: true,
                ..Mishap::default()
            }),
            FaultKind::Hang { milliseconds } => {
                self.wait(*milliseconds);
                self.lost = true;
            }
            FaultKind::ResponseLost => self.lost = true,
            _ => {}
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        if self.lost {
            let marker = [(DROP_HEADER, HeaderValue::from_static("1"))];
            return (StatusCode::BAD_GATEWAY, marker).into_response();
        }
        let length = self.body.len();
        let streamed = self.mishap.as_ref().is_some_and(|mishap| mishap.is_streamed());
        let body = match self.mishap {
            Some(mishap) => mishap.body(self.body),
            None => Body::from(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let content_type = match self.content {
            Content::Json => Some("application/json; charset=utf-8"),
            Content::Text => Some("text/plain; charset=utf-8"),
            Content::Html => Some("text/html; charset=utf-8"),
            Content::Script => Some("text/javascript; charset=utf-8"),
            Content::Empty => None,
        };
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if streamed {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in self.headers {
            if value.is_empty() {
                continue;
            }
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
