//! What a caller of the world (not of a platform) may get wrong.

use thiserror::Error;

use crate::world::Platform;

/// A request to change or read the world that cannot be met; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorldError {
    /// The handle belongs to somebody already.
    #[error("failed to take handle {handle:?} on {platform}: it is in use; choose another")]
    HandleTaken {
        /// Where.
        platform: Platform,
        /// Which.
        handle: String,
    },
    /// No user has this handle or id.
    #[error("failed to find {who:?} on {platform}: no such handle or id; create the account first")]
    Unknown {
        /// Where.
        platform: Platform,
        /// The handle or id that was asked for.
        who: String,
    },
    /// The user exists but has no follower list of its own.
    #[error(
        "failed to use {who:?} on {platform}: it is an ordinary user; only created accounts have followers"
    )]
    NotAnAccount {
        /// Where.
        platform: Platform,
        /// The handle or id that was asked for.
        who: String,
    },
    /// A field's value is out of its domain.
    #[error("failed to accept {field}: {reason}")]
    Invalid {
        /// The field as it is written in JSON.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl WorldError {
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            reason: reason.into(),
        }
    }
}
