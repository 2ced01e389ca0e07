//! Scans of real servers: Gitea on SQLite and on PostgreSQL, Bluesky's PDS and AppView.
//!
//! Each round scans one account several times: quiet, with changes through the server's own API, and with changes
//! while runners are killed. The exported result is compared with the server's database.
//!
//! `FOLLOWLYTICS_SERVER_RUNS` sets the number of rounds per test. One round is short; more rounds have longer lists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking, and its parts share their toolkit"
)]

mod bluesky;
mod gitea;
mod round;
mod tally;
mod worlds;
