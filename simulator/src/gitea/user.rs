//! `GET /api/v1/users/{login}`, and the user object every list row is.

use crate::{
    answer::{Answer, Turn},
    ids::integer_id,
    json::Object,
    population::Population,
    synth,
    world::{Platform, State},
};

use super::gate::admit;

pub(super) fn get(state: &mut State, turn: &Turn<'_>) -> Answer {
    let (user, label) = match admit(state, turn) {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    let mut body = String::with_capacity(768);
    push_user(
        &mut body,
        state.population(Platform::Gitea),
        user,
        &turn.config.gitea.root_url,
    );
    Answer {
        rows: vec![user],
        principal: label.to_owned(),
        ..Answer::json(200, body)
    }
}

/// Appends one user.
pub(super) fn push_user(out: &mut String, people: &Population, user: u64, root_url: &str) {
    let made_up = synth::profile(people.seed, user);
    let overlay = people.overlays.get(&user);
    let login: &str = &people.handle(user);
    let live = people.accounts.get(&user).map(|account| account.edges.len());
    let mut object = Object::open(out);
    object.bare("id", integer_id(Platform::Gitea, user));
    object.text("login", login);
    object.text("login_name", "");
    object.bare("source_id", 0);
    object.text(
        "full_name",
        overlay
            .and_then(|known| known.name.as_deref())
            .unwrap_or(made_up.name),
    );
    object.quoted("email", format_args!("{login}@noreply.example.com"));
    object.quoted(
        "avatar_url",
        format_args!("{root_url}/avatars/{:032x}", integer_id(Platform::Gitea, user)),
    );
    object.quoted("html_url", format_args!("{root_url}/{login}"));
    object.text("language", "");
    object.bare("is_admin", false);
    object.text("last_login", "0001-01-01T00:00:00Z");
    let created_ms = overlay
        .and_then(|known| known.created_ms)
        .unwrap_or(made_up.created_ms);
    object.time("created", created_ms, false);
    object.bare("restricted", false);
    object.bare("active", false);
    object.bare("prohibit_login", false);
    object.text("location", made_up.location);
    object.text("website", "");
    object.text(
        "description",
        overlay
            .and_then(|known| known.description.as_deref())
            .unwrap_or(made_up.bio),
    );
    object.text("visibility", "public");
    object.bare("followers_count", live.unwrap_or(made_up.followers));
    object.bare("following_count", made_up.following);
    object.bare("starred_repos_count", made_up.posts % 100);
    object.text("username", login);
    object.close();
}
