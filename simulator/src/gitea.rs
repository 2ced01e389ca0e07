//! A Gitea server: users and their followers by page number, in whatever order its database answers.
//!
//! A follow or an unfollow shifts everything behind it by one place: who walks through pages misses rows.

mod errors;
mod followers;
mod gate;
mod order;
mod settings;
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

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v1/version", get(get_version))
        .route("/api/v1/settings/api", get(get_settings))
        .route("/api/v1/users/{login}", get(get_user))
        .route("/api/v1/users/{login}/followers", get(list_followers))
}

async fn get_version(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = Ask::new(Platform::Gitea, Endpoint::Instance, Subject::Nobody, wire);
    respond(&world, &ask, settings::version).await
}

async fn get_settings(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = Ask::new(Platform::Gitea, Endpoint::Instance, Subject::Nobody, wire);
    respond(&world, &ask, settings::api).await
}

fn ask(endpoint: Endpoint, login: String, wire: Wire) -> Ask {
    Ask::new(Platform::Gitea, endpoint, Subject::Handle(login), wire)
}

async fn get_user(State(world): State<Arc<World>>, Path(login): Path<String>, wire: Wire) -> Response {
    respond(&world, &ask(Endpoint::Account, login, wire), user::get).await
}

async fn list_followers(State(world): State<Arc<World>>, Path(login): Path<String>, wire: Wire) -> Response {
    respond(&world, &ask(Endpoint::Followers, login, wire), followers::page).await
}
