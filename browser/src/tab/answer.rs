//! An answer on its way to the page: read whole, then handed on unchanged.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chromiumoxide::cdp::browser_protocol::{
    fetch::{
        ContinueRequestParams, ContinueResponseParams, EventRequestPaused, GetResponseBodyParams, HeaderEntry,
    },
    network::ErrorReason,
};
use followlytics_core::retry::{Class, Failure};
use followlytics_platforms::answer::Answer;
use http::{HeaderName, HeaderValue, Response};
use jiff::Timestamp;

use super::{Tab, Trouble};
use crate::error::{BrowserError, failure};

/// What the names of X's rate-limit headers begin with.
const LIMITS: &[&str] = &["x-rate-limit"];

/// Whether the event is an answer, or the failure to get one.
pub(super) const fn is_answer(event: &EventRequestPaused) -> bool {
    event.response_status_code.is_some() || event.response_error_reason.is_some()
}

/// Status and headers of an answer whose body nobody reads.
pub(super) fn head(event: &EventRequestPaused, now: Timestamp) -> Answer {
    answer(event, Bytes::new(), now)
}

fn answer(event: &EventRequestPaused, body: Bytes, now: Timestamp) -> Answer {
    let status = event
        .response_status_code
        .and_then(|status| u16::try_from(status).ok());
    let mut response = Response::new(body);
    if let Some(status) = status.and_then(|status| http::StatusCode::from_u16(status).ok()) {
        *response.status_mut() = status;
    }
    for HeaderEntry { name, value } in event.response_headers.iter().flatten() {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str())) {
            response.headers_mut().append(name, value);
        }
    }
    Answer::read(response, LIMITS, now)
}

/// What a request without an answer means. Only one that was surely not sent cost nothing.
pub(super) fn lost(reason: &ErrorReason) -> Failure {
    match reason {
        ErrorReason::ConnectionRefused
        | ErrorReason::ConnectionFailed
        | ErrorReason::NameNotResolved
        | ErrorReason::InternetDisconnected
        | ErrorReason::AddressUnreachable => failure(
            Class::Network,
            format!("the platform cannot be reached ({reason:?})"),
        ),
        ErrorReason::TimedOut => failure(Class::NoAnswer, "the platform did not answer in time"),
        _ => failure(Class::NoAnswer, format!("the connection broke ({reason:?})")),
    }
}

/// An answer, and whether its body could be read.
pub(super) struct Read {
    pub(super) answer: Answer,
    pub(super) has_body: bool,
}

impl Tab {
    /// Reads an answer and hands it on to the page.
    pub(super) async fn read(&mut self, event: &EventRequestPaused, now: Timestamp) -> Result<Read, Trouble> {
        if let Some(reason) = &event.response_error_reason {
            self.pass(event).await?;
            return Err(lost(reason).into());
        }
        let body = match self
            .run(GetResponseBodyParams::new(event.request_id.clone()))
            .await
        {
            Ok(body) if body.base64_encoded => BASE64_STANDARD.decode(body.body).ok().map(Bytes::from),
            Ok(body) => Some(Bytes::from(body.body)),
            Err(BrowserError::Protocol(error)) => {
                tracing::debug!(%error, "the body of an answer could not be read");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let response = ContinueResponseParams::new(event.request_id.clone());
        self.run_on(response).await?;
        Ok(Read {
            has_body: body.is_some(),
            answer: answer(event, body.unwrap_or_default(), now),
        })
    }

    /// Lets a request or an answer go on as it is.
    pub(super) async fn pass(&mut self, event: &EventRequestPaused) -> Result<(), BrowserError> {
        self.run_on(ContinueRequestParams::new(event.request_id.clone()))
            .await
            .map(drop)
    }

    /// Makes a call about a request that its page may have given up meanwhile; whether it had not.
    pub(super) async fn run_on<C>(&mut self, command: C) -> Result<bool, BrowserError>
    where
        C: chromiumoxide::types::Command,
    {
        match self.run(command).await {
            Ok(_) => Ok(true),
            Err(BrowserError::Protocol(error)) if is_stale(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_stale(error: &chromiumoxide::error::CdpError) -> bool {
    let text = error.to_string();
    text.contains("InterceptionId") || text.contains("Interception Id")
}
