//! How an admin route refuses, and the JSON body it reads.

use axum::{
    Json,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{error::WorldError, world::Platform};

impl IntoResponse for WorldError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::HandleTaken { .. } => StatusCode::CONFLICT,
            Self::Unknown { .. } | Self::NotAnAccount { .. } => StatusCode::NOT_FOUND,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

/// A JSON body whatever its content type: the callers are `curl` and tests.
pub(super) struct Document<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Document<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| WorldError::invalid("body", error.to_string()).into_response())
    }
}

/// The platform named in a path.
pub(super) fn platform(text: &str) -> Result<Platform, WorldError> {
    let found = Platform::ALL
        .into_iter()
        .find(|platform| platform.to_string() == text);
    found.ok_or_else(|| {
        WorldError::invalid(
            "platform",
            format!("{text:?} is not x, bluesky, gitea, github or mastodon"),
        )
    })
}
