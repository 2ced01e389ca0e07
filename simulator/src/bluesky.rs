//! Bluesky's `AppView`: profiles and follower pages over XRPC.
//!
//! Lists are newest first by (time, cid); a cursor is `<milliseconds>__<cid>`, and any well-formed one seeks. Every page
//! that touched a row carries a cursor, the last one included: a list ends with a page that touched none.

mod cursor;
mod errors;
mod followers;
mod front;
mod gate;
mod profile;

use std::sync::Arc;

use axum::{Router, extract::State, response::Response, routing::get};

use crate::{
    answer::{Ask, Subject, Wire},
    router::respond,
    world::{Endpoint, Platform, World},
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/", get(get_front))
        .route("/xrpc/com.atproto.identity.resolveHandle", get(resolve_handle))
        .route("/xrpc/app.bsky.actor.getProfile", get(get_profile))
        .route("/xrpc/app.bsky.graph.getFollowers", get(get_followers))
}

fn ask(endpoint: Endpoint, wire: Wire) -> Ask {
    let actor = wire
        .query
        .iter()
        .find(|(name, _)| name == "actor" || name == "handle")
        .map(|(_, value)| value.clone());
    let subject = match actor {
        Some(did) if did.starts_with("did:") => Subject::Id(did),
        Some(handle) => Subject::Handle(handle),
        None => Subject::Nobody,
    };
    Ask::new(Platform::Bluesky, endpoint, subject, wire)
}

async fn get_front(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = Ask::new(Platform::Bluesky, Endpoint::Instance, Subject::Nobody, wire);
    respond(&world, &ask, front::page).await
}

async fn get_profile(State(world): State<Arc<World>>, wire: Wire) -> Response {
    respond(&world, &ask(Endpoint::Account, wire), profile::get).await
}

async fn resolve_handle(State(world): State<Arc<World>>, wire: Wire) -> Response {
    respond(&world, &ask(Endpoint::Account, wire), profile::resolve).await
}

async fn get_followers(State(world): State<Arc<World>>, wire: Wire) -> Response {
    respond(&world, &ask(Endpoint::Followers, wire), followers::page).await
}
