//! Sweeping: deleting objects that no row names, a day after that was first seen.

use followlytics_store::{ledger::Ledger, objects::Objects};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::WorkerError;

/// What a lost worker or broker may leave behind. Nothing else is looked at.
const PREFIXES: [&str; 3] = ["pages/", "shards/", "results/"];
/// Keys looked at at once.
const KEYS: usize = 1000;

/// Deletes the objects that were strays a day ago and still are; returns how many. Safe to repeat at any time; in
/// memory are about a thousand keys.
pub async fn sweep(ledger: &Ledger, objects: &Objects) -> Result<u64, WorkerError> {
    let mut deleted = 0;
    for prefix in PREFIXES {
        let mut chunks = Box::pin(objects.keys(prefix).try_chunks(KEYS));
        while let Some(keys) = chunks.next().await {
            let keys = keys.map_err(|error| error.1)?;
            for key in ledger.find_strays(&keys).await? {
                objects.delete(&key).await?;
                ledger.forget_stray(&key).await?;
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}
