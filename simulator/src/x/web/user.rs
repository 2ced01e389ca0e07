//! The GraphQL query `UserByScreenName`.

use serde_json::json;

use crate::{
    answer::{Answer, Turn},
    population::{Population, UserState},
    world::{Platform, State},
};

use super::{
    errors,
    gate::{Operation, admit},
    rows::Person,
};

pub(super) fn by_screen_name(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn, Operation::UserByScreenName) {
        Ok(pass) => {
            let answer = serve(state, turn).unwrap_or_else(|answer| answer);
            pass.stamp(answer)
        }
        Err(answer) => answer,
    }
}

fn serve(state: &State, turn: &Turn<'_>) -> Result<Answer, Answer> {
    if turn.ask.form("screen_name").is_none() {
        return Err(errors::bad_variable("screen_name"));
    }
    let people = state.population(Platform::X);
    let user = active(people, turn)?;
    let result = Person::of(people, user).result(turn.config.x.web.shape);
    let body = json!({"data": {"user": {"result": result}}});
    Ok(Answer {
        rows: vec![user],
        ..Answer::json(200, body.to_string())
    })
}

/// The user that is asked about, who must be there to be shown.
pub(super) fn active(people: &Population, turn: &Turn<'_>) -> Result<u64, Answer> {
    let user = turn.subject.ok_or_else(errors::nobody)?;
    match people.state(user) {
        UserState::Active => Ok(user),
        UserState::Suspended => Err(errors::suspended()),
        UserState::Deactivated => Err(errors::nobody()),
    }
}
