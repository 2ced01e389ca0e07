//! `/admin/accounts/{platform}/{who}/roll`, `/digest` and `/bulk`: the truth of long lists, and large changes.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::header;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use crate::{
    bulk::{BulkDone, BulkSpec},
    error::WorldError,
    moment::Point,
    roll::{Roll, RollDigest, RollOf},
    truth::Stretch,
    world::{World, milliseconds},
};

use super::error::{Document, platform};

type Shared = State<Arc<World>>;
type Who = Path<(String, String)>;

/// What is asked, and between which times or order numbers; without either the list as it is now.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    of: RollOf,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    from_order: Option<u64>,
    to_order: Option<u64>,
}

impl Asked {
    fn stretch(&self, world: &World) -> Result<Stretch, WorldError> {
        let by_order = self.from_order.is_some() || self.to_order.is_some();
        if by_order && (self.from.is_some() || self.to.is_some()) {
            let reason = "give times or order numbers, not both";
            return Err(WorldError::invalid("from", reason));
        }
        if let Some(from) = self.from {
            let to = self.to.unwrap_or_else(|| world.now());
            return Ok(Stretch {
                from: Point::Ms(milliseconds(from)),
                to: Point::Ms(milliseconds(to)),
            });
        }
        let to = self.to_order.unwrap_or_else(|| world.order());
        Ok(Stretch::orders(self.from_order.unwrap_or(to), to))
    }
}

/// One JSON document a line, as it is found: nothing is held but what is on its way.
pub(super) async fn roll(
    State(world): Shared,
    Path((on, who)): Who,
    Query(asked): Query<Asked>,
) -> Result<Response, WorldError> {
    let stretch = asked.stretch(&world)?;
    let roll = world.roll_in(platform(&on)?, &who, asked.of, stretch)?;
    let (lines, body) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || send(roll, &lines));
    let body = ReceiverStream::new(body).map(Ok::<_, Infallible>);
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(body)).into_response())
}

fn send(roll: Roll, lines: &mpsc::Sender<Bytes>) {
    for batch in roll {
        let mut text = Vec::with_capacity(batch.len() * 40);
        for row in batch {
            // Texts in a struct always serialise, and a Vec always takes them.
            let _ = serde_json::to_writer(&mut text, &row);
            text.push(b'\n');
        }
        if lines.blocking_send(Bytes::from(text)).is_err() {
            return;
        }
    }
}

pub(super) async fn digest(
    State(world): Shared,
    Path((on, who)): Who,
    Query(asked): Query<Asked>,
) -> Result<Json<RollDigest>, WorldError> {
    let stretch = asked.stretch(&world)?;
    let on = platform(&on)?;
    Ok(Json(world.roll_digest_in(on, &who, asked.of, stretch)?))
}

pub(super) async fn bulk(
    State(world): Shared,
    Path((on, who)): Who,
    Document(spec): Document<BulkSpec>,
) -> Result<Json<BulkDone>, WorldError> {
    Ok(Json(world.bulk(platform(&on)?, &who, spec)?))
}

pub(super) async fn order(State(world): Shared) -> Json<Value> {
    Json(json!({"order": world.order()}))
}
