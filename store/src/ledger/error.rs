//! Why the ledger refused.

use followlytics_core::{scan::accept::Refused, wire::Refusal};

use crate::db::DbError;

/// Why the ledger refused.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database refused.
    #[error("failed to use the ledger")]
    Db(#[from] DbError),
    /// The caller's lease belongs to somebody else by now.
    #[error("failed to write under an old lease: the range has a newer epoch")]
    Fenced,
    /// The caller's request does not fit.
    #[error("failed to accept the request: {detail}")]
    Invalid {
        /// Which field, and what to send instead.
        detail: String,
    },
    /// No such scan.
    #[error("failed to find scan {uid}")]
    NoScan {
        /// Its uid.
        uid: String,
    },
    /// A stored value that this release cannot read.
    #[error("failed to read column {column} of the ledger: {detail}")]
    Stored {
        /// Which column.
        column: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing: the request is wrong.
    Invalid,
    /// Forget the lease and claim again.
    Fenced,
    /// Try again later.
    Unavailable,
}

impl LedgerError {
    /// What the caller can do.
    pub fn class(&self) -> Class {
        match self {
            Self::Db(_) | Self::Stored { .. } => Class::Unavailable,
            Self::Fenced => Class::Fenced,
            Self::Invalid { .. } | Self::NoScan { .. } => Class::Invalid,
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid {
            detail: detail.into(),
        }
    }

    pub(crate) fn stored(column: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Stored {
            column,
            detail: detail.to_string(),
        }
    }
}

impl From<Refused> for LedgerError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Fenced => Self::Fenced,
            Refused::Misplaced { .. } => Self::Invalid {
                detail: refused.to_string(),
            },
        }
    }
}

impl From<&LedgerError> for Refusal {
    fn from(error: &LedgerError) -> Self {
        match error.class() {
            Class::Fenced => Self::Fenced,
            Class::Invalid => Self::Invalid {
                detail: error.to_string(),
            },
            Class::Unavailable => Self::Unavailable {
                detail: "the ledger".to_owned(),
            },
        }
    }
}
