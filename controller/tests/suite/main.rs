//! The reconcilers, over a real ledger and the embedded API server. One program, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod reconcile_sandbox;
mod reconcile_scan;
mod run;
mod toolkit;
