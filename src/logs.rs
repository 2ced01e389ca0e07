//! Logs: on standard error, level by `FOLLOWLYTICS_LOG`; lines for people, JSON in children.

use tracing_subscriber::{EnvFilter, fmt};

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
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call would only mean that somebody else logs already.
    let _ = match reader {
        Reader::Person => builder.with_target(false).try_init(),
        Reader::Parent => builder.json().flatten_event(true).try_init(),
    };
}
