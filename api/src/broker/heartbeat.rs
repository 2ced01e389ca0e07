//! `POST /broker/v1/heartbeat`: the holder of a range is alive.

use axum::{Json, extract::State};
use followlytics_core::wire::{Beat, Held};

use super::{Broker, BrokerError, auth::Caller};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
    Json(held): Json<Held>,
) -> Result<Json<Beat>, BrokerError> {
    Ok(Json(broker.ledger.heartbeat(&sandbox, held).await?))
}
