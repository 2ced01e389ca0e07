//! `worker`: merges what scans brought, until it is ended.

use std::sync::Arc;

use followlytics_store::{health::Monitor, ledger::Ledger};

use crate::{
    args::Global,
    data::DataDir,
    edge,
    exit::{Exit, Failure},
    follow::Interrupt,
    output,
    storage::Storage,
};

/// An installation has one worker at a time, so the next one takes a dead one's job at once; were the first still alive,
/// its next write would be fenced.
const NAME: &str = "worker";

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    super::child(async {
        let data = DataDir::open(global.data.as_deref())?;
        let storage = Storage::chosen(global, &data)?;
        let monitor = Monitor::new(edge::now());
        let db = storage.open_database().await?.observed_by(&monitor);
        let ledger = Ledger::new(db.clone(), edge::clock(), Arc::new(|| edge::new_id().to_string()));
        let objects = storage.open_objects()?.observed_by(&monitor);
        let mut interrupt = Interrupt::listen()?;
        tokio::spawn(report(monitor.clone()));
        tokio::spawn(monitor.watch(db, Some(objects.clone()), None));
        followlytics_worker::run(&ledger, &objects, NAME, interrupt.wait()).await;
        Ok(Exit::Ok)
    })
}

/// Writes every change of the storage's health to standard output, which the control plane reads: the ledger cannot
/// carry it.
async fn report(monitor: Monitor) {
    let mut changes = monitor.subscribe();
    let mut reported = Vec::new();
    loop {
        let outages = changes.borrow_and_update().outages.clone();
        if outages != reported {
            let Ok(line) = serde_json::to_string(&outages) else {
                return;
            };
            // A control plane that is gone ends this process by itself.
            if output::print(&format!("{line}\n")).is_err() {
                return;
            }
            reported = outages;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
