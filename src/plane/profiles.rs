//! Profiles of browsers whose runner was killed: they hold a session's cookies, and nobody is left to delete them.

use std::time::Duration;

use tokio::sync::watch;

/// How often it is looked for them.
const EVERY: Duration = Duration::from_secs(1);

/// Deletes what is left behind until it is told to stop: at once, and from then on where there are browsers.
pub(super) async fn keep_swept(has_browsers: bool, mut stop: watch::Receiver<bool>) {
    loop {
        sweep().await;
        if !has_browsers {
            return;
        }
        tokio::select! {
            // A sender that is gone means the same.
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Deletes what is left behind, once.
pub(super) async fn sweep() {
    let swept = tokio::task::spawn_blocking(|| followlytics_browser::sweep(None)).await;
    match swept {
        // Without a tmpfs there are no profiles either.
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "profiles of browsers could not be looked for");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "profiles of browsers were not looked for"),
    }
}
