//! The seeded whole-system simulation: runners, broker, ledger, objects, worker, reconcilers and platforms in
//! one thread with virtual time.
//!
//! A seed decides everything: which accounts, how they change, how long each message takes, which are lost,
//! who is killed or frozen between any two awaits. One seed run twice gives the same trace, byte for byte.
//! First chaos, then everything heals and every scan must reach its end. The invariants of the design are
//! checked after every message.

mod again;
mod browser;
mod chance;
mod fleet;
mod invariants;
mod net;
mod objects;
mod outage;
mod people;
mod plane;
mod rare;
mod run;
mod scenario;
mod shared;
mod verify;
mod web;
mod workers;
mod world;
mod worlds;

pub use run::{Report, run};
pub use scenario::{Clocks, Scenario};
pub use worlds::{WORLDS, World};
