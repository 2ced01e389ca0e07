//! `POST /broker/v1/release`: a holder gives its range back.

use axum::{Json, extract::State, http::StatusCode};
use followlytics_core::wire::Release;

use super::{Broker, BrokerError, auth::Caller};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
    Json(release): Json<Release>,
) -> Result<StatusCode, BrokerError> {
    broker.ledger.release(&sandbox, &release).await?;
    Ok(StatusCode::NO_CONTENT)
}
