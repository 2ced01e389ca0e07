//! Who calls: the sandbox whose token is in the request, in a version of the protocol that is spoken here.

use axum::{extract::FromRequestParts, http::request::Parts};
use followlytics_core::wire::{MOST_TABS, NOW_HEADER, TAB_HEADER, VERSION, VERSION_HEADER};
use followlytics_store::ledger::{Sandbox, Sent};
use jiff::Timestamp;

use super::{Broker, BrokerError};

/// The calling sandbox.
pub(super) struct Caller(pub(super) Sandbox);

impl FromRequestParts<Broker> for Caller {
    type Rejection = BrokerError;

    async fn from_request_parts(parts: &mut Parts, broker: &Broker) -> Result<Self, Self::Rejection> {
        let version = parts.headers.get(VERSION_HEADER);
        let version = version
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        // Before the token: whatever a runner of another release sends, it changes nothing.
        if version != Some(VERSION) {
            return Err(BrokerError::Version(version));
        }
        let header = parts
            .headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(BrokerError::Unknown)?;
        let sent = Sent {
            at: sent_at(parts)?,
            arrived: broker.ledger.now(),
        };
        let sandbox = broker.ledger.find_sandbox(token, Some(sent)).await?;
        Ok(Self(Sandbox {
            tab: tab(parts)?,
            ..sandbox.ok_or(BrokerError::Unknown)?
        }))
    }
}

/// The caller's clock when it sent the request.
fn sent_at(parts: &Parts) -> Result<Timestamp, BrokerError> {
    let value = parts
        .headers
        .get(NOW_HEADER)
        .and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.parse().ok())
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .ok_or_else(|| {
            BrokerError::Invalid(format!("{NOW_HEADER}: write the time in milliseconds since 1970"))
        })
}

/// Which tab of the sandbox's browser calls.
fn tab(parts: &Parts) -> Result<u32, BrokerError> {
    let Some(value) = parts.headers.get(TAB_HEADER) else {
        return Ok(0);
    };
    let number = value.to_str().ok().and_then(|value| value.parse().ok());
    number
        .filter(|tab| (1..=MOST_TABS).contains(tab))
        .ok_or_else(|| BrokerError::Invalid(format!("{TAB_HEADER}: write a number from 1 to {MOST_TABS}")))
}
