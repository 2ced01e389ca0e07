//! Scans with a browser from outside: the real program, real processes, a real Chromium, and a simulated X.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod accidents;
mod fallback;
mod faults;
mod lists;
mod refusals;
mod stage;
