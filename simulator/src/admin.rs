//! The world over HTTP, for a process that did not make it: accounts, faults, logs, X's apps and money.
//!
//! Mirrors the methods of [`World`]; errors are `{"error": …}` with 400, 404 or 409. No authentication: the simulator
//! listens where its operator lets it, and holds nothing real.

mod accounts;
mod error;
mod faults;
mod logs;
mod rolls;
mod x;

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, get, post},
};

use crate::world::World;

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/{platform}/{who}", get(accounts::get))
        .route("/accounts/{platform}/{who}/follow", post(accounts::follow))
        .route("/accounts/{platform}/{who}/unfollow", post(accounts::unfollow))
        .route("/accounts/{platform}/{who}/churn", post(accounts::set_churn))
        .route("/accounts/{platform}/{who}/truth", get(logs::truth))
        .route("/accounts/{platform}/{who}/roll", get(rolls::roll))
        .route("/accounts/{platform}/{who}/digest", get(rolls::digest))
        .route("/accounts/{platform}/{who}/bulk", post(rolls::bulk))
        .route(
            "/users/{platform}/{who}/collections",
            post(accounts::set_hide_collections),
        )
        .route("/users/{platform}/{who}/rename", post(accounts::rename))
        .route("/users/{platform}/{who}/state", post(accounts::set_state))
        .route("/users/{platform}/{who}/protected", post(accounts::set_protected))
        .route(
            "/faults",
            get(faults::list).post(faults::set).delete(faults::clear_all),
        )
        .route("/faults/{id}", delete(faults::clear))
        .route("/requests", get(logs::requests))
        .route("/events", get(logs::events))
        .route("/totals", get(logs::totals))
        .route("/order", get(rolls::order))
        .route("/x/apps", post(x::create_app))
        .route("/x/apps/{client_id}/tokens", post(x::issue_token))
        .route("/x/apps/{client_id}/balance", get(x::balance).put(x::set_balance))
        .route("/x/tokens/revoke", post(x::revoke))
        .route("/x/sessions", get(x::web_sessions).post(x::sign_in_web))
        .route("/x/sessions/{handle}", delete(x::sign_out_web))
}
