//! GET of a collection with `watch=true`: checks the request; the stream itself is [`crate::watch`].

use std::sync::Arc;

use axum::{body::Body, response::Response};
use futures::stream;
use http::StatusCode;
use std::convert::Infallible;
use tokio::time::Duration;

use crate::{
    present,
    present::View,
    router::Call,
    selector::Selector,
    server::Inner,
    status_error::{Cause, StatusError},
    watch::{Start, Watch},
};

/// How long a watch runs that does not say how long.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

pub(crate) async fn watch(server: &Arc<Inner>, call: Call) -> Result<Response, StatusError> {
    check_options(&call)?;
    // Refused now rather than in the stream.
    View::of(server, &call)?;
    let query = &call.query;
    let selector = Selector::of(&call)?;
    let timeout = query.number("timeoutSeconds")?;
    let timeout = timeout.and_then(|seconds| u64::try_from(seconds).ok().filter(|seconds| *seconds > 0));
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let bookmarks = query.flag("allowWatchBookmarks");
    let since = query.version().map_err(StatusError::unexplained)?;
    let since = since.filter(|version| *version > 0);
    let start = match (query.flag("sendInitialEvents"), since) {
        (true, since) => Start::StateAndBookmark { at_least: since },
        (false, Some(since)) => Start::Since(since),
        (false, None) if query.has("sendInitialEvents") => Start::Now,
        (false, None) => Start::State,
    };
    let mut watch = Watch::new(Arc::clone(server), call, selector, timeout, bookmarks)?;
    // The state is read before the answer begins, so that a failure is a status and not a broken stream.
    watch.start(start).await?;
    let chunks = stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next_chunk().await?;
        Some((Ok::<_, Infallible>(chunk), watch))
    });
    Ok(present::raw(StatusCode::OK, Body::from_stream(chunks)))
}

/// The rules for initial events and the version they are of.
fn check_options(call: &Call) -> Result<(), StatusError> {
    let field = "resourceVersionMatch";
    let matching = call.query.text(field);
    let initial = call.query.has("sendInitialEvents");
    let mut causes = Vec::new();
    if initial && matching != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(Cause::forbidden(field, why));
    }
    if !matching.is_empty() {
        if !initial {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            causes.push(Cause::forbidden(field, why));
        }
        if matching != "NotOlderThan" {
            causes.push(Cause::not_supported(field, &matching.into(), &["NotOlderThan"]));
        }
        if !call.query.text("continue").is_empty() {
            causes.push(Cause::forbidden(
                field,
                "resourceVersionMatch is forbidden with continue",
            ));
        }
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(StatusError::invalid_options("ListOptions", &causes))
    }
}
