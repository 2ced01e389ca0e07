//! What a platform was asked and what goes back, before either is HTTP.

use axum::{
    body::Body,
    extract::{FromRequestParts, Query},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    config::WorldConfig,
    faults::FaultKind,
    world::{Endpoint, Platform},
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
    pub(crate) path: String,
}

impl<S: Sync> FromRequestParts<S> for Wire {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let authorization = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        Ok(Self {
            query: query.map_err(IntoResponse::into_response)?.0,
            form: Vec::new(),
            authorization: authorization.map(str::to_owned),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// One request to a platform.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) platform: Platform,
    pub(crate) endpoint: Endpoint,
    pub(crate) subject: Subject,
    pub(crate) wire: Wire,
}

impl Ask {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.wire.query, name)
    }

    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        find(&self.wire.form, name)
    }

    /// The place in the list the request names, if any.
    pub(crate) fn cursor(&self) -> Option<&str> {
        match self.platform {
            Platform::X => self.query("pagination_token"),
            Platform::Bluesky => self.query("cursor"),
            Platform::Gitea => self.query("page"),
        }
    }

    /// The credentials after `scheme`, in any letter case.
    pub(crate) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.wire.authorization.as_deref()?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// A short hash by which the log tells tokens apart without holding them.
    pub(crate) fn token_fingerprint(&self) -> Option<String> {
        use std::fmt::Write as _;
        let token = self
            .wire
            .authorization
            .as_deref()
            .or_else(|| self.form("refresh_token"))?;
        let token = token.split_once(' ').map_or(token, |(_, rest)| rest.trim());
        let mut text = String::with_capacity(12);
        for byte in Sha256::digest(token.as_bytes()).iter().take(6) {
            let _ = write!(text, "{byte:02x}");
        }
        Some(text)
    }
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
    Html,
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
    pub(crate) delay_ms: u64,
    pub(crate) lost: bool,
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

    /// The gateway's own errors, which look alike on every platform; `None` for every other fault.
    pub(crate) fn gateway_fault(fault: &FaultKind) -> Option<Self> {
        let empty = |status| Self {
            content: Content::Empty,
            ..Self::json(status, "")
        };
        match fault {
            FaultKind::InternalErrorHtml => Some(Self {
                content: Content::Html,
                ..Self::json(
                    500,
                    "<!DOCTYPE html><html><head><title>500</title></head>\
                     <body><h1>Something went wrong</h1></body></html>",
                )
            }),
            FaultKind::BadGateway => Some(empty(502)),
            FaultKind::Unavailable {
                retry_after_seconds: None,
            } => Some(empty(503)),
            FaultKind::Unavailable {
                retry_after_seconds: Some(seconds),
            } => Some(empty(503).with_header("retry-after", seconds.to_string())),
            _ => None,
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
            FaultKind::ExtraLatency { milliseconds } => self.delay_ms += milliseconds,
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
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let content_type = match self.content {
            Content::Json => Some("application/json; charset=utf-8"),
            Content::Html => Some("text/html; charset=utf-8"),
            Content::Empty => None,
        };
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
