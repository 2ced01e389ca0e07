//! Time and chance, taken from the machine at the only place that may: everything else gets them from here.

use std::sync::{Arc, LazyLock};

use followlytics_platforms::clock::{Clock as _, SteadyClock};
use jiff::Timestamp;
use uuid::Uuid;

/// Environment variable by which a process hands its clock to those it starts: what it showed when the machine was
/// started, in microseconds since 1970.
pub(crate) const CLOCK_VARIABLE: &str = "FOLLOWLYTICS_CLOCK";

/// Who sets the system's clock moves no lease, window or month of a process that runs (decision 0023).
static CLOCK: LazyLock<SteadyClock> = LazyLock::new(|| {
    let handed = std::env::var(CLOCK_VARIABLE).ok();
    let at_boot = handed.and_then(|micros| Timestamp::from_microsecond(micros.parse().ok()?).ok());
    at_boot.map_or_else(SteadyClock::start, SteadyClock::since)
});

/// The time by this process's clock.
pub(crate) fn now() -> Timestamp {
    CLOCK.now()
}

/// This process's clock for one it starts: the value of [`CLOCK_VARIABLE`].
pub(crate) fn clock_to_hand_on() -> String {
    CLOCK.at_boot().as_microsecond().to_string()
}

/// This process's clock as the store and the API server take it.
pub(crate) fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(now)
}

/// A name nobody has.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the source that everything else takes from its context"
)]
pub(crate) fn new_id() -> Uuid {
    Uuid::new_v4()
}
