//! `/admin/faults`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    error::WorldError,
    faults::{FaultSpec, FaultView},
    world::World,
};

use super::error::Document;

pub(super) async fn list(State(world): State<Arc<World>>) -> Json<Vec<FaultView>> {
    Json(world.faults())
}

pub(super) async fn set(
    State(world): State<Arc<World>>,
    Document(spec): Document<FaultSpec>,
) -> Result<(StatusCode, Json<Value>), WorldError> {
    let id = world.set_fault(spec)?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))))
}

pub(super) async fn clear(State(world): State<Arc<World>>, Path(id): Path<u64>) -> StatusCode {
    if world.clear_fault(id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

pub(super) async fn clear_all(State(world): State<Arc<World>>) -> StatusCode {
    world.clear_faults();
    StatusCode::NO_CONTENT
}
