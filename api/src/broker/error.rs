//! Refusals as HTTP: 401 unknown, 409 fenced, 400 invalid, 503 unavailable.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use followlytics_core::{
    page::PageError,
    wire::{Refusal, VERSION},
};
use followlytics_store::{
    ledger::{Class, LedgerError},
    objects::ObjectsError,
};

use crate::credentials::CredentialError;

/// Why the broker refused.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No token, or one of no sandbox.
    #[error("failed to identify the sandbox")]
    Unknown,
    /// The sandbox speaks another version of the protocol, or none.
    #[error("failed to serve a runner of another release")]
    Version(Option<u32>),
    /// The ledger refused.
    #[error("failed to use the ledger")]
    Ledger(#[from] LedgerError),
    /// The object store refused.
    #[error("failed to use the object store")]
    Objects(#[source] Box<ObjectsError>),
    /// The body is no page.
    #[error("failed to read the page")]
    Page(#[from] PageError),
    /// The body does not fit the protocol.
    #[error("failed to accept the request: {0}")]
    Invalid(String),
    /// The credential's secret could not be used.
    #[error("failed to use the credential")]
    Credential(#[from] CredentialError),
}

impl From<ObjectsError> for BrokerError {
    fn from(error: ObjectsError) -> Self {
        Self::Objects(Box::new(error))
    }
}

impl BrokerError {
    /// Whether a page that was refused like this is durable nowhere, or counts for nothing yet.
    pub(super) fn leaves_page(&self) -> bool {
        match self {
            Self::Objects(_) => true,
            Self::Ledger(error) => error.class() == Class::Fenced,
            _ => false,
        }
    }

    fn refusal(&self) -> Refusal {
        match self {
            Self::Unknown => Refusal::Unknown,
            Self::Version(runner) => Refusal::Version {
                broker: VERSION,
                runner: *runner,
            },
            Self::Ledger(error) => error.into(),
            Self::Objects(_) => Refusal::Unavailable {
                detail: "the object store".to_owned(),
            },
            Self::Credential(_) => Refusal::Unavailable {
                detail: "the credential".to_owned(),
            },
            Self::Page(error) => Refusal::Invalid {
                detail: error.to_string(),
            },
            Self::Invalid(detail) => Refusal::Invalid {
                detail: detail.clone(),
            },
        }
    }
}

impl IntoResponse for BrokerError {
    fn into_response(self) -> Response {
        let refusal = self.refusal();
        let status = match refusal {
            Refusal::Unknown => StatusCode::UNAUTHORIZED,
            Refusal::Fenced => StatusCode::CONFLICT,
            Refusal::Invalid { .. } | Refusal::Version { .. } => StatusCode::BAD_REQUEST,
            Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::BAD_REQUEST {
            tracing::warn!(
                error = &self as &dyn std::error::Error,
                "broker refused a request"
            );
        }
        (status, Json(refusal)).into_response()
    }
}
