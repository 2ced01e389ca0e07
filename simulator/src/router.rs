//! Which path is which platform, and the one way an [`Ask`] becomes a response.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    response::{IntoResponse as _, Response},
};

use crate::{
    admin,
    answer::Ask,
    bluesky, gitea,
    world::{Serve, World},
    x,
};

/// All platforms and the admin routes of one world.
pub fn router(world: Arc<World>) -> Router {
    Router::new()
        .merge(x::routes())
        .merge(bluesky::routes())
        .merge(gitea::routes())
        .nest("/admin", admin::routes())
        .with_state(world)
}

/// Answers, then takes the time the platform takes. The request is processed and charged *before* the delay: a
/// caller that dies meanwhile has spent the money, which is the harder case.
pub(crate) async fn respond(world: &World, ask: &Ask, serve: Serve) -> Response {
    let answer = world.answer(ask, serve);
    if answer.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
    }
    answer.into_response()
}
