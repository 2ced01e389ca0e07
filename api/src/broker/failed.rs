//! `POST /broker/v1/failed`: a request brought nothing.

use axum::{Json, extract::State};
use followlytics_core::{
    retry::Class,
    wire::{Failed, Reply},
};

use super::{Broker, BrokerError, auth::Caller};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
    Json(failed): Json<Failed>,
) -> Result<Json<Reply>, BrokerError> {
    // The one further try of a refused token makes sense with another token only.
    let mut has_new_token = false;
    if failed.failure.class == Class::Unauthorized {
        let refused = broker.ledger.permit_credential(&sandbox.scan, &failed.permit);
        let (credential, since) = refused.await?;
        has_new_token = broker.credentials.refresh(&credential, since).await?;
    }
    let ledger = &broker.ledger;
    let mut reply = if has_new_token {
        ledger.record_refused_token(&sandbox, &failed).await?
    } else {
        ledger.record_failure(&sandbox, &failed).await?
    };
    reply.token = broker.token_for(&sandbox, &reply.step).await?;
    Ok(Json(reply))
}
