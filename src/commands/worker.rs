//! `worker`: merges what scans brought, until it is ended.

use std::sync::Arc;

use followlytics_store::ledger::Ledger;

use crate::{
    args::Global,
    data::DataDir,
    edge,
    exit::{Exit, Failure},
    follow::Interrupt,
    storage::Storage,
};

/// An installation has one worker at a time, so the next one takes a dead one's job at once; were the first still alive,
/// its next write would be fenced.
const NAME: &str = "worker";

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    super::child(async {
        let data = DataDir::open(global.data.as_deref())?;
        let storage = Storage::chosen(global, &data)?;
        let ledger = Ledger::new(
            storage.open_database().await?,
            edge::clock(),
            Arc::new(|| edge::new_id().to_string()),
        );
        let objects = storage.open_objects()?;
        let mut interrupt = Interrupt::listen()?;
        followlytics_worker::run(&ledger, &objects, NAME, interrupt.wait()).await;
        Ok(Exit::Ok)
    })
}
