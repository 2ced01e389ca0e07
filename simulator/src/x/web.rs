//! X's web client: documents for signed-in browsers, the script they run, and the GraphQL the script asks.
//!
//! Facts it keeps to: a list is newest first; a cursor is `<position>|<snowflake>` where the position is the follow's
//! time and tie-break, and "everything below it" follows; the first page has 65 to 70 rows, of which some twenty in
//! front are ranked and come again at their own place; windows are per (operation, signed-in account).
//!
//! Documents and GraphQL go through the world like every platform's requests. The login, the account check and the
//! script are the same for everybody and are not counted.

mod call;
mod cut;
mod errors;
mod features;
mod followers;
mod gate;
mod odd;
mod page;
mod rows;
mod session;
mod user;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Map, Value};

pub(crate) use self::session::WebSessions;
pub use self::{call::WebCall, session::WebSessionView};
use crate::{
    answer::{Ask, Subject, Wire},
    router::respond,
    world::{Endpoint, Platform, World},
};

/// What the script's `authorization` is for everybody.
const PUBLIC_BEARER: &str = "AAAAAAAAAAAAAAAAAAAAANRILgAAAAAAsimulatorWebClient";

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/i/api/graphql/{query_id}/Followers", get(list_followers))
        .route("/i/api/graphql/{query_id}/UserByScreenName", get(look_up))
        .route("/i/flow/login", get(async || page::login().into_response()))
        .route(
            "/account/access",
            get(async || page::account_access().into_response()),
        )
        .route("/responsive-web/client-web/{file}", get(script))
        .route("/home", get(home))
        .route("/{handle}", get(profile))
        .route("/{handle}/followers", get(followers_page))
}

/// Takes the JSON of `variables` apart; what is no object has no members.
fn with_variables(mut wire: Wire) -> Wire {
    let text = wire.query.iter().find(|(name, _)| name == "variables");
    let members: Map<String, Value> = text
        .and_then(|(_, text)| serde_json::from_str(text).ok())
        .unwrap_or_default();
    wire.form = members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect();
    wire
}

async fn list_followers(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let wire = with_variables(wire);
    let ask = Ask::new(Platform::X, Endpoint::WebFollowers, Subject::Nobody, wire);
    let subject = ask.form("userId").map(|id| Subject::Id(id.to_owned()));
    let ask = Ask {
        subject: subject.unwrap_or(Subject::Nobody),
        ..ask
    };
    respond(&world, &ask, followers::page).await
}

async fn look_up(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let wire = with_variables(wire);
    let ask = Ask::new(Platform::X, Endpoint::WebUser, Subject::Nobody, wire);
    let subject = ask
        .form("screen_name")
        .map(|name| Subject::Handle(name.to_owned()));
    let ask = Ask {
        subject: subject.unwrap_or(Subject::Nobody),
        ..ask
    };
    respond(&world, &ask, user::by_screen_name).await
}

async fn script(Path(file): Path<String>) -> Response {
    page::script(&file)
        .unwrap_or_else(page::no_such_path)
        .into_response()
}

async fn home(State(world): State<Arc<World>>, wire: Wire) -> Response {
    let ask = Ask::new(Platform::X, Endpoint::WebPage, Subject::Nobody, wire);
    respond(&world, &ask, page::home).await
}

async fn profile(State(world): State<Arc<World>>, Path(handle): Path<String>, wire: Wire) -> Response {
    if !page::is_handle(&handle) {
        return page::no_such_path().into_response();
    }
    let ask = Ask::new(Platform::X, Endpoint::WebPage, Subject::Handle(handle), wire);
    respond(&world, &ask, page::profile).await
}

async fn followers_page(State(world): State<Arc<World>>, Path(handle): Path<String>, wire: Wire) -> Response {
    if !page::is_handle(&handle) {
        return page::no_such_path().into_response();
    }
    let ask = Ask::new(Platform::X, Endpoint::WebPage, Subject::Handle(handle), wire);
    respond(&world, &ask, page::followers).await
}
