//! `GET /2/users/{id}`, `/2/users/by/username/{username}` and `/2/users/me`.

use crate::{
    answer::{Answer, Turn},
    credits::Resource,
    population::UserState,
    world::{Platform, State},
};

use super::{
    errors,
    gate::{Pass, Route, admit},
    rows::{Fields, check_parameters, push_user},
};

const PARAMETERS: [&str; 4] = ["expansions", "post.fields", "tweet.fields", "user.fields"];

pub(super) fn by_username(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn, Route::ByUsername) {
        Ok(pass) => look_up(state, turn, pass, "username"),
        Err(answer) => answer,
    }
}

pub(super) fn by_id(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn, Route::ById) {
        Ok(pass) => look_up(state, turn, pass, "id"),
        Err(answer) => answer,
    }
}

pub(super) fn me(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn, Route::Me) {
        Ok(pass) => {
            let user = pass.principal.user();
            found(state, turn, pass, user, "id", "me")
        }
        Err(answer) => answer,
    }
}

fn look_up(state: &mut State, turn: &Turn<'_>, pass: Pass, parameter: &str) -> Answer {
    let asked = turn.ask.subject.text().unwrap_or_default();
    if parameter == "id" && !is_id(asked) {
        return pass.stamp(errors::invalid_id(asked));
    }
    if parameter == "username" && !is_username(asked) {
        return pass.stamp(errors::invalid_username(asked));
    }
    found(state, turn, pass, turn.subject, parameter, asked)
}

fn found(
    state: &mut State,
    turn: &Turn<'_>,
    pass: Pass,
    user: Option<u64>,
    parameter: &str,
    asked: &str,
) -> Answer {
    let fields = match check_parameters(turn, &PARAMETERS).and_then(|()| Fields::read(turn)) {
        Ok(fields) => fields,
        Err(answer) => return pass.stamp(answer),
    };
    let people = state.population(Platform::X);
    let Some(user) = user else {
        return pass.stamp(errors::not_found(parameter, asked));
    };
    match people.state(user) {
        UserState::Active => {}
        UserState::Suspended => return pass.stamp(errors::suspended(parameter, asked)),
        UserState::Deactivated => return pass.stamp(errors::not_found(parameter, asked)),
    }
    let mut body = String::from("{\"data\":");
    push_user(&mut body, people, user, &fields, turn.config.x.names);
    body.push('}');
    let price = turn.config.x.pricing.user_nano_usd;
    let charged = state.credits.charge(
        pass.principal.app(),
        utc_day(turn),
        Resource::User,
        &[user],
        price,
    );
    let answer = Answer {
        rows: vec![user],
        charged_nano_usd: charged,
        ..Answer::json(200, body)
    };
    pass.stamp(answer)
}

/// Days since the epoch, the unit of de-duplication.
pub(super) fn utc_day(turn: &Turn<'_>) -> i64 {
    turn.now.as_second().div_euclid(86_400)
}

/// Whether the text could be a user id: 1 to 19 digits.
pub(super) fn is_id(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_username(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
