//! `GET /rate_limit`: how the window stands, without being counted in it.

use serde_json::json;

use crate::{
    answer::{Answer, Turn},
    world::State,
};

use super::gate::admit;

pub(super) fn get(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let slot = pass.slot(state, turn);
    let core = json!({
        "limit": slot.limit,
        "used": slot.limit - slot.remaining,
        "remaining": slot.remaining,
        "reset": slot.reset_ms.div_ceil(1_000),
    });
    let answer = Answer::json(
        200,
        json!({"resources": {"core": core}, "rate": core}).to_string(),
    );
    pass.finish(state, turn, answer)
}
