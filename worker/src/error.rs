//! Why a job failed, and whether trying again can help.

use std::{error::Error, fmt::Write as _};

use arrow::error::ArrowError;
use followlytics_core::page::PageError;
use followlytics_store::{
    ledger::{LedgerError, Retry},
    objects::ObjectsError,
};
use parquet::errors::ParquetError;

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The ledger refused.
    #[error("failed to work with the ledger")]
    Ledger(#[source] LedgerError),
    /// The objects refused.
    #[error("failed to work with the objects")]
    Objects(#[source] Box<ObjectsError>),
    /// Another worker has the job by now.
    #[error("failed to keep the job: another worker took it over")]
    Lost,
    /// An object is not what the ledger says it is.
    #[error("failed to use {key}: {detail}; restore this object from a backup, or scan the account again")]
    Damaged {
        /// Key of the object.
        key: String,
        /// What differs.
        detail: String,
    },
    /// A shard is damaged again and again, or a part went while its result was made.
    #[error(
        "failed to use {key}: {detail}; what was lost is made again from the pages, which goes on by itself"
    )]
    Unsteady {
        /// Key of the object.
        key: String,
        /// What differs.
        detail: String,
    },
    /// A page has the right hash and yet cannot be read.
    #[error("failed to use {key}: it was written by another release of this program; merge it with that one")]
    Page {
        /// Key of the object.
        key: String,
        /// What is wrong with it.
        #[source]
        source: PageError,
    },
    /// A key of this job's own holds other bytes.
    #[error("failed to write {key}: the key holds other bytes; the job goes on under another key by itself")]
    Taken {
        /// Key of the object.
        key: String,
    },
    /// A manifest that this release cannot write or read.
    #[error("failed to read or write the manifest {key}")]
    Manifest {
        /// Key of the object.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Rows do not fit their columns.
    #[error("failed to arrange rows in columns")]
    Columns(#[from] ArrowError),
    /// Parquet could not be written or read.
    #[error("failed to write or read Parquet")]
    Parquet(#[from] ParquetError),
}

impl From<LedgerError> for WorkerError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Fenced => Self::Lost,
            other => Self::Ledger(other),
        }
    }
}

impl From<ObjectsError> for WorkerError {
    fn from(error: ObjectsError) -> Self {
        Self::Objects(Box::new(error))
    }
}

impl WorkerError {
    /// Whether the same job may succeed later.
    pub(crate) const fn retry(&self) -> Retry {
        match self {
            Self::Objects(error) if error.is_transient() => Retry::Later,
            Self::Taken { .. } | Self::Unsteady { .. } | Self::Ledger(LedgerError::Db(_)) => Retry::Later,
            Self::Objects(_)
            | Self::Ledger(_)
            | Self::Lost
            | Self::Damaged { .. }
            | Self::Page { .. }
            | Self::Manifest { .. }
            | Self::Columns(_)
            | Self::Parquet(_) => Retry::Never,
        }
    }

    /// The error and its causes in one line, for people.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            let _ = write!(text, ": {cause}");
            next = cause.source();
        }
        text
    }
}
