//! Why a reconcile failed, and what follows from it.

use followlytics_store::ledger::{self, LedgerError};
use strum::IntoStaticStr;

use crate::backends::BackendError;

/// Why a reconcile failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused, or did not answer.
    #[error("failed to {verb} {kind}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// With which kind.
        kind: &'static str,
        /// The server's answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The ledger refused.
    #[error("failed to use the ledger")]
    Ledger(#[from] LedgerError),
    /// The backend could not do it now.
    #[error("failed to use the sandbox backend")]
    Backend(#[from] BackendError),
    /// The object has never been on a server.
    #[error("failed to reconcile an object without {field}")]
    NotServed {
        /// The field that a server would have filled in.
        field: &'static str,
    },
}

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
pub enum Class {
    /// Only a change of the object helps.
    Invalid,
    /// Somebody else wrote first: look again at once.
    Conflict,
    /// It may go better later.
    Transient,
}

impl Error {
    pub(crate) fn api(verb: &'static str, kind: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api {
            verb,
            kind,
            source: Box::new(source),
        }
    }

    /// What follows from it.
    pub fn class(&self) -> Class {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.code == 409 => Class::Conflict,
                kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => Class::Invalid,
                _ => Class::Transient,
            },
            Self::Ledger(error) => match error.class() {
                ledger::Class::Invalid => Class::Invalid,
                ledger::Class::Fenced => Class::Conflict,
                ledger::Class::Unavailable => Class::Transient,
            },
            Self::Backend(BackendError::Refused { .. }) | Self::NotServed { .. } => Class::Invalid,
            Self::Backend(BackendError::Unavailable { .. }) => Class::Transient,
        }
    }

    /// The word for metrics and events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api { .. } => "ApiServer",
            Self::Ledger(_) => "Ledger",
            Self::Backend(_) => "Backend",
            Self::NotServed { .. } => "NotServed",
        }
    }

    /// The error with everything that led to it, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
