//! GitHub's REST API: users and their followers by page number, oldest first.
//!
//! The order is not documented; clients that read it for years find the newest on the last page (`RSSHub` issue 579,
//! `FastHub` issue 75). An unfollow closes the list up towards its start, as on Gitea. Links name users by id, and the
//! platform's own host, whatever host was asked.

mod errors;
mod followers;
mod gate;
mod rate_limit;
mod user;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use crate::{
    answer::{Ask, Subject, Wire},
    router::respond,
    world::{Endpoint, Platform, World},
};

/// What links name, whatever host was asked.
const ROOT: &str = "https://api.github.com";

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/users/{login}", get(get_user))
        .route("/users/{login}/followers", get(list_followers))
        .route("/user/{id}", get(get_user_by_id))
        .route("/user/{id}/followers", get(list_followers_by_id))
        .route("/rate_limit", get(get_rate_limit))
}

fn ask(endpoint: Endpoint, subject: Subject, wire: Wire) -> Ask {
    Ask::new(Platform::Github, endpoint, subject, wire)
}

async fn get_user(State(world): State<Arc<World>>, Path(login): Path<String>, wire: Wire) -> Response {
    let ask = ask(Endpoint::Account, Subject::Handle(login), wire);
    respond(&world, &ask, user::get).await
}

async fn get_user_by_id(State(world): State<Arc<World>>, Path(id): Path<String>, wire: Wire) -> Response {
    let ask = ask(Endpoint::Account, Subject::Id(id), wire);
    respond(&world, &ask, user::get).await
}

async fn list_followers(State(world): State<Arc<World>>, Path(login): Path<String>, wire: Wire) -> Response {
    let ask = ask(Endpoint::Followers, Subject::Handle(login), wire);
    respond(&world, &ask, followers::page).await
}

async fn list_followers_by_id(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    wire: Wire,
) -> Response {
    let ask = ask(Endpoint::Followers, Subject::Id(id), wire);
    respond(&world, &ask, followers::page).await
}

async fn get_rate_limit(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = ask(Endpoint::RateLimit, Subject::Nobody, wire);
    respond(&world, &ask, rate_limit::get).await
}
