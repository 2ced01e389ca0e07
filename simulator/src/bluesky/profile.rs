//! `app.bsky.actor.getProfile`, and the profile view every list row is.

use serde_json::json;

use crate::{
    answer::{Answer, Subject, Turn},
    ids::{mix, public_id},
    json::Object,
    population::{Population, UserState},
    synth,
    world::{Platform, State},
};

use super::{errors, gate::admit};

pub(super) fn get(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let answer = match check_actor(&turn.ask.subject) {
        Ok(()) => found(state.population(Platform::Bluesky), turn),
        Err(answer) => answer,
    };
    pass.stamp(answer)
}

/// `com.atproto.identity.resolveHandle`: a handle is resolved whatever became of its account.
pub(super) fn resolve(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let answer = match (&turn.ask.subject, turn.subject) {
        (Subject::Nobody, _) => errors::invalid_request("Error: Params must have the property \"handle\""),
        (Subject::Handle(_), Some(user)) => {
            let did = public_id(Platform::Bluesky, user);
            Answer {
                rows: vec![user],
                ..Answer::json(200, json!({"did": did}).to_string())
            }
        }
        _ => errors::invalid_request("Unable to resolve handle"),
    };
    pass.stamp(answer)
}

fn found(people: &Population, turn: &Turn<'_>) -> Answer {
    let Some(user) = turn.subject else {
        return errors::invalid_request("Profile not found");
    };
    match people.state(user) {
        UserState::Active => {}
        UserState::Suspended => return errors::taken_down(),
        UserState::Deactivated => return errors::deactivated(),
    }
    let made_up = synth::profile(people.seed, user);
    let live = people.accounts.get(&user).map(|account| account.edges.len());
    let mut body = String::with_capacity(512);
    let mut object = Object::open(&mut body);
    members(&mut object, people, user, &made_up);
    object.bare("followersCount", live.unwrap_or(made_up.followers));
    object.bare("followsCount", made_up.following);
    object.bare("postsCount", made_up.posts);
    object.close();
    Answer {
        rows: vec![user],
        ..Answer::json(200, body)
    }
}

/// Refuses what is neither a handle nor a DID, in the words of the server's schema check.
pub(super) fn check_actor(subject: &Subject) -> Result<(), Answer> {
    let good = match subject {
        Subject::Nobody => {
            return Err(errors::invalid_request(
                "Error: Params must have the property \"actor\"",
            ));
        }
        Subject::Id(did) => did.splitn(3, ':').filter(|part| !part.is_empty()).count() == 3,
        Subject::Handle(handle) => {
            let plain = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '.' || symbol == '-';
            handle.contains('.') && handle.chars().all(plain)
        }
    };
    let message = "Error: actor must be a valid did or a handle";
    if good {
        Ok(())
    } else {
        Err(errors::invalid_request(message))
    }
}

/// Appends one profile view.
pub(super) fn push_view(out: &mut String, people: &Population, user: u64) {
    let made_up = synth::profile(people.seed, user);
    let mut object = Object::open(out);
    members(&mut object, people, user, &made_up);
    object.close();
}

fn members(object: &mut Object<'_>, people: &Population, user: u64, made_up: &synth::Profile) {
    let overlay = people.overlays.get(&user);
    let did = public_id(Platform::Bluesky, user);
    object.text("did", &did);
    object.text("handle", &people.handle(user));
    object.text(
        "displayName",
        overlay
            .and_then(|known| known.name.as_deref())
            .unwrap_or(made_up.name),
    );
    let hash = mix(people.seed ^ 0xA7A, user);
    // Absent members are how the platform says "none".
    if !hash.is_multiple_of(3) {
        object.quoted(
            "avatar",
            format_args!("https://cdn.bsky.app/img/avatar/plain/{did}/bafkrei{hash:016x}@jpeg"),
        );
    }
    object.key("labels").push_str("[]");
    let created_ms = overlay
        .and_then(|known| known.created_ms)
        .unwrap_or(made_up.created_ms);
    if overlay.is_none_or(|known| !known.hide_created) {
        object.time("createdAt", created_ms, true);
    }
    let description = overlay
        .and_then(|known| known.description.as_deref())
        .unwrap_or(made_up.bio);
    if !description.is_empty() {
        object.text("description", description);
    }
    object.time("indexedAt", created_ms + hash % 600_000, true);
}
