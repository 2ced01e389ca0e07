//! `/admin/x`: apps, tokens, money and web sessions of X.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    config::{WebSessionSpec, XAppSpec},
    error::WorldError,
    oauth::TokenPair,
    world::World,
    x::web::WebSessionView,
};

use super::error::Document;

pub(super) async fn create_app(
    State(world): State<Arc<World>>,
    Document(app): Document<XAppSpec>,
) -> Result<StatusCode, WorldError> {
    world.create_x_app(app)?;
    Ok(StatusCode::CREATED)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    user: String,
}

pub(super) async fn issue_token(
    State(world): State<Arc<World>>,
    Path(client_id): Path<String>,
    Document(sign_in): Document<SignIn>,
) -> Result<(StatusCode, Json<TokenPair>), WorldError> {
    Ok((
        StatusCode::CREATED,
        Json(world.issue_x_user_token(&client_id, &sign_in.user)?),
    ))
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Balance {
    /// Null = unlimited.
    balance_nano_usd: Option<i64>,
}

pub(super) async fn balance(
    State(world): State<Arc<World>>,
    Path(client_id): Path<String>,
) -> Result<Json<Balance>, WorldError> {
    Ok(Json(Balance {
        balance_nano_usd: world.x_balance(&client_id)?,
    }))
}

pub(super) async fn set_balance(
    State(world): State<Arc<World>>,
    Path(client_id): Path<String>,
    Document(balance): Document<Balance>,
) -> Result<StatusCode, WorldError> {
    world.set_x_balance(&client_id, balance.balance_nano_usd)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    token: String,
}

pub(super) async fn revoke(
    State(world): State<Arc<World>>,
    Document(revoke): Document<Revoke>,
) -> Json<Value> {
    Json(json!({"revoked": world.revoke_x_token(&revoke.token)}))
}

pub(super) async fn web_sessions(State(world): State<Arc<World>>) -> Json<Vec<WebSessionView>> {
    Json(world.web_sessions())
}

pub(super) async fn sign_in_web(
    State(world): State<Arc<World>>,
    Document(session): Document<WebSessionSpec>,
) -> Result<StatusCode, WorldError> {
    world.sign_in_web(session)?;
    Ok(StatusCode::CREATED)
}

/// Ends every session of the handle.
pub(super) async fn sign_out_web(State(world): State<Arc<World>>, Path(handle): Path<String>) -> Json<Value> {
    Json(json!({"ended": world.sign_out_web(&handle)}))
}
