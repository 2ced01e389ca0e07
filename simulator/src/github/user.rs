//! `GET /users/{login}` and `/user/{id}`, and the shorter object every list row is.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    answer::{Answer, Turn},
    ids::{integer_id, mix},
    json::Object,
    population::Population,
    synth,
    world::{Platform, State},
};

use super::{
    ROOT,
    gate::{admit, find},
};

/// Addresses below a user's own.
const BELOW: [(&str, &str); 9] = [
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

pub(super) fn get(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let people = state.population(Platform::Github);
    let answer = find(state, turn).map_or_else(
        |refused| refused,
        |user| Answer {
            rows: vec![user],
            ..Answer::json(200, whole(people, user))
        },
    );
    pass.finish(state, turn, answer)
}

/// Appends one row of a list.
pub(super) fn push_row(out: &mut String, people: &Population, user: u64) {
    let mut object = Object::open(out);
    members(&mut object, people, user);
    object.close();
}

fn members(object: &mut Object<'_>, people: &Population, user: u64) {
    let overlay = people.overlays.get(&user);
    let login = people.handle(user);
    let id = integer_id(Platform::Github, user);
    let organization =
        overlay.is_some_and(|known| known.organization) || mix(people.seed ^ 0x0E6, user).is_multiple_of(50);
    object.text("login", &login);
    object.bare("id", id);
    object.text("node_id", &STANDARD.encode(format!("04:User{id}")));
    object.quoted(
        "avatar_url",
        format_args!("https://avatars.githubusercontent.com/u/{id}?v=4"),
    );
    object.text("gravatar_id", "");
    object.quoted("url", format_args!("{ROOT}/users/{login}"));
    object.quoted("html_url", format_args!("https://github.com/{login}"));
    for (name, below) in BELOW {
        object.quoted(name, format_args!("{ROOT}/users/{login}{below}"));
    }
    object.text("type", if organization { "Organization" } else { "User" });
    object.text("user_view_type", "public");
    object.bare("site_admin", false);
}

fn whole(people: &Population, user: u64) -> String {
    let made_up = synth::profile(people.seed, user);
    let overlay = people.overlays.get(&user);
    let live = people.accounts.get(&user).map(|account| account.edges.len());
    let mut out = String::with_capacity(1_536);
    let mut object = Object::open(&mut out);
    members(&mut object, people, user);
    let text = |known: Option<&str>| known.filter(|text| !text.is_empty()).map(str::to_owned);
    let name = overlay
        .and_then(|known| known.name.as_deref())
        .unwrap_or(made_up.name);
    let bio = overlay
        .and_then(|known| known.description.as_deref())
        .unwrap_or(made_up.bio);
    for (key, value) in [
        ("name", text(Some(name))),
        ("company", None),
        ("location", text(Some(made_up.location))),
        ("email", None),
        ("hireable", None),
        ("bio", text(Some(bio))),
        ("twitter_username", None),
    ] {
        match value {
            Some(value) => object.text(key, &value),
            None => object.bare(key, "null"),
        }
    }
    object.text("blog", "");
    object.bare("public_repos", made_up.posts % 300);
    object.bare("public_gists", made_up.posts % 20);
    object.bare("followers", live.unwrap_or(made_up.followers));
    object.bare("following", made_up.following);
    let created_ms = overlay
        .and_then(|known| known.created_ms)
        .unwrap_or(made_up.created_ms);
    object.time("created_at", created_ms, false);
    object.time("updated_at", created_ms + 86_400_000, false);
    object.close();
    out
}
