//! `GET /api/v1/accounts/lookup` and `/api/v1/accounts/{id}`, and the account object every list row is.

use crate::{
    answer::{Answer, Turn},
    json::Object,
    population::{Overlay, Population},
    synth,
    world::State,
};

use super::{
    gate::{Seen, admit, find},
    server,
};

const DAY_MS: u64 = 86_400_000;

pub(super) fn get(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let people = state.population(turn.ask.realm);
    let answer = find(state, turn).map_or_else(
        |refused| refused,
        |seen| {
            let (user, suspended) = match seen {
                Seen::Whole(user) => (user, false),
                Seen::Suspended(user) => (user, true),
            };
            let mut body = String::with_capacity(1_024);
            push_account(&mut body, people, user, &server(turn).host, suspended);
            Answer {
                rows: vec![user],
                ..Answer::json(200, body)
            }
        },
    );
    pass.stamp(answer)
}

/// Appends one account.
pub(super) fn push_account(out: &mut String, people: &Population, user: u64, host: &str, suspended: bool) {
    let made_up = synth::profile(people.seed, user);
    let overlay = people.overlays.get(&user);
    let acct = people.handle(user);
    let (username, home) = acct.split_once('@').unwrap_or((&acct, host));
    let shown = |text: &'static str| if suspended { "" } else { text };
    let name = overlay.and_then(|known| known.name.as_deref());
    let note = overlay.and_then(|known| known.description.as_deref());
    let mut object = Object::open(out);
    object.text("id", &people.public_id(user));
    object.text("username", username);
    object.text("acct", &acct);
    object.text(
        "display_name",
        name.filter(|_| !suspended).unwrap_or(shown(made_up.name)),
    );
    object.bare("locked", !suspended && is_locked(overlay, &made_up));
    object.bare("bot", !suspended && made_up.following.is_multiple_of(41));
    object.bare("discoverable", !suspended && !made_up.following.is_multiple_of(3));
    object.bare("group", false);
    let created_ms = overlay
        .and_then(|known| known.created_ms)
        .unwrap_or(made_up.created_ms);
    // The day only: the server keeps the hour to itself.
    let day_ms = created_ms - created_ms % DAY_MS;
    object.time("created_at", day_ms, true);
    object.text(
        "note",
        &paragraph(note.filter(|_| !suspended).unwrap_or(shown(made_up.bio))),
    );
    object.quoted("url", format_args!("https://{home}/@{username}"));
    object.quoted("uri", format_args!("https://{home}/users/{username}"));
    for name in ["avatar", "avatar_static"] {
        object.quoted(name, format_args!("https://{host}/avatars/original/missing.png"));
    }
    for name in ["header", "header_static"] {
        object.quoted(name, format_args!("https://{host}/headers/original/missing.png"));
    }
    object.bare(
        "followers_count",
        shown_followers(people, user, overlay, &made_up),
    );
    object.bare("following_count", made_up.following);
    object.bare("statuses_count", made_up.posts);
    object.bare("last_status_at", "null");
    object.bare(
        "hide_collections",
        overlay.is_some_and(|known| known.hide_collections),
    );
    object.bare("emojis", "[]");
    object.bare("fields", "[]");
    if suspended {
        object.bare("suspended", true);
    }
    object.close();
}

fn is_locked(overlay: Option<&Overlay>, made_up: &synth::Profile) -> bool {
    overlay
        .and_then(|known| known.protected)
        .unwrap_or(made_up.protected)
}

fn shown_followers(
    people: &Population,
    user: u64,
    overlay: Option<&Overlay>,
    made_up: &synth::Profile,
) -> u64 {
    let live = people.accounts.get(&user).map(|account| account.edges.len());
    overlay
        .and_then(|known| known.shown_followers)
        .or(live)
        .unwrap_or(made_up.followers)
}

/// A bio as the server shows it: HTML.
fn paragraph(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str("<p>");
    for symbol in text.chars() {
        match symbol {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("<br />"),
            plain => out.push(plain),
        }
    }
    out.push_str("</p>");
    out
}
