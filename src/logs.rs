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
