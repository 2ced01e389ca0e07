//! The one place where the tooling reads the wall clock or waits: nothing here is ever replayed.

use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "the tooling measures real runs; it is no part of the simulation"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the tooling waits for real processes")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
