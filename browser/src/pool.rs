//! The tabs of one browser and which call has which; what its pages learned of accounts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use followlytics_core::scan::range::Place;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{chromium::Chromium, error::BrowserError, graphql::Found, tab::Tab};

/// The accounts that were looked up: the body of the answer, for pages that ask the same again.
#[derive(Debug, Default)]
pub(crate) struct Users {
    known: Mutex<BTreeMap<String, User>>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct User {
    body: Bytes,
    protected: bool,
}

impl Users {
    /// Waits until no other tab looks an account up.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.asking.lock().await
    }

    pub(crate) fn learn(&self, handle: &str, found: &Found, body: &Bytes) {
        let Found::Account { protected, .. } = found else {
            return;
        };
        let user = User {
            body: body.clone(),
            protected: *protected,
        };
        let mut users = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(handle.to_ascii_lowercase(), user);
    }

    pub(crate) fn body(&self, handle: &str) -> Option<Bytes> {
        let users = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        users
            .get(&handle.to_ascii_lowercase())
            .map(|user| user.body.clone())
    }

    pub(crate) fn is_protected(&self, handle: &str) -> bool {
        let users = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        users
            .get(&handle.to_ascii_lowercase())
            .is_some_and(|user| user.protected)
    }
}

/// The tabs.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Tab>>,
    most: usize,
    places: Arc<Semaphore>,
}

/// A tab for one call. Dropped before it is given back, the tab is closed.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    tab: Option<Tab>,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            idle: Mutex::default(),
            most,
            places: Arc::new(Semaphore::new(most)),
        }
    }

    /// A tab for this place of this account's list: the one whose page goes on there, else one that is free,
    /// else a new one, else the one that rested longest. Waits while every tab is in use.
    pub(crate) async fn take(
        &self,
        chromium: &Chromium,
        handle: &str,
        place: Option<&Place>,
    ) -> Result<(Lease<'_>, Tab), BrowserError> {
        let permit = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| BrowserError::Gone)?;
        let lease = Lease {
            pool: self,
            tab: None,
            _place: permit,
        };
        self.idle().retain_mut(Tab::is_alive);
        match self.pick(handle, place) {
            Some(tab) => Ok((lease, tab)),
            None => Ok((lease, Tab::new(chromium).await?)),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Tab>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pick(&self, handle: &str, place: Option<&Place>) -> Option<Tab> {
        let mut idle = self.idle();
        let in_use = self.most - self.places.available_permits();
        // The caller's own place counts among those in use, and its tab does not exist yet.
        let has_room = idle.len() + in_use <= self.most;
        let goes_on = |tab: &Tab| tab.shows(handle) && place.is_some_and(|place| tab.continues_at(place));
        let at = idle
            .iter()
            .position(goes_on)
            .or_else(|| idle.iter().position(Tab::is_free))
            .or_else(|| (!has_room && !idle.is_empty()).then_some(0));
        at.map(|at| idle.remove(at))
    }
}

impl Lease<'_> {
    /// Ends the call; the tab waits for another.
    pub(crate) fn give_back(mut self, tab: Tab) {
        self.tab = Some(tab);
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(tab) = self.tab.take() {
            self.pool.idle().push(tab);
        }
    }
}
