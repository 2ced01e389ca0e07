//! Logs: on standard error, level by `FOLLOWLYTICS_LOG`; lines for people, JSON in children.

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Libraries that write what they send, a session's cookies among it, below the level `info`.
const TALKATIVE: [&str; 5] = ["chromiumoxide", "tungstenite", "tokio_tungstenite", "hyper", "h2"];

/// The environment variable with the level, such as `info` or `followlytics_controller=debug`.
pub(crate) const VARIABLE: &str = "FOLLOWLYTICS_LOG";

/// For whom logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person.
    Person,
    /// The parent process.
    Parent,
}

/// Turns logging on; the first call counts.
pub(crate) fn start(reader: Reader, level: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let filter = filter.and(filter_fn(is_told));
    let lines = fmt::layer().with_writer(std::io::stderr);
    // A second call would only mean that somebody else logs already.
    let _ = match reader {
        Reader::Person => tracing_subscriber::registry()
            .with(lines.with_target(false).with_filter(filter))
            .try_init(),
        Reader::Parent => tracing_subscriber::registry()
            .with(lines.json().flatten_event(true).with_filter(filter))
            .try_init(),
    };
}

/// Whether a library may tell this at all, whatever level was asked for.
fn is_told(about: &Metadata<'_>) -> bool {
    *about.level() <= Level::INFO || !TALKATIVE.iter().any(|name| about.target().starts_with(name))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_libraries_send_is_told_at_no_level() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().with_writer(move || writer.clone());
        let filter = EnvFilter::new("trace,chromiumoxide::conn=trace").and(filter_fn(is_told));
        let told = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::with_default(told, || {
            tracing::trace!(target: "chromiumoxide::conn", "c00k1e");
            tracing::debug!(target: "tungstenite::protocol", "c00k1e");
            tracing::warn!(target: "chromiumoxide::conn", "a warning");
            tracing::trace!(target: "followlytics_browser", "our own");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("c00k1e"), "{text}");
        assert!(text.contains("a warning") && text.contains("our own"), "{text}");
    }
}
