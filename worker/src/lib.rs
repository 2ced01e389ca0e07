//! The worker: background jobs on what scans have brought.
//!
//! Owns how the pages of a scan become its result: Parquet parts, a manifest, and the transaction that makes
//! them visible. Knows no platform, no sandbox and no custom resource; it meets the other parts in ledger rows
//! and object keys alone. Durable is nothing here: a worker may die at any moment, and the next one begins the
//! job again.
//!
//! A merge keeps all rows of one scan in memory, about half a kilobyte each.

#[cfg(test)]
mod bench;
mod erase;
mod error;
mod heartbeat;
mod merge;
mod read;
mod run;

pub use erase::erase;
pub use error::WorkerError;
pub use merge::manifest::{Manifest, Part};
pub use read::{read_manifest, read_part, result_ids};
pub use run::{run, run_one};
