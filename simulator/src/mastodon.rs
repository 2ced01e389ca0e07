//! Mastodon's API: accounts and their followers, on several servers side by side.
//!
//! Lists are newest first by the id of the follow, which no answer shows: who pages takes positions from the `Link`
//! header only. A server lists of an account of another server only the followers it has itself. A server is chosen
//! by path (`/hosts/{host}/…`), else by `Host` header, else it is the first.

mod account;
mod errors;
mod followers;
mod gate;
mod instance;
mod position;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{
    answer::{Ask, Subject, Wire},
    config::MastodonServer,
    router::respond,
    world::{Endpoint, Platform, Realm, Serve, World},
};

type Parts = Path<BTreeMap<String, String>>;

pub(crate) fn routes() -> Router<Arc<World>> {
    let api = Router::new()
        .route("/api/v1/accounts/lookup", get(look_up))
        .route("/api/v1/accounts/{id}", get(get_account))
        .route("/api/v1/accounts/{id}/followers", get(list_followers))
        .route("/api/v1/instance", get(get_instance))
        .route("/api/v2/instance", get(get_instance));
    api.clone().merge(
        Router::new()
            .route("/hosts/{host}/api/v1/accounts/lookup", get(look_up))
            .route("/hosts/{host}/api/v1/accounts/{id}", get(get_account))
            .route(
                "/hosts/{host}/api/v1/accounts/{id}/followers",
                get(list_followers),
            )
            .route("/hosts/{host}/api/v1/instance", get(get_instance))
            .route("/hosts/{host}/api/v2/instance", get(get_instance)),
    )
}

/// Which server is meant: by path, else by header, else the first.
fn choose(world: &World, parts: &BTreeMap<String, String>, wire: &Wire) -> Option<usize> {
    let servers = &world.config.mastodon.servers;
    let named = |name: &str| {
        servers
            .iter()
            .position(|server| server.host.eq_ignore_ascii_case(name))
    };
    match parts.get("host") {
        Some(host) => named(host),
        None => Some(wire.host.as_deref().and_then(named).unwrap_or(0)),
    }
}

/// Asks the server that is meant; one that does not exist answers as a web server without that site does.
async fn at(
    world: &World,
    parts: &BTreeMap<String, String>,
    wire: Wire,
    (endpoint, subject): (Endpoint, Subject),
    serve: Serve,
) -> Response {
    let Some(server) = choose(world, parts, &wire) else {
        let host = parts.get("host").map_or("", String::as_str);
        return errors::no_such_server(host).into_response();
    };
    let realm = Realm {
        platform: Platform::Mastodon,
        server,
    };
    respond(world, &Ask::new(realm, endpoint, subject, wire), serve).await
}

async fn look_up(State(world): State<Arc<World>>, Path(parts): Parts, wire: Wire) -> Response {
    let acct = wire.query.iter().find(|(name, _)| name == "acct");
    let acct = acct.map(|(_, acct)| acct.trim_start_matches('@'));
    let servers = &world.config.mastodon.servers;
    let own = choose(&world, &parts, &wire).and_then(|server| servers.get(server));
    // The server's own name may be left out, and is not part of the handle.
    let local = |acct: &str| match (acct.split_once('@'), own) {
        (Some((name, domain)), Some(own)) if domain.eq_ignore_ascii_case(&own.host) => name.to_owned(),
        _ => acct.to_owned(),
    };
    let subject = acct.map(local).map_or(Subject::Nobody, Subject::Handle);
    at(&world, &parts, wire, (Endpoint::Account, subject), account::get).await
}

async fn get_account(State(world): State<Arc<World>>, Path(parts): Parts, wire: Wire) -> Response {
    let asked = (Endpoint::Account, id(&parts));
    at(&world, &parts, wire, asked, account::get).await
}

async fn list_followers(State(world): State<Arc<World>>, Path(parts): Parts, wire: Wire) -> Response {
    let asked = (Endpoint::Followers, id(&parts));
    at(&world, &parts, wire, asked, followers::page).await
}

async fn get_instance(State(world): State<Arc<World>>, Path(parts): Parts, wire: Wire) -> Response {
    let asked = (Endpoint::Instance, Subject::Nobody);
    at(&world, &parts, wire, asked, instance::get).await
}

fn id(parts: &BTreeMap<String, String>) -> Subject {
    parts
        .get("id")
        .map_or(Subject::Nobody, |id| Subject::Id(id.clone()))
}

/// The settings of the server that is asked.
fn server<'a>(turn: &'a crate::answer::Turn<'_>) -> &'a MastodonServer {
    let servers = &turn.config.mastodon.servers;
    let found = servers.get(turn.ask.realm.server);
    // The world was made with at least one server.
    found.unwrap_or(turn.fallback)
}
