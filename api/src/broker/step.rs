//! `POST /broker/v1/step`: after a wait, or with a permit whose request never started.

use axum::{Json, extract::State};
use followlytics_core::wire::{Release, Reply};

use super::{Broker, BrokerError, auth::Caller};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
    Json(release): Json<Release>,
) -> Result<Json<Reply>, BrokerError> {
    let mut reply = broker.ledger.step(&sandbox, &release).await?;
    reply.token = broker.token_for(&sandbox, &reply.step).await?;
    Ok(Json(reply))
}
