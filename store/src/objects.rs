//! The objects: bytes under keys, written once and never changed.
//!
//! ## What do we store?
//! Pages, parts of results and their manifests, each under a key of `core::layout`. An object is whole and
//! durable before [`Objects::create`] answers; a crash before that leaves no object, at most a staging file
//! (`<key>#<n>`) that no listing shows. Knows neither what the bytes mean nor which row names them.
//!
//! Files are read and written on tokio's blocking threads, whose order is chance; the memory store answers at
//! the first poll. A simulation that must replay therefore uses [`Objects::memory`].

mod error;
mod many;
mod place;
mod probe;
mod s3;

use std::{
    future::Future,
    ops::Range,
    path::Path as FilePath,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use followlytics_core::health::{Access, Part};
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, local::LocalFileSystem, memory::InMemory, path::Path,
};

use place::Place;

use crate::health::Monitor;

pub use error::ObjectsError;
pub use place::Patience;
pub use s3::S3Options;

/// How often a create is tried that loses against a writer that writes nothing.
const TRIES_AGAINST_NOBODY: u32 = 8;

/// What became of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// This call wrote the object.
    New,
    /// It was there before. With a key that carries the hash of its bytes that is a success; with any other
    /// the caller compares the bytes.
    Existed,
}

/// A store of objects; cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    place: Arc<Place>,
    /// Shared with the HTTP client of a bucket, which notices a refused connection before the call gives up.
    monitor: Arc<OnceLock<Monitor>>,
}

impl Objects {
    /// Objects as files under this directory, which is created. Every create reaches the disk.
    pub fn files(root: &FilePath) -> Result<Self, ObjectsError> {
        let refused = |detail: String| ObjectsError::Open {
            path: root.display().to_string(),
            detail,
        };
        std::fs::create_dir_all(root).map_err(|source| refused(source.to_string()))?;
        let system = LocalFileSystem::new_with_prefix(root)
            .map_err(|source| refused(source.to_string()))?
            .with_fsync(true);
        Ok(Self {
            store: Arc::new(system.clone()),
            place: Arc::new(Place::Files {
                root: root.to_owned(),
                system,
            }),
            monitor: Arc::default(),
        })
    }

    /// Objects that live as long as this value and its clones; for simulation and tests.
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    /// Objects in any store whose `PutMode::Create` has one winner.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            place: Arc::new(Place::Memory),
            monitor: Arc::default(),
        }
    }

    /// The same objects, whose calls this monitor observes.
    #[must_use]
    pub fn observed_by(self, monitor: &Monitor) -> Self {
        // The first monitor stays: one process has one.
        let _ = self.monitor.set(monitor.clone());
        self
    }

    /// Runs a call under the monitor, if there is one.
    fn observe<T>(
        &self,
        access: Access,
        bytes: u64,
        stored: impl FnOnce(&T) -> bool,
        call: impl Future<Output = Result<T, ObjectsError>>,
    ) -> impl Future<Output = Result<T, ObjectsError>> {
        // Boxed, or every caller's future carries the call twice.
        let call = Box::pin(call);
        async move {
            match self.monitor.get() {
                None => call.await,
                Some(monitor) => {
                    monitor
                        .observe((Part::Objects, access), bytes, stored, call)
                        .await
                }
            }
        }
    }

    /// Where the objects lie, for people; no secret is in it.
    pub fn describe(&self) -> String {
        self.place.to_string()
    }

    /// Writes an object that does not exist yet; of concurrent callers one is told `New`.
    ///
    /// An object that exists keeps its bytes. Either answer means that the object is durable.
    pub async fn create(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Created, ObjectsError> {
        let bytes: Bytes = bytes.into();
        let size = bytes.len() as u64;
        let is_new = |created: &Created| *created == Created::New;
        self.observe(Access::Write, size, is_new, self.create_now(key, bytes))
            .await
    }

    async fn create_now(&self, key: &str, bytes: Bytes) -> Result<Created, ObjectsError> {
        let path = path(key)?;
        let size = bytes.len() as u64;
        for _ in 0..TRIES_AGAINST_NOBODY {
            let put = self
                .store
                .put_opts(&path, bytes.clone().into(), PutMode::Create.into());
            match self.place.within(size, put).await {
                Ok(_) => return Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    if self.settle(key, &path).await? {
                        return Ok(Created::Existed);
                    }
                }
                Err(source) => return Err(self.refusal(key, source)),
            }
        }
        Err(ObjectsError::Contended { key: key.to_owned() })
    }

    /// The bytes of an object.
    pub async fn get(&self, key: &str) -> Result<Bytes, ObjectsError> {
        let path = path(key)?;
        let open = async {
            let found = self.place.within(0, self.store.get(&path)).await;
            found.map_err(|source| self.refusal(key, source))
        };
        let found = self.observe(Access::Read, 0, |_| false, open).await?;
        let size = found.meta.size;
        let read = async {
            let bytes = self.place.within(size, found.bytes()).await;
            bytes.map_err(|source| self.refusal(key, source))
        };
        self.observe(Access::Read, size, |_| false, read).await
    }

    /// The length of an object in bytes.
    pub async fn size(&self, key: &str) -> Result<u64, ObjectsError> {
        let path = path(key)?;
        let head = async {
            let found = self.place.within(0, self.store.head(&path)).await;
            Ok(found.map_err(|source| self.refusal(key, source))?.size)
        };
        self.observe(Access::Read, 0, |_| false, head).await
    }

    /// The bytes of an object from `range.start` to before `range.end`; where it ends sooner, those that are there.
    ///
    /// Whoever knows how long the object has to be compares: an answer that is too short is a truncated object.
    pub async fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectsError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        self.observe(Access::Read, length, |_| false, self.read_range_now(key, range))
            .await
    }

    async fn read_range_now(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectsError> {
        let path = path(key)?;
        let (start, length) = (range.start, range.end - range.start);
        let read = self.place.within(length, self.store.get_range(&path, range));
        match read.await {
            Ok(bytes) => Ok(bytes),
            Err(source) => {
                let error = self.refusal(key, source);
                // Every store has its own error for a range behind the end; the length decides.
                if error.may_be_a_range() && self.size(key).await? <= start {
                    return Ok(Bytes::new());
                }
                Err(error)
            }
        }
    }

    /// Deletes an object; one that does not exist is deleted already.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        let path = path(key)?;
        let delete = async {
            match self.place.within(0, self.store.delete(&path)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(Ok(())),
                Err(source) => match self.refusal(key, source) {
                    // A store that keeps what it has is no outage: no scan waits for a deletion.
                    denied @ ObjectsError::Denied { .. } => Ok(Err(denied)),
                    error => Err(error),
                },
            }
        };
        self.observe(Access::Read, 0, |_| false, delete).await?
    }

    /// Whether an object that somebody else wrote is there, and durable. A file's writer may have died, or still be,
    /// between its name and the flush of its directory, and the caller goes on to commit a row that names it; S3
    /// also refuses a writer because of another one that has not won, and may not win.
    async fn settle(&self, key: &str, path: &Path) -> Result<bool, ObjectsError> {
        let refusal = |source| self.refusal(key, source);
        let system = match self.place.as_ref() {
            Place::Memory => return Ok(true),
            Place::Bucket(_) => {
                return match self.place.within(0, self.store.head(path)).await {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::NotFound { .. }) => Ok(false),
                    Err(source) => Err(refusal(source)),
                };
            }
            Place::Files { system, .. } => system,
        };
        let file = system.path_to_filesystem(path).map_err(refusal)?;
        let flushed = tokio::task::spawn_blocking(move || match file.parent() {
            Some(folder) => std::fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        });
        let flushed = flushed
            .await
            .map_err(|source| refusal(object_store::Error::JoinError { source }))?;
        flushed.map_err(|source| {
            refusal(object_store::Error::Generic {
                store: "LocalFileSystem",
                source: Box::new(source),
            })
        })?;
        Ok(true)
    }

    fn refusal(&self, key: &str, source: object_store::Error) -> ObjectsError {
        ObjectsError::new(key, source, &self.place)
    }
}

fn path(key: &str) -> Result<Path, ObjectsError> {
    Path::parse(key).map_err(|source| ObjectsError::Key {
        key: key.to_owned(),
        source,
    })
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
