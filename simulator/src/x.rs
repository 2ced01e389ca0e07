//! X API v2: user look-ups, follower pages, the OAuth 2 token endpoint. The web client is in [`web`].
//!
//! Facts it keeps to: pages are newest first; tokens are opaque and belong to one list; limits are fixed windows per
//! (route, app) and (route, user); money is charged per row. Errors are in [`errors`], word for word.

mod errors;
mod followers;
mod gate;
pub(crate) mod page_token;
mod rows;
mod token;
mod users;
pub(crate) mod web;

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
        .route("/2/users", get(several))
        .route("/2/users/by", get(several))
        .route("/2/oauth2/token", post(refresh))
        .route("/2/oauth2/revoke", post(revoke))
        .route("/oauth2/token", post(app_bearer))
        .route("/i/oauth2/authorize", get(authorize))
}

fn ask(endpoint: Endpoint, subject: Subject, wire: Wire) -> Ask {
    Ask::new(Platform::X, endpoint, subject, wire)
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

async fn several(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = ask(Endpoint::Account, Subject::Nobody, wire);
    respond(&world, &ask, users::several).await
}

async fn authorize(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = ask(Endpoint::Token, Subject::Nobody, wire);
    respond(&world, &ask, token::authorize).await
}

async fn app_bearer(State(world): State<Arc<World>>, wire: Wire, body: String) -> Response {
    let form = token::form(&body);
    let ask = ask(Endpoint::Token, Subject::Nobody, Wire { form, ..wire });
    respond(&world, &ask, token::bearer).await
}

async fn revoke(State(world): State<Arc<World>>, wire: Wire, body: String) -> Response {
    let form = token::form(&body);
    let ask = ask(Endpoint::Token, Subject::Nobody, Wire { form, ..wire });
    respond(&world, &ask, token::revoke).await
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
