//! Why the objects refused, and what a person can do about it.

use std::{error::Error, fmt, io, path::Path};

use followlytics_core::{
    health::Cause,
    mutants::{self, Mutant},
};
use object_store::client::{HttpError, HttpErrorKind};

use super::{
    place::Place,
    s3::{Refusal, Said},
};
use crate::health::{Symptom, cause_of_io, io_in};

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
    /// The disk or the bucket is full; the object was not written.
    #[error(
        "failed to write object {key}: {what}; free some space, the work goes on by itself and nothing was lost"
    )]
    Full {
        /// Its key.
        key: String,
        /// What is full, and what is left there.
        what: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The store allows no access.
    #[error("failed to use object {key}: access is denied{detail}")]
    Denied {
        /// Its key.
        key: String,
        /// The store's own word for it, and what to change.
        detail: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The store does not answer, or answers with an error.
    #[error("failed to use object {key}: {detail}, the work goes on by itself")]
    Unavailable {
        /// Its key.
        key: String,
        /// Which store, and what to look at.
        detail: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// There is no such bucket, or it lies elsewhere.
    #[error("failed to use object {key}: {detail}")]
    NoBucket {
        /// Its key.
        key: String,
        /// Which bucket, and what to change.
        detail: String,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// Other writers of the key kept this one from writing, and none of them wrote.
    #[error("failed to write object {key}: other writers of it got in the way; the work goes on by itself")]
    Contended {
        /// Its key.
        key: String,
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
    /// The bucket's address, or how to reach it, is wrong.
    #[error("failed to open {url} for objects: {detail}")]
    Bucket {
        /// The address.
        url: String,
        /// What is wrong, and what to write instead.
        detail: String,
    },
    /// The store lets a second writer replace an object.
    #[error(
        "failed to use {place} for objects: it overwrites an object that exists, so two writers could lose each \
         other's work; use a store that honours `If-None-Match: *`"
    )]
    Overwrites {
        /// Which store.
        place: String,
    },
    /// The store does not list what it holds.
    #[error(
        "failed to use {place} for objects: it does not list an object that it holds, so work of a lost runner \
         would not be found again; use a store whose listings are up to date"
    )]
    Forgets {
        /// Which store.
        place: String,
    },
}

impl ObjectsError {
    /// Sorts what the store said.
    pub(super) fn new(key: &str, source: object_store::Error, place: &Place) -> Self {
        use object_store::Error as Store;
        let key = key.to_owned();
        let said = find::<Said>(&source).cloned();
        let kind = find::<io::Error>(&source).map(io::Error::kind);
        match (said.as_ref().map(|said| said.refusal), kind, &source) {
            // A used-up quota is a full disk to its user, and so is the largest size that a file may have.
            (Some(Refusal::Full), ..)
            | (
                None,
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge),
                _,
            ) => Self::Full {
                key,
                what: full(place),
                source,
            },
            (Some(Refusal::NoBucket), ..) => Self::NoBucket {
                key,
                detail: format!("there is no bucket {place}; create it, or name another one"),
                source,
            },
            (Some(Refusal::Elsewhere), ..) => Self::NoBucket {
                key,
                detail: format!("{place} lies in another region; set AWS_REGION to the bucket's own"),
                source,
            },
            (Some(Refusal::NoConditions), ..) => Self::Overwrites {
                place: place.to_string(),
            },
            (None, _, Store::NotFound { .. }) => Self::NotFound { key },
            (Some(Refusal::Denied), ..)
            | (None, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem), _)
            | (None, _, Store::PermissionDenied { .. } | Store::Unauthenticated { .. }) => {
                let code = said.and_then(|said| said.code);
                let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
                Self::Denied {
                    key,
                    detail: format!("{code}; {}", rights(place)),
                    source,
                }
            }
            (None, ..) => Self::Unavailable {
                key,
                detail: away(place),
                source,
            },
        }
    }

    /// Whether the same call may succeed later without a person changing a key or restoring an object.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. }
            | Self::Denied { .. }
            | Self::Unavailable { .. }
            | Self::NoBucket { .. }
            | Self::Contended { .. } => true,
            Self::NotFound { .. }
            | Self::Key { .. }
            | Self::Open { .. }
            | Self::Bucket { .. }
            | Self::Overwrites { .. }
            | Self::Forgets { .. } => false,
        }
    }

    /// Whether a store may have said this because of the range that was asked for: it answered, and is not down.
    pub(super) fn may_be_a_range(&self) -> bool {
        matches!(self, Self::Unavailable { source, .. } if !is_down(source))
    }
}

impl Symptom for ObjectsError {
    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Full { .. } => (!mutants::on(Mutant::FullDiskUnseen)).then_some(Cause::NoSpace),
            Self::Denied { .. } => Some(Cause::AccessDenied),
            Self::NoBucket { .. } => Some(Cause::NoBucket),
            Self::Unavailable { source, .. } => {
                let io = io_in(source).and_then(|error| cause_of_io(error.kind()));
                let http = find::<HttpError>(source).and_then(|error| cause_of_http(error.kind()));
                Some(io.or(http).unwrap_or(Cause::Failing))
            }
            Self::NotFound { .. }
            | Self::Contended { .. }
            | Self::Key { .. }
            | Self::Open { .. }
            | Self::Bucket { .. }
            | Self::Overwrites { .. }
            | Self::Forgets { .. } => None,
        }
    }
}

/// What an HTTP client says of a connection.
pub(super) fn cause_of_http(kind: HttpErrorKind) -> Option<Cause> {
    match kind {
        HttpErrorKind::Connect => Some(Cause::Unreachable),
        HttpErrorKind::Timeout => Some(Cause::TimedOut),
        HttpErrorKind::Interrupted => Some(Cause::ConnectionLost),
        _ => None,
    }
}

fn full(place: &Place) -> String {
    match place {
        Place::Files { root, .. } => format!("the disk is full{}", Free(free(root))),
        Place::Memory => "the disk is full".to_owned(),
        Place::Bucket(bucket) => format!("{bucket} is full, or over its quota"),
    }
}

fn rights(place: &Place) -> String {
    match place {
        Place::Files { .. } | Place::Memory => {
            "give this user the right to read and write the objects".to_owned()
        }
        Place::Bucket(bucket) => format!(
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION, and let them read, write, \
             list and delete in {bucket}"
        ),
    }
}

fn away(place: &Place) -> String {
    let Place::Bucket(bucket) = place else {
        return "the object store is unavailable; check that its disk or server is reachable".to_owned();
    };
    let remedy = if bucket.machine_role {
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (without them this machine's own role is asked for), and check \
         that its server is reachable"
    } else if bucket.endpoint.is_some() {
        "check that its server runs and AWS_ENDPOINT_URL is right"
    } else {
        "check the network, AWS_REGION and AWS_ENDPOINT_URL"
    };
    format!("the object store {bucket} is unavailable; {remedy}")
}

/// Space left on the disk, in bytes, where that can be told.
struct Free(Option<u64>);

impl fmt::Display for Free {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) if bytes < 10_000_000 => write!(f, " ({} kB left)", bytes / 1000),
            Some(bytes) => write!(f, " ({} MB left)", bytes / 1_000_000),
            None => Ok(()),
        }
    }
}

fn free(root: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(root).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Whether the server did not even answer.
fn is_down(error: &object_store::Error) -> bool {
    let unanswered = find::<HttpError>(error).is_some_and(|error| {
        matches!(
            error.kind(),
            HttpErrorKind::Connect | HttpErrorKind::Timeout | HttpErrorKind::Interrupted
        )
    });
    unanswered || find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// The first error of this type in the chain.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
