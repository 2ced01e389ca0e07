//! The server as a value: what it holds and what it is given from outside.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use axum::Router;
use followlytics_store::db::Db;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    admission::{Birth, ManagedFields, admit_create},
    apply::Writer,
    builtin::{self, DEFAULT_NAMESPACE},
    object::Object,
    registry::Registry,
    router,
    status_error::StatusError,
    wakeups::Wakeups,
    write::Write,
};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where uids and generated names come from; every call must give a new one.
pub type Ids = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// Changes that watches can still be told of.
const LOG_LIMIT: i64 = 10_000;

/// The API server. Cheap to clone; clones are the same server.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) registry: Registry,
    pub(crate) wakeups: Wakeups,
    log_limit: AtomicI64,
    clock: Clock,
    ids: Ids,
    prepared: OnceCell<()>,
    closed: AtomicBool,
}

impl ApiServer {
    /// A server over `db`. Nothing is read or written before the first request.
    ///
    /// A database takes one server at a time: watches are woken within the process.
    pub fn new(db: Db, registry: Registry, clock: Clock, ids: Ids) -> Self {
        let wakeups = Wakeups::new(registry.iter().map(|resource| resource.key.clone()));
        let inner = Inner {
            db,
            registry,
            wakeups,
            log_limit: AtomicI64::new(LOG_LIMIT),
            clock,
            ids,
            prepared: OnceCell::new(),
            closed: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The same server with another number of changes, at least one, that watches can still be told of.
    ///
    /// Fewer need less space; a client that is further behind lists again. 10,000 unless told.
    #[must_use]
    pub fn with_log_limit(self, changes: i64) -> Self {
        self.inner.log_limit.store(changes.max(1), Ordering::SeqCst);
        self
    }

    /// The service: hand it to `kube::Client::new`, or serve it on a socket.
    pub fn router(&self) -> Router {
        router::router(Arc::clone(&self.inner))
    }

    /// Ends every running watch, so that a graceful shutdown need not wait for their time-outs.
    ///
    /// New watches end at once; other requests are answered as before.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::SeqCst);
        self.inner.wakeups.wake_all();
    }
}

impl Inner {
    pub(crate) fn log_limit(&self) -> i64 {
        self.log_limit.load(Ordering::SeqCst)
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        (self.clock)()
    }

    /// The time as Kubernetes writes it: RFC 3339, whole seconds.
    pub(crate) fn now(&self) -> String {
        self.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(crate) fn new_uid(&self) -> String {
        (self.ids)().to_string()
    }

    /// `prefix` and five characters that spell no word, as Kubernetes makes them.
    pub(crate) fn new_name(&self, prefix: &str) -> String {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        let id = (self.ids)();
        // The last bytes are random in every version of uuid.
        let suffix = id.as_bytes().iter().rev().take(5);
        let letter = |byte: &u8| {
            LETTERS
                .get(usize::from(*byte) % LETTERS.len())
                .copied()
                .map_or('b', char::from)
        };
        prefix.chars().chain(suffix.map(letter)).collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Creates the default namespace, once, before the first request is answered.
    pub(crate) async fn prepare(&self) -> Result<(), StatusError> {
        self.prepared
            .get_or_try_init(|| self.create_default_namespace())
            .await
            .copied()
    }

    async fn create_default_namespace(&self) -> Result<(), StatusError> {
        let resource = builtin::namespaces();
        let mut write = Write::begin(self, false).await?;
        if write.find(&resource.key, "", DEFAULT_NAMESPACE).await?.is_some() {
            return Ok(());
        }
        let candidate = Object::from_value(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": DEFAULT_NAMESPACE},
        }))?;
        let birth = Birth {
            uid: self.new_uid(),
            now: write.now.clone(),
            namespace: "",
        };
        let now = write.now.clone();
        let writer = Writer {
            manager: "followlytics",
            subresource: "",
            now: &now,
        };
        let object = admit_create(&resource, candidate, birth, ManagedFields::Track(writer))?;
        write.insert(&resource.key, object).await?;
        write.commit().await
    }
}
