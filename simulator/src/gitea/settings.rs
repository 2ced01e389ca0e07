//! `GET /api/v1/version` and `/api/v1/settings/api`: which server this is, and how long its pages are.

use serde_json::json;

use crate::{
    answer::{Answer, Turn},
    config::GiteaOrder,
    world::State,
};

use super::{followers::DEFAULT, gate::admit_anybody};

const VERSION: &str = "1.26.0";

pub(super) fn version(_: &mut State, turn: &Turn<'_>) -> Answer {
    // Who promises an order names it in the version: no Gitea does.
    let order = match turn.config.gitea.order {
        GiteaOrder::Follow => "+simulator.follow-order",
        GiteaOrder::User | GiteaOrder::Plan => "",
    };
    answer(turn, &json!({"version": format!("{VERSION}{order}")}))
}

pub(super) fn api(_: &mut State, turn: &Turn<'_>) -> Answer {
    let settings = json!({
        "max_response_items": turn.config.gitea.max_response_items,
        "default_paging_num": DEFAULT,
        "default_git_trees_per_page": 1_000,
        "default_max_blob_size": 10_485_760,
    });
    answer(turn, &settings)
}

fn answer(turn: &Turn<'_>, body: &serde_json::Value) -> Answer {
    match admit_anybody(turn) {
        Ok(label) => Answer {
            principal: label.to_owned(),
            ..Answer::json(200, body.to_string())
        },
        Err(answer) => answer,
    }
}
