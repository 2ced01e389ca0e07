//! What browsers need of a control plane: their program is found for them, and profiles whose runner was killed are
//! deleted. These hold a session's cookies, and nobody else is left to do it.

use std::{path::PathBuf, time::Duration};

use followlytics_browser::Chromium;
use tokio::sync::watch;

/// Names the browser's program.
pub(super) const CHROMIUM: &str = "FOLLOWLYTICS_CHROMIUM";

/// How often it is looked for them.
const EVERY: Duration = Duration::from_secs(1);
/// How often, and how soon again, once all sandboxes have ended.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(100);

/// The program as it is found here: sandboxes have no `PATH` in which they could look for it, and another working
/// directory. One that is missing or cannot be used is told by the runner that wants it.
pub(super) async fn program() -> Option<PathBuf> {
    match std::env::var_os(CHROMIUM).filter(|named| !named.is_empty()) {
        Some(named) => std::path::absolute(named).ok(),
        None => Chromium::look(None).await.ok(),
    }
}

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

/// Deletes what ended runners leave behind: parts of a browser may still write for a moment.
pub(super) async fn clear() {
    for _ in 0..LOOKS {
        if sweep().await {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Deletes what is left behind, once; whether nothing is left.
async fn sweep() -> bool {
    let swept = tokio::task::spawn_blocking(|| followlytics_browser::sweep(None)).await;
    match swept {
        Ok(Ok(clear)) => clear,
        // Without a tmpfs there are no profiles either.
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "profiles of browsers could not be looked for");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "profiles of browsers were not looked for");
            true
        }
    }
}
