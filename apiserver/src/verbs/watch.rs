//! GET of a collection with `watch=true`: checks the request; the stream itself is [`crate::watch`].

use std::sync::Arc;

use axum::{body::Body, response::Response};
use futures::stream;
use http::StatusCode;
use std::convert::Infallible;
use tokio::time::Duration;

use crate::{
    present,
    router::Call,
    selector::Selector,
    server::Inner,
    status_error::StatusError,
    watch::{Start, Watch},
};

/// How long a watch runs that does not say how long.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

pub(crate) async fn watch(server: &Arc<Inner>, call: Call) -> Result<Response, StatusError> {
    let query = &call.query;
    let selector = Selector::parse(
        &call.resource,
        query.text("labelSelector"),
        query.text("fieldSelector"),
    )?;
    let timeout = query.seconds("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let bookmarks = query.flag("allowWatchBookmarks");
    let since = query.version("resourceVersion")?.filter(|version| *version > 0);
    let start = match (query.flag("sendInitialEvents"), since) {
        (true, _) if !bookmarks => {
            return Err(StatusError::bad_request(
                "sendInitialEvents needs allowWatchBookmarks=true",
            ));
        }
        (true, _) => Start::StateAndBookmark,
        (false, Some(since)) => Start::Since(since),
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
