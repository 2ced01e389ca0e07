//! X API v2: user look-ups, follower pages, the OAuth 2 token endpoint.
//!
//! Facts it keeps to: pages are newest first; tokens are opaque and belong to one list; limits are fixed windows per
//! (route, app) and (route, user); money is charged per row. Errors are in [`errors`], word for word.

mod errors;
mod followers;
mod gate;
mod page_token;
mod rows;
mod token;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

use crate::{
    answer::{Ask, Subject, Wire},
    router::respond,
    world::{Endpoint, Platform, World},
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/2/users/me", get(me))
        .route("/2/users/{id}", get(by_id))
        .route("/2/users/by/username/{username}", get(by_username))
        .route("/2/users/{id}/followers", get(list_followers))
        .route("/2/oauth2/token", post(refresh))
}

fn ask(endpoint: Endpoint, subject: Subject, wire: Wire) -> Ask {
    Ask {
        platform: Platform::X,
        endpoint,
        subject,
        wire,
    }
}

async fn me(State(world): State<Arc<World>>, wire: Wire) -> Response {
    respond(&world, &ask(Endpoint::Me, Subject::Nobody, wire), users::me).await
}

async fn by_id(State(world): State<Arc<World>>, Path(id): Path<String>, wire: Wire) -> Response {
    respond(
        &world,
        &ask(Endpoint::Account, Subject::Id(id), wire),
        users::by_id,
    )
    .await
}

async fn by_username(State(world): State<Arc<World>>, Path(name): Path<String>, wire: Wire) -> Response {
    respond(
        &world,
        &ask(Endpoint::Account, Subject::Handle(name), wire),
        users::by_username,
    )
    .await
}

async fn list_followers(State(world): State<Arc<World>>, Path(id): Path<String>, wire: Wire) -> Response {
    respond(
        &world,
        &ask(Endpoint::Followers, Subject::Id(id), wire),
        followers::page,
    )
    .await
}

async fn refresh(State(world): State<Arc<World>>, wire: Wire, body: String) -> Response {
    let wire = Wire {
        form: token::form(&body),
        ..wire
    };
    respond(
        &world,
        &ask(Endpoint::Token, Subject::Nobody, wire),
        token::refresh,
    )
    .await
}
