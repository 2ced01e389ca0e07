//! Tells watches that there is something to read. A hint only: the log in the store is the truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::sync::Notify;

/// One signal per resource, so that a busy kind does not wake the watches of a quiet one.
///
/// `Notify` wakes in the order of waiting. A `tokio::sync::watch` channel would not: it spreads its waiters over
/// eight queues at random, and a seeded simulation would not replay.
pub(crate) struct Wakeups(BTreeMap<String, Arc<Notify>>);

impl Wakeups {
    pub(crate) fn new(keys: impl Iterator<Item = String>) -> Self {
        Self(keys.map(|key| (key, Arc::default())).collect())
    }

    pub(crate) fn wake(&self, keys: &BTreeSet<String>) {
        for signal in keys.iter().filter_map(|key| self.0.get(key)) {
            signal.notify_waiters();
        }
    }

    pub(crate) fn wake_all(&self) {
        for signal in self.0.values() {
            signal.notify_waiters();
        }
    }

    /// `None` for a resource that is not served.
    pub(crate) fn of(&self, key: &str) -> Option<Arc<Notify>> {
        self.0.get(key).map(Arc::clone)
    }
}
