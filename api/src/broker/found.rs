//! `POST /broker/v1/found`: what a look-up or a probe brought.

use axum::{Json, extract::State};
use followlytics_core::wire::{Found, Reply};

use super::{Broker, BrokerError, auth::Caller};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
    Json(found): Json<Found>,
) -> Result<Json<Reply>, BrokerError> {
    let mut reply = broker.ledger.record_finding(&sandbox, &found).await?;
    reply.token = broker.token_for(&sandbox, &reply.step).await?;
    Ok(Json(reply))
}
