//! `GET /2/users/{id}`, `/2/users/by/username/{username}` and `/2/users/me`.

use serde_json::Value;

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

/// `GET /2/users?ids=` and `/2/users/by?usernames=`: up to a hundred, the missing ones under `errors`.
pub(super) fn several(state: &mut State, turn: &Turn<'_>) -> Answer {
    let (list, one, route) = match turn.ask.query("usernames") {
        Some(_) => ("usernames", "username", Route::ByUsernames),
        None => ("ids", "id", Route::ByIds),
    };
    let pass = match admit(state, turn, route) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let known = [PARAMETERS.as_slice(), &[list]].concat();
    let read =
        check_parameters(turn, &known).and_then(|()| Ok((Fields::read(turn)?, asked(turn, list, one)?)));
    let (fields, asked) = match read {
        Ok(read) => read,
        Err(answer) => return pass.stamp(answer),
    };
    let people = state.population(Platform::X);
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for text in asked {
        let user = if one == "id" {
            people.by_id(text)
        } else {
            people.by_handle(text)
        };
        match user.map(|user| (user, people.state(user))) {
            Some((user, UserState::Active)) => rows.push(user),
            Some((_, UserState::Suspended)) => errors.push(errors::suspended_entry(one, text)),
            _ => errors.push(errors::not_found_entry(one, text)),
        }
    }
    let mut body = String::with_capacity(64 + rows.len() * 384);
    body.push('{');
    for (index, user) in rows.iter().enumerate() {
        body.push_str(if index == 0 { "\"data\":[" } else { "," });
        push_user(&mut body, people, *user, &fields, turn.config.x.names);
    }
    if !rows.is_empty() {
        body.push(']');
    }
    if !errors.is_empty() {
        body.push_str(if rows.is_empty() {
            "\"errors\":"
        } else {
            ",\"errors\":"
        });
        body.push_str(&Value::from(errors).to_string());
    }
    body.push('}');
    let price = turn.config.x.pricing.user_nano_usd;
    let app = pass.principal.app();
    let charged = state
        .credits
        .charge(app, utc_day(turn), Resource::User, &rows, price);
    let answer = Answer {
        rows,
        charged_nano_usd: charged,
        ..Answer::json(200, body)
    };
    pass.stamp(answer)
}

/// The names of a list parameter, each of the right shape.
fn asked<'a>(turn: &'a Turn<'_>, list: &str, one: &str) -> Result<Vec<&'a str>, Answer> {
    let text = turn.ask.query(list).unwrap_or_default();
    let asked: Vec<&str> = text.split(',').filter(|text| !text.is_empty()).collect();
    if !(1..=100).contains(&asked.len()) {
        let message = format!(
            "The number of values in the `{list}` query parameter list [{}] is not between 1 and 100",
            asked.len()
        );
        return Err(errors::invalid_parameter(list, text, &message));
    }
    let good = |text: &&&str| {
        if one == "id" {
            is_id(text)
        } else {
            is_username(text)
        }
    };
    match asked.iter().find(|text| !good(text)) {
        None => Ok(asked),
        Some(bad) if one == "id" => Err(errors::invalid_id(bad)),
        Some(bad) => Err(errors::invalid_username(bad)),
    }
}

/// Days since the epoch, the unit of de-duplication.
pub(super) fn utc_day(turn: &Turn<'_>) -> i64 {
    turn.now.as_second().div_euclid(86_400)
}

/// Whether the text could be a user id: 1 to 19 digits.
pub(super) fn is_id(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text could be a handle.
pub(super) fn is_username(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
