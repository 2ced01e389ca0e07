//! "May I?": everybody who reaches this server may do everything it can do, and `kubectl auth can-i` is told so.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{present, status_error::StatusError};

/// The group of the one resource there is here; it is asked and never stored.
pub(crate) const GROUP: &str = "authorization.k8s.io";

const PLURAL: &str = "selfsubjectaccessreviews";
const KIND: &str = "SelfSubjectAccessReview";

pub(crate) fn is_path(group: &str, version: &str, plural: &str) -> bool {
    (group, version, plural) == (GROUP, "v1", PLURAL)
}

pub(crate) fn legacy_entry() -> Value {
    json!({
        "name": PLURAL, "singularName": "selfsubjectaccessreview", "namespaced": false, "kind": KIND,
        "verbs": ["create"],
    })
}

pub(crate) fn aggregated_entry() -> Value {
    json!({
        "resource": PLURAL, "responseKind": {"group": "", "version": "", "kind": KIND}, "scope": "Cluster",
        "singularResource": "selfsubjectaccessreview", "verbs": ["create"],
    })
}

/// Answers the question in a body.
pub(crate) fn answer(content_type: &str, body: &[u8]) -> Result<Response, StatusError> {
    if !matches!(content_type, "" | "application/json" | "*/*") {
        return Err(StatusError::unsupported_media_type("application/json"));
    }
    let asked = crate::json::read(body).map_err(|problem| {
        StatusError::bad_request(format!("the body of the request is not JSON: {problem}"))
    })?;
    let spec = asked.value.get("spec").cloned().unwrap_or_else(|| json!({}));
    let review = json!({
        "kind": KIND, "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": spec,
        "status": {"allowed": true},
    });
    Ok(present::raw(StatusCode::CREATED, review.to_string()))
}
