//! What every reconciler is given: clients, the clock, and what the operator chose.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use followlytics_core::{
    sandbox::decide as sandboxes,
    scan::decide::{self as scans, Want},
};
use followlytics_store::ledger::Ledger;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use crate::backends::Backend;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The Scans that a control plane works on.
#[derive(Debug, Clone, Default)]
pub enum Serves {
    /// Every Scan.
    #[default]
    All,
    /// The Scan with this uid; `None` while it is not known yet.
    One(watch::Receiver<Option<String>>),
}

impl Serves {
    /// Whether it works on the Scan with this uid; `None` while that is not known yet.
    pub(crate) fn works_on(&self, uid: &str) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::One(served) => served.borrow().as_ref().map(|served| served == uid),
        }
    }
}

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where sandboxes reach the broker: an `http://` URL, or the path of a socket.
    pub broker: String,
    /// Runners at once over the whole installation.
    pub max_runners: u32,
    /// Which Scans it works on; the others are told apart, paused and deleted, and no runner is started for them.
    pub serves: Serves,
    /// For Scans.
    pub scans: scans::Policy,
    /// For Sandboxes.
    pub sandboxes: sandboxes::Policy,
}

/// What every reconciler is given.
pub struct Context {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) settings: Settings,
    clock: Clock,
    /// Held while runners are counted and created, so that two scans don't both take the last place.
    pub(crate) admission: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

/// What may be forgotten: after a restart it costs a write or a look more, or a runner that is given back.
#[derive(Default)]
pub(crate) struct Memory {
    /// When a scan's status was last written, by uid.
    pub(crate) written: BTreeMap<String, Timestamp>,
    /// Generation of scans that are over and cleared away, by uid.
    pub(crate) settled: BTreeMap<String, i64>,
    /// Runners that each scan wanted when it was last looked at, by uid.
    pub(crate) wants: BTreeMap<String, Want>,
    /// Failed reconciles in a row, by uid.
    pub(crate) failures: BTreeMap<String, u32>,
    /// Outages that events were written for, by uid.
    pub(crate) announced: BTreeMap<String, BTreeSet<String>>,
}

impl Memory {
    /// Forgets an object that is gone.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.written.remove(uid);
        self.settled.remove(uid);
        self.wants.remove(uid);
        self.failures.remove(uid);
        self.announced.remove(uid);
    }
}

impl Context {
    /// A context; share it among all reconcilers of an installation.
    pub fn new(
        client: Client,
        ledger: Ledger,
        backend: Arc<dyn Backend>,
        clock: Clock,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            ledger,
            backend,
            settings,
            clock,
            admission: tokio::sync::Mutex::new(()),
            memory: Mutex::default(),
        })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing panics while holding it; and what is in it may be lost anyway.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
