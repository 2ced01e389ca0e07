//! Who calls: the sandbox whose token is in the request.

use axum::{extract::FromRequestParts, http::request::Parts};
use followlytics_store::ledger::Sandbox;

use super::{Broker, BrokerError};

/// The calling sandbox.
pub(super) struct Caller(pub(super) Sandbox);

impl FromRequestParts<Broker> for Caller {
    type Rejection = BrokerError;

    async fn from_request_parts(parts: &mut Parts, broker: &Broker) -> Result<Self, Self::Rejection> {
        let header = parts
            .headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(BrokerError::Unknown)?;
        broker
            .ledger
            .find_sandbox(token)
            .await?
            .map(Self)
            .ok_or(BrokerError::Unknown)
    }
}
