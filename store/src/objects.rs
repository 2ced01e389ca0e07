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

use std::{
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, local::LocalFileSystem, memory::InMemory, path::Path,
};

pub use error::ObjectsError;

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
    files: Option<Arc<Files>>,
}

/// What only a store of files has.
struct Files {
    root: PathBuf,
    system: LocalFileSystem,
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
        let files = Files {
            root: root.to_owned(),
            system: system.clone(),
        };
        Ok(Self {
            store: Arc::new(system),
            files: Some(Arc::new(files)),
        })
    }

    /// Objects that live as long as this value and its clones; for simulation and tests.
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    /// Objects in any store whose `PutMode::Create` has one winner.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, files: None }
    }

    /// Writes an object that does not exist yet; of concurrent callers one is told `New`.
    ///
    /// An object that exists keeps its bytes. Either answer means that the object is durable.
    pub async fn create(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Created, ObjectsError> {
        let path = path(key)?;
        match self
            .store
            .put_opts(&path, bytes.into().into(), PutMode::Create.into())
            .await
        {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                self.settle(key, &path).await?;
                Ok(Created::Existed)
            }
            Err(source) => Err(self.refusal(key, source)),
        }
    }

    /// The bytes of an object.
    pub async fn get(&self, key: &str) -> Result<Bytes, ObjectsError> {
        let refusal = |source| self.refusal(key, source);
        let found = self.store.get(&path(key)?).await.map_err(refusal)?;
        found.bytes().await.map_err(refusal)
    }

    /// The keys under a prefix that ends with `/`, in order; none is no error.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        let folder = path(prefix.trim_end_matches('/'))?;
        let found = self
            .store
            .list(Some(&folder))
            .map_ok(|object| object.location.to_string());
        let mut keys: Vec<String> = found
            .try_collect()
            .await
            .map_err(|source| self.refusal(prefix, source))?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// Deletes an object; one that does not exist is deleted already.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        match self.store.delete(&path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.refusal(key, source)),
        }
    }

    /// Makes an object durable that somebody else wrote: its writer may have died, or still be, between the
    /// file's name and the flush of its directory, and the caller goes on to commit a row that names it.
    async fn settle(&self, key: &str, path: &Path) -> Result<(), ObjectsError> {
        let Some(files) = &self.files else { return Ok(()) };
        let refusal = |source| self.refusal(key, source);
        let file = files.system.path_to_filesystem(path).map_err(refusal)?;
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
        })
    }

    fn refusal(&self, key: &str, source: object_store::Error) -> ObjectsError {
        ObjectsError::new(key, source, self.files.as_ref().map(|files| files.root.as_path()))
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
