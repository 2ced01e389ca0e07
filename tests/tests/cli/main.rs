//! The `followlytics` command from outside: the real program, real processes, real sockets, simulated platforms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod consent;
mod demo;
mod figures;
mod inputs;
mod money;
mod objects;
mod objects_read;
mod platforms;
mod remedies;
mod remote;
mod results;
mod shell;
mod storage;
mod terminal;
