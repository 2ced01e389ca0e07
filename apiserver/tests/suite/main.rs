//! The API server, through kube and raw requests. One program, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod apply;
mod bounds;
mod controller;
mod managers;
mod objects;
mod openapi;
mod owners;
mod pages;
mod refusals;
mod scale;
mod server;
mod tables;
mod toolkit;
mod watch;
