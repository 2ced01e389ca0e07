//! Which control plane a command talks to: the one that `--server` or a kubeconfig names, a running one on the data
//! directory, or one of its own.

pub(crate) mod cluster;
mod socket;

use std::{path::PathBuf, time::Duration};

use followlytics_core::{
    account::Platform,
    health::{Health, Part},
};
use followlytics_worker::Manifest;
use kube::Client;

use crate::{
    args::Global,
    data::DataDir,
    exit::Failure,
    plane::{HEALTH, Options, Plane, SERVES},
    storage::Storage,
};

/// How long a command waits for a control plane that is just starting.
const STARTING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);
/// How long the health of the storage is waited for, and how often it is read.
const ANSWER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(500);

/// A control plane that a command talks to.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) data: DataDir,
    /// The command's own control plane; `None` when it talks to another process.
    pub(crate) plane: Option<Plane>,
    /// The address that named it, if one did: then its data directory is not known.
    pub(crate) named: Option<String>,
}

impl Session {
    /// The control plane for this command; `options` say what one of its own would do.
    pub(crate) async fn open(global: &Global, options: Options) -> Result<Self, Failure> {
        let data = DataDir::open(global.data.as_deref())?;
        if let Some((client, shown)) = named(global, &data).await? {
            return Ok(Self {
                client,
                data,
                plane: None,
                named: Some(shown),
            });
        }
        let mut waited = Duration::ZERO;
        loop {
            if let Some(path) = socket::running(&data).await {
                same_storage(global, &data)?;
                return Ok(Self {
                    client: socket::client(path, &global.namespace),
                    data,
                    plane: None,
                    named: None,
                });
            }
            // One that holds the lock and does not listen yet, or no longer: it will be either soon.
            if let Some(lock) = data.try_lock()? {
                let storage = Storage::chosen(global, &data)?;
                let plane = Plane::start(&data, lock, storage, options, &global.namespace).await?;
                return Ok(Self {
                    client: plane.client.clone(),
                    data,
                    plane: Some(plane),
                    named: None,
                });
            }
            if waited >= STARTING {
                return Err(data.in_use());
            }
            tokio::time::sleep(AGAIN).await;
            waited += AGAIN;
        }
    }

    /// Health of the storage, from the control plane's memory; `None` where it does not say.
    pub(crate) async fn health(&self) -> Option<Health> {
        if let Some(plane) = &self.plane {
            return Some(plane.monitor.health());
        }
        let request = http::Request::get(HEALTH).body(Vec::new()).ok()?;
        let answer = self.client.request::<Health>(request);
        tokio::time::timeout(ANSWER, answer).await.ok()?.ok()
    }

    /// Ends once the control plane says that its database is unavailable, with what it says of the storage.
    pub(crate) async fn database_away(&self) -> Health {
        loop {
            if let Some(health) = self.health().await
                && health
                    .find(Part::Database)
                    .is_some_and(|outage| outage.cause.is_away())
            {
                return health;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The base URL that another process's control plane uses for a platform, where it is known.
    pub(crate) fn base_url(&self, platform: Platform) -> Option<String> {
        if self.named.is_some() {
            return None;
        }
        said(&self.data, &platform.to_string())
    }

    /// What stands before the keys of objects: a directory or `s3://BUCKET/PREFIX`, where it is known.
    pub(crate) fn objects_root(&self) -> Option<PathBuf> {
        match (&self.plane, &self.named) {
            (Some(plane), _) => Some(plane.storage().objects_root().to_owned()),
            (None, Some(_)) => None,
            (None, None) => {
                Some(said(&self.data, "objects").map_or_else(|| self.data.objects(), PathBuf::from))
            }
        }
    }

    /// A result's manifest from the bucket of another process's control plane, where this one may read it.
    pub(crate) async fn read_manifest(&self, global: &Global, key: &str) -> Option<Manifest> {
        let root = self.objects_root()?;
        let objects = Storage::read_from(global, &self.data, &root)?;
        let bytes = objects.get(key).await.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The one Scan, `NAMESPACE/NAME`, that another command's own control plane works on; empty while it is not known
    /// yet. `None` where this command or `up` works on every Scan.
    pub(crate) fn serves(&self) -> Option<String> {
        if self.named.is_some() || self.plane.is_some() {
            return None;
        }
        said(&self.data, SERVES)
    }

    /// Whether another command's own control plane still runs.
    pub(crate) async fn is_alive(&self) -> bool {
        socket::running(&self.data).await.is_some()
    }

    /// Whether a control plane runs that works on every Scan.
    pub(crate) fn has_up(&self) -> bool {
        self.plane.is_none() && self.serves().is_none()
    }

    /// Ends the command's own control plane, if it has one.
    pub(crate) async fn close(self) {
        if let Some(plane) = self.plane {
            plane.stop().await;
        }
    }
}

/// What the control plane that runs on this data directory wrote down beside its address.
fn said(data: &DataDir, name: &str) -> Option<String> {
    let address = std::fs::read_to_string(data.address()).ok()?;
    let mut facts = address.lines().skip(1).filter_map(|line| line.split_once('='));
    facts.find_map(|(found, value)| (found == name).then(|| value.to_owned()))
}

/// The storage of the control plane that runs on this data directory; otherwise what the arguments name.
pub(crate) async fn storage(global: &Global, data: &DataDir) -> Result<Storage, Failure> {
    let chosen = Storage::chosen(global, data)?;
    if socket::running(data).await.is_none() {
        return Ok(chosen);
    }
    same_storage(global, data)?;
    let (database, objects) = (said(data, "database"), said(data, "objects"));
    chosen.used_by_another(database.as_deref(), objects.as_deref())
}

/// Fails where arguments name other storage than that of the control plane that runs on this data directory.
fn same_storage(global: &Global, data: &DataDir) -> Result<(), Failure> {
    let wanted = Storage::chosen(global, data)?;
    let named = [
        (
            "--database",
            global.database.is_some(),
            wanted.database(),
            "database",
        ),
        (
            "--objects",
            global.objects.is_some(),
            wanted.objects_root().display().to_string(),
            "objects",
        ),
    ];
    for (argument, is_named, wanted, name) in named {
        match said(data, name).filter(|_| is_named) {
            Some(used) if used != wanted => {
                return Err(Failure::usage(format!(
                    "failed to use {argument} {wanted}: the control plane that runs on the data directory {} uses {used}; \
                     leave {argument} out, or name another directory with --data DIR",
                    data.root().display()
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The control plane that arguments or the environment name, with its address.
async fn named(global: &Global, data: &DataDir) -> Result<Option<(Client, String)>, Failure> {
    let kubeconfig = cluster::kubeconfig(global)?;
    let Some(server) = &global.server else {
        return match kubeconfig {
            Some(kubeconfig) => cluster::client(kubeconfig, None, global).await.map(Some),
            None => Ok(None),
        };
    };
    if let Some(path) = socket::path(server) {
        if kubeconfig.is_some() {
            return Err(Failure::usage(format!(
                "failed to choose a control plane: {server} is a socket, which needs no kubeconfig; leave either out"
            )));
        }
        let client = socket::named(path, &global.namespace).await?;
        return Ok(Some((client, server.clone())));
    }
    if !server.starts_with("https://") {
        return Err(Failure::usage(format!(
            "failed to read --server: {server:?} is no address of a control plane; write unix:///PATH or \
             https://HOST:PORT"
        )));
    }
    let kubeconfig = match kubeconfig {
        Some(kubeconfig) => kubeconfig,
        None => cluster::own(data, server)?,
    };
    cluster::client(kubeconfig, Some(server), global).await.map(Some)
}
