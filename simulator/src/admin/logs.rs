//! `/admin/requests`, `/admin/events`, `/admin/totals` and an account's truth.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::WorldError,
    log::{EventRecord, RequestRecord, Totals},
    world::World,
};

use super::error::platform;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    #[serde(default)]
    after: u64,
    #[serde(default = "page")]
    limit: usize,
}

fn page() -> usize {
    1_000
}

pub(super) async fn requests(
    State(world): State<Arc<World>>,
    Query(stretch): Query<Stretch>,
) -> Json<Vec<RequestRecord>> {
    Json(world.requests(stretch.after, stretch.limit))
}

pub(super) async fn events(
    State(world): State<Arc<World>>,
    Query(stretch): Query<Stretch>,
) -> Json<Vec<EventRecord>> {
    Json(world.events(stretch.after, stretch.limit))
}

pub(super) async fn totals(State(world): State<Arc<World>>) -> Json<Totals> {
    Json(world.totals())
}

/// Times, or order numbers; without either the list as it is now.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Between {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    from_order: Option<u64>,
    to_order: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Truth {
    /// In the list from the first to the last moment, oldest follow first.
    throughout: Vec<String>,
    /// In the list at any moment.
    ever: BTreeSet<String>,
}

pub(super) async fn truth(
    State(world): State<Arc<World>>,
    Path((on, who)): Path<(String, String)>,
    Query(between): Query<Between>,
) -> Result<Json<Truth>, WorldError> {
    let on = platform(&on)?;
    if between.from_order.is_some() || between.to_order.is_some() {
        if between.from.is_some() || between.to.is_some() {
            return Err(WorldError::invalid(
                "from",
                "give times or order numbers, not both",
            ));
        }
        let to = between.to_order.unwrap_or_else(|| world.order());
        let from = between.from_order.unwrap_or(0);
        return Ok(Json(Truth {
            throughout: world.truth_between(on, &who, from, to)?,
            ever: world.ever_present_between(on, &who, from, to)?,
        }));
    }
    let to = between.to.unwrap_or_else(|| world.now());
    let from = between.from.unwrap_or(to);
    Ok(Json(Truth {
        throughout: world.truth(on, &who, from, to)?,
        ever: world.ever_present(on, &who, from, to)?,
    }))
}
