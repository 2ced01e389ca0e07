//! Which path is which platform, and the one way an [`Ask`] becomes a response.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    response::{IntoResponse as _, Response},
};

use crate::{
    admin,
    answer::Ask,
    bluesky, gitea, github, mastodon,
    world::{Platform, Serve, World},
    x,
};

/// All platforms and the admin routes of one world.
pub fn router(world: Arc<World>) -> Router {
    // Absent, `/{handle}` catches nothing.
    let web = if world.config().x.web.enabled {
        x::web::routes()
    } else {
        Router::new()
    };
    Router::new()
        .merge(x::routes())
        .merge(web)
        .merge(bluesky::routes())
        .merge(gitea::routes())
        .merge(github::routes())
        .merge(mastodon::routes())
        .nest("/admin", admin::routes())
        .with_state(world)
}

/// Answers, then takes the time the platform takes. The request is processed and charged *before* the delay: a
/// caller that dies meanwhile has spent the money, which is the harder case.
pub(crate) async fn respond(world: &World, ask: &Ask, serve: Serve) -> Response {
    let _at_once = AtOnce::enter(world, ask);
    let answer = world.answer(ask, serve);
    if answer.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(answer.delay_ms.into())).await;
    }
    answer.into_response()
}

/// A request being answered, for limits on how many there are at once.
struct AtOnce<'a> {
    world: &'a World,
    who: Option<String>,
}

impl<'a> AtOnce<'a> {
    fn enter(world: &'a World, ask: &Ask) -> Self {
        let counted = ask.realm.platform == Platform::Github;
        let who = counted.then(|| ask.caller());
        if let Some(who) = &who {
            *world.lock().in_flight.entry(who.clone()).or_default() += 1;
        }
        Self { world, who }
    }
}

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        let Some(who) = &self.who else { return };
        let mut state = self.world.lock();
        if let Some(count) = state.in_flight.get_mut(who) {
            *count -= 1;
            if *count == 0 {
                state.in_flight.remove(who);
            }
        }
    }
}
