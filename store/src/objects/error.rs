//! Why the objects refused, and what a person can do about it.

use std::{error::Error, fmt, io, path::Path};

/// Why the objects refused.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// No such object.
    #[error(
        "failed to find object {key}: it was deleted or never written; restore it from a backup of the objects"
    )]
    NotFound {
        /// Its key.
        key: String,
    },
    /// The disk is full; the object was not written.
    #[error(
        "failed to write object {key}: the disk is full{free}; free some space, the work goes on by itself and nothing was lost"
    )]
    Full {
        /// Its key.
        key: String,
        /// What is left where the objects lie.
        free: Free,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The store allows no access.
    #[error(
        "failed to use object {key}: access is denied; give this user the right to read and write the objects"
    )]
    Denied {
        /// Its key.
        key: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The store does not answer, or answers with an error.
    #[error(
        "failed to use object {key}: the object store is unavailable; check that its disk or server is reachable, the work goes on by itself"
    )]
    Unavailable {
        /// Its key.
        key: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// A key that no store can hold.
    #[error("failed to use {key:?} as an object's key: use keys of core::layout")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: object_store::path::Error,
    },
    /// The directory cannot hold objects.
    #[error("failed to open {path} for objects: {detail}; name a directory that you may write to")]
    Open {
        /// The directory.
        path: String,
        /// What the system said.
        detail: String,
    },
}

/// Space left on the disk, in bytes, where that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free(pub Option<u64>);

impl fmt::Display for Free {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) if bytes < 10_000_000 => write!(f, " ({} kB left)", bytes / 1000),
            Some(bytes) => write!(f, " ({} MB left)", bytes / 1_000_000),
            None => Ok(()),
        }
    }
}

impl ObjectsError {
    /// Sorts what the store said; `root` is where the objects are files.
    pub(super) fn new(key: &str, source: object_store::Error, root: Option<&Path>) -> Self {
        use object_store::Error as Store;
        let key = key.to_owned();
        if matches!(source, Store::NotFound { .. }) {
            return Self::NotFound { key };
        }
        if matches!(
            source,
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. }
        ) {
            return Self::Denied { key, source };
        }
        match io_kind(&source) {
            // A used-up quota is a full disk to its user.
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::Full {
                key,
                free: Free(root.and_then(free)),
                source,
            },
            Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                Self::Denied { key, source }
            }
            _ => Self::Unavailable { key, source },
        }
    }

    /// Whether the same call may succeed later without a person changing a key or restoring an object.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Denied { .. } | Self::Unavailable { .. } => true,
            Self::NotFound { .. } | Self::Key { .. } | Self::Open { .. } => false,
        }
    }
}

/// The kind of the first I/O error in the chain.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found.kind());
        }
        next = error.source();
    }
    None
}

fn free(root: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(root).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}
