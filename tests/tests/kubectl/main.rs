//! An ordinary kubectl against `followlytics up`: the real programs, simulated platforms, the kubeconfig that `up` wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking, and its parts share one toolkit"
)]

mod access;
mod discovery;
mod kubectl;
mod read;
mod refusals;
mod scan;
mod write;
