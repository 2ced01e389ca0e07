//! `worker`: merges what scans brought, until it is ended.

use std::sync::Arc;

use followlytics_store::{db::Db, ledger::Ledger, objects::Objects};

use crate::{
    args::Global,
    data::DataDir,
    edge,
    exit::{Exit, Failure},
    follow::Interrupt,
};

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    super::child(async {
        let data = DataDir::open(global.data.as_deref())?;
        let ledger = Ledger::new(
            Db::open(&data.ledger())?,
            edge::clock(),
            Arc::new(|| edge::new_id().to_string()),
        );
        let objects = Objects::files(&data.objects()).map_err(|error| Failure::storage(error.to_string()))?;
        let mut interrupt = Interrupt::listen()?;
        let name = format!("worker-{}", std::process::id());
        followlytics_worker::run(&ledger, &objects, &name, interrupt.wait()).await;
        Ok(Exit::Ok)
    })
}
