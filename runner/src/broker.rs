//! The broker as the runner sees it: one POST per verb, refusals typed, the same bytes again while it is away.

use std::sync::Arc;

use bytes::Bytes;
use followlytics_core::{
    scan::window::Told,
    wire::{NOW_HEADER, Refusal, TAB_HEADER, VERSION, VERSION_HEADER, WINDOW_HEADER},
};
use followlytics_platforms::{
    clock::Clock,
    http::{HttpService, send},
};
use http::{HeaderValue, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use crate::run::RunnerError;

/// First delay before the same bytes are sent again; doubles.
const FIRST_DELAY: SignedDuration = SignedDuration::from_millis(100);
/// Longest delay.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_secs(2);

/// The broker.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) http: HttpService,
    pub(crate) base_url: String,
    /// `Bearer TOKEN`, marked as sensitive.
    pub(crate) authorization: HeaderValue,
    pub(crate) clock: Arc<dyn Clock>,
    /// Which tab of the browser speaks; 0 = the sandbox itself.
    pub(crate) tab: u32,
}

/// A message to the broker, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    verb: &'static str,
    body: Bytes,
    media_type: &'static str,
    window: Option<HeaderValue>,
}

/// An answer, and when the request that brought it was sent, by the runner's clock: a time that the answer grants is
/// counted from there, so that its way back counts against it.
#[derive(Debug)]
pub(crate) struct Timed<T> {
    pub(crate) body: T,
    pub(crate) sent: Timestamp,
}

/// Why the broker did not answer as hoped.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The lease is lost.
    Fenced,
    /// It cannot write now, or cannot be reached; the same message may be sent again.
    Unavailable(String),
    /// Sending again would not help.
    Final(RunnerError),
}

impl Message {
    /// A message without a body.
    pub(crate) const fn empty(verb: &'static str) -> Self {
        Self {
            verb,
            body: Bytes::new(),
            media_type: "application/json",
            window: None,
        }
    }

    /// A message of the wire protocol.
    pub(crate) fn json(verb: &'static str, body: &impl Serialize) -> Result<Self, RunnerError> {
        let body = serde_json::to_vec(body).map_err(|source| RunnerError::Encode { verb, source })?;
        Ok(Self {
            body: body.into(),
            ..Self::empty(verb)
        })
    }

    /// A page object, and what the headers said of the window.
    pub(crate) fn page(object: Vec<u8>, told: Option<Told>) -> Self {
        let window = told.and_then(|told| serde_json::to_string(&told).ok());
        let window = window.and_then(|text| HeaderValue::try_from(text).ok());
        Self {
            body: object.into(),
            media_type: "application/octet-stream",
            window,
            ..Self::empty("pages")
        }
    }
}

impl Broker {
    pub(crate) fn new(
        http: HttpService,
        base_url: &str,
        token: &SecretString,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RunnerError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| RunnerError::UnusableToken)?;
        authorization.set_sensitive(true);
        Ok(Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
            authorization,
            clock,
            tab: 0,
        })
    }

    /// Sends a message until it is answered, or until the deadline has passed, if there is one by then. Every message
    /// may be sent twice: the broker answers the second time as the first.
    pub(crate) async fn insist<T: DeserializeOwned>(
        &self,
        message: &Message,
        deadline: impl Fn() -> Option<Timestamp>,
    ) -> Result<Timed<T>, Trouble> {
        let mut delay = FIRST_DELAY;
        loop {
            let sent = self.clock.now();
            let trouble = match self.post(message).await {
                Err(Trouble::Unavailable(words)) => words,
                Ok(body) => return Ok(Timed { body, sent }),
                Err(trouble) => return Err(trouble),
            };
            let again = self.clock.now().saturating_add(delay).unwrap_or(Timestamp::MAX);
            if deadline().is_some_and(|deadline| again > deadline) {
                tracing::warn!(
                    verb = message.verb,
                    error = trouble,
                    "the broker stayed away for too long"
                );
                return Err(Trouble::Unavailable(trouble));
            }
            tracing::info!(
                verb = message.verb,
                error = trouble,
                "the broker is away; sending again"
            );
            self.clock.sleep(delay).await;
            delay = delay.saturating_mul(2).min(LONGEST_DELAY);
        }
    }

    /// Sends a message once.
    pub(crate) async fn post<T: DeserializeOwned>(&self, message: &Message) -> Result<T, Trouble> {
        let body = self.exchange(message).await?;
        // 204 stands for nothing, which is `null`.
        let body = if body.is_empty() { &b"null"[..] } else { &body };
        serde_json::from_slice(body).map_err(|source| {
            Trouble::Final(RunnerError::Answer {
                verb: message.verb,
                source,
            })
        })
    }

    async fn exchange(&self, message: &Message) -> Result<Bytes, Trouble> {
        let verb = message.verb;
        let mut request = Request::post(format!("{}/broker/v1/{verb}", self.base_url))
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(VERSION_HEADER, VERSION)
            .header(NOW_HEADER, self.clock.now().as_millisecond())
            .header(header::CONTENT_TYPE, HeaderValue::from_static(message.media_type));
        if let Some(window) = &message.window {
            request = request.header(WINDOW_HEADER, window.clone());
        }
        if self.tab > 0 {
            request = request.header(TAB_HEADER, self.tab);
        }
        let request = request.body(message.body.clone());
        let request = request.map_err(|_| Trouble::Final(RunnerError::BrokerUrl))?;
        let answer = send(&self.http, request)
            .await
            .map_err(|error| Trouble::Unavailable(error.to_string()))?;
        if answer.status().is_success() {
            Ok(answer.into_body())
        } else {
            Err(trouble(verb, answer.status(), answer.body()))
        }
    }
}

/// What a refusal means. The body is the broker's own word; without one the status decides.
fn trouble(verb: &'static str, status: StatusCode, body: &[u8]) -> Trouble {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal::Fenced) => Trouble::Fenced,
        Ok(Refusal::Unknown) => Trouble::Final(RunnerError::Unknown),
        Ok(Refusal::Version { broker, .. }) => Trouble::Final(RunnerError::Version { broker }),
        Ok(Refusal::Unavailable { detail }) => Trouble::Unavailable(detail),
        Ok(Refusal::Invalid { detail }) => Trouble::Final(RunnerError::Refused { verb, detail }),
        Err(_) => match status.as_u16() {
            401 => Trouble::Final(RunnerError::Unknown),
            409 => Trouble::Fenced,
            408 | 429 | 500..=599 => Trouble::Unavailable(format!("it answered with {}", status.as_u16())),
            status => Trouble::Final(RunnerError::Refused {
                verb,
                detail: format!("it answered with {status}"),
            }),
        },
    }
}
