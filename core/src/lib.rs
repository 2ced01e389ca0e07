//! Every decision of Followlytics, pure: no clock, random source, file, socket, runtime or client.
//!
//! ```text
//!  the shell (store, api, controller, runner, worker)      the core (this crate)
//!  ──────────────────────────────────────────────────      ─────────────────────────────────────
//!  reads rows in one transaction             ───────────►  claim, permit, accept, seam, decide
//!  writes exactly what it was told, commits  ◄───────────  the changed rows, as values
//!  talks to platforms, clocks, disks         ───────────►  plan, retry, certificate
//! ```
//! Times and random numbers are arguments. Nothing here can fail for a reason outside its arguments.

pub mod account;
pub mod clock;
pub mod health;
pub mod layout;
pub mod money;
pub mod mutants;
pub mod page;
pub mod platform;
pub mod retry;
pub mod row;
pub mod sandbox;
pub mod scan;
pub mod wire;
