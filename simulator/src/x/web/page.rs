//! Documents: a frame, what the script has to know, and the script. What a document shows, the script draws.

use serde_json::json;

use crate::{
    answer::{Answer, Content, Turn},
    faults::FaultKind,
    population::Population,
    world::{Platform, State},
    x::users::is_username,
};

use super::{PUBLIC_BEARER, call::percent, features, gate::label};

const DOCUMENT: &str = include_str!("page.html");
const LOGIN: &str = include_str!("login.html");
const ACCESS: &str = include_str!("access.html");
const SCRIPTS: [(&str, &str); 5] = [
    ("draw.js", include_str!("draw.js")),
    ("graph.js", include_str!("graph.js")),
    ("list.js", include_str!("list.js")),
    ("main.js", include_str!("main.js")),
    ("words.js", include_str!("words.js")),
];

/// Tells the script of a fault that comes with an answer.
pub(super) const MOOD_HEADER: &str = "x-simulator-page";

/// Pictures are named as on the platform and never fetched: nothing leaves this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'";

fn html(status: u16, body: impl Into<String>) -> Answer {
    Answer {
        content: Content::Html,
        ..Answer::json(status, body)
    }
    .with_header("cache-control", "no-cache, no-store, must-revalidate")
    .with_header("content-security-policy", POLICY)
}

fn redirect(location: String) -> Answer {
    Answer {
        content: Content::Empty,
        ..Answer::json(302, "")
    }
    .with_header("location", location)
}

/// The form a browser without a session comes to.
pub(super) fn login() -> Answer {
    html(200, LOGIN)
}

/// Where a person has to prove to be one.
pub(super) fn account_access() -> Answer {
    html(200, ACCESS)
}

/// One file of the script.
pub(super) fn script(file: &str) -> Option<Answer> {
    let (_, text) = SCRIPTS.iter().find(|(name, _)| *name == file)?;
    let answer = Answer {
        content: Content::Script,
        ..Answer::json(200, *text)
    };
    Some(answer.with_header("cache-control", "no-cache"))
}

pub(super) fn no_such_path() -> Answer {
    Answer {
        content: Content::Empty,
        ..Answer::json(404, "")
    }
}

/// Whether a path of one segment names an account.
pub(super) fn is_handle(text: &str) -> bool {
    is_username(text)
}

pub(super) fn home(state: &mut State, turn: &Turn<'_>) -> Answer {
    document(state, turn, "home")
}

pub(super) fn profile(state: &mut State, turn: &Turn<'_>) -> Answer {
    document(state, turn, "profile")
}

pub(super) fn followers(state: &mut State, turn: &Turn<'_>) -> Answer {
    document(state, turn, "followers")
}

fn document(state: &mut State, turn: &Turn<'_>, view: &str) -> Answer {
    let viewer = state.web.viewer(turn.ask).map(str::to_owned);
    let named = |answer: Answer| Answer {
        principal: viewer.as_deref().map_or("anonymous".to_owned(), label),
        ..answer
    };
    if turn.has_fault(&FaultKind::Forbidden) {
        return named(html(403, ""));
    }
    let refused = turn
        .fault
        .and_then(|fault| Answer::gateway_fault(fault, turn.ask.realm.platform));
    if let Some(answer) = refused {
        return named(answer);
    }
    if turn.has_fault(&FaultKind::LoggedOut) {
        state.web.end(turn.ask);
    }
    let Some(handle) = viewer.as_deref().filter(|_| state.web.has_cookies(turn.ask)) else {
        let back = percent(&turn.ask.wire.path);
        return named(redirect(format!("/i/flow/login?redirect_after_login={back}")));
    };
    if turn.has_fault(&FaultKind::Challenge) {
        return named(redirect("/account/access".to_owned()));
    }
    let people = state.population(Platform::X);
    let shown = shown_handle(people, turn, handle);
    let boot = boot(turn, view, &shown, handle);
    let web = &turn.config.x.web;
    let body = DOCUMENT
        .replacen("__LANG__", web.language.tag(), 1)
        .replacen("__BOOT__", &boot, 1);
    let answer = html(200, body);
    let user = people.by_handle(handle).map(|user| people.public_id(user));
    named(match user {
        Some(id) => answer.with_header("set-cookie", format!("twid=u%3D{id}; Path=/")),
        None => answer,
    })
}

/// Whose list the page shows; the fault shows the viewer's own, or where that was asked for, somebody else's.
fn shown_handle(people: &Population, turn: &Turn<'_>, viewer: &str) -> String {
    let asked = turn.ask.subject.text().unwrap_or_default();
    if !turn.has_fault(&FaultKind::WrongAccount) {
        return asked.to_owned();
    }
    if !asked.eq_ignore_ascii_case(viewer) && people.by_handle(viewer).is_some() {
        return viewer.to_owned();
    }
    let mut others = people.accounts.keys().filter(|user| Some(**user) != turn.subject);
    let other = others.next().map(|user| people.handle(*user).into_owned());
    other.unwrap_or_else(|| viewer.to_owned())
}

/// What the script has to know, as JSON that cannot end its element.
fn boot(turn: &Turn<'_>, view: &str, handle: &str, viewer: &str) -> String {
    let web = &turn.config.x.web;
    let mood = match turn.fault {
        Some(FaultKind::SelectorsGone) => "bare",
        Some(FaultKind::PageStalls) => "stalls",
        Some(FaultKind::RendererCrash) => "crashes",
        Some(FaultKind::MemoryLeak) => "leaks",
        _ => "calm",
    };
    let boot = json!({
        "view": view,
        "handle": handle,
        "viewer": viewer,
        "language": web.language.tag(),
        "count": web.count,
        "bearer": PUBLIC_BEARER,
        "queries": {"Followers": web.query_id, "UserByScreenName": web.user_query_id},
        "features": features::all(),
        "mood": mood,
    });
    boot.to_string().replace('<', "\\u003c")
}
