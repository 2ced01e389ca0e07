//! The seeded whole-system simulation: runners, broker, ledger, objects, worker, reconcilers and platforms in
//! one thread with virtual time.
//!
//! A seed decides everything: which accounts, how they change, how long each message takes, which are lost,
//! who is killed or frozen between any two awaits. One seed run twice gives the same trace, byte for byte.
//! First chaos, then everything heals and every scan must reach its end. The invariants of the design are
//! checked after every message.

mod browser;
mod chance;
mod fleet;
mod invariants;
mod net;
mod objects;
mod plane;
mod run;
mod scenario;
mod shared;
mod verify;
mod web;
mod world;

pub use run::{Report, run};
pub use scenario::Scenario;
