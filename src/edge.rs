//! Time and chance, taken from the machine at the only place that may: everything else gets them from here.

use std::sync::Arc;

use followlytics_platforms::clock::{Clock as _, SystemClock};
use jiff::Timestamp;
use uuid::Uuid;

/// The time by the machine's clock.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// The machine's clock as the store and the API server take it.
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
