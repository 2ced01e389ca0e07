//! The broker behind a loopback socket, its ledger and its pages in files that reach the disk.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use followlytics_api::{
    broker::Broker,
    credentials::{Credentials, MemorySecrets},
};
use followlytics_platforms::{
    clock::{Clock as _, SystemClock},
    http::{Route, client},
};
use followlytics_store::{db::Db, ledger::Ledger, objects::Objects};
use tokio::{net::TcpListener, task::JoinSet};

use super::world::ledger_of;

/// A broker that is served.
pub(super) struct Loopback {
    pub(super) db: Db,
    pub(super) ledger: Ledger,
    /// Where it is.
    pub(super) url: String,
}

impl Loopback {
    /// Serves it until `servers` is dropped.
    pub(super) async fn open(files: &Path, servers: &mut JoinSet<()>) -> Result<Self> {
        let db = Db::open(&files.join("ledger.db"))?;
        let ledger = ledger_of(db.clone(), || SystemClock.now());
        let objects = Objects::files(&files.join("objects"))?;
        let credentials = Credentials::new(
            Arc::new(MemorySecrets::default()),
            client(Route::Internet)?,
            ledger.clone(),
        );
        let broker = Broker::new(ledger.clone(), objects, Arc::new(credentials)).router();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        servers.spawn(async move {
            let _ = axum::serve(listener, broker).await;
        });
        Ok(Self { db, ledger, url })
    }
}
