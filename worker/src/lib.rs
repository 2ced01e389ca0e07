//! The worker: background jobs on what scans have brought.
//!
//! Owns how the pages of a scan become its result: sorted runs while the scan goes on, then Parquet parts, a
//! manifest, and the transaction that makes them visible. Knows no platform, no sandbox and no custom resource; it
//! meets the other parts in ledger rows and object keys alone. Durable is nothing here: a worker may die at any
//! moment, and the next one goes on behind the last object that the ledger knows of.
//!
//! What is in memory does not grow with a scan: the rows of one run of pages, or a few thousand rows of each run
//! that is merged.

#[cfg(test)]
mod bench;
mod combine;
mod compact;
pub mod diff;
mod erase;
mod error;
pub mod export;
mod heartbeat;
mod lanes;
mod merge;
mod pages;
pub mod read;
mod repair;
mod rows;
mod run;
mod settings;
mod sweep;
pub mod synthetic;
mod work;

pub use erase::erase;
pub use error::WorkerError;
pub use merge::manifest::{Manifest, Part};
pub use read::{read_manifest, read_part, result_ids};
pub use rows::Tail;
pub use run::{run, run_one, run_one_with};
pub use settings::Settings;
pub use sweep::sweep;
