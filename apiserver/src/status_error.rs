//! The one error of this server: a refusal as Kubernetes words it, ready to be sent as a `Status` object.

use axum::response::{IntoResponse, Response};
use followlytics_store::db::DbError;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::registry::Resource;

/// One field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict`, …
    pub(crate) reason: String,
    /// Path of the field, `spec.parallelism.maxRunners`.
    pub(crate) field: String,
    /// What is wrong with it, without the path.
    pub(crate) message: String,
}

impl Cause {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self {
            reason: "FieldValueInvalid".into(),
            field: field.into(),
            message: message.into(),
        }
    }

    pub(crate) fn required(field: &str, message: &str) -> Self {
        let message = if message.is_empty() {
            "Required value".into()
        } else {
            format!("Required value: {message}")
        };
        Self {
            reason: "FieldValueRequired".into(),
            field: field.into(),
            message,
        }
    }

    pub(crate) fn forbidden(field: &str, message: &str) -> Self {
        let message = format!("Forbidden: {message}");
        Self {
            reason: "FieldValueForbidden".into(),
            field: field.into(),
            message,
        }
    }
}

/// A request that was refused; `Display` is the message a user sees.
#[derive(Debug, thiserror::Error)]
#[error("{}", .refusal.message)]
pub(crate) struct StatusError {
    /// Boxed: results are passed through many hands, refusals are rare.
    refusal: Box<Refusal>,
    #[source]
    source: Option<Box<DbError>>,
}

#[derive(Debug)]
struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Map<String, Value>,
}

impl StatusError {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        let refusal = Refusal {
            code,
            reason,
            message: message.into(),
            details: Map::new(),
        };
        Self {
            refusal: Box::new(refusal),
            source: None,
        }
    }

    fn about(mut self, kind: &str, group: &str, name: &str) -> Self {
        for (field, text) in [("name", name), ("group", group), ("kind", kind)] {
            if !text.is_empty() {
                self.refusal.details.insert(field.into(), text.into());
            }
        }
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.key);
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(&resource.plural, &resource.group, name)
    }

    pub(crate) fn namespace_not_found(name: &str) -> Self {
        let message = format!("namespaces \"{name}\" not found");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about("namespaces", "", name)
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.key);
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).about(
            &resource.plural,
            &resource.group,
            name,
        )
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.key
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(&resource.plural, &resource.group, name)
    }

    /// Fields of an apply that other managers set otherwise.
    pub(crate) fn apply_conflict(message: String, causes: &[Cause]) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", message).with_causes(causes)
    }

    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.key);
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(&resource.plural, &resource.group, name)
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        let full_kind = if resource.group.is_empty() {
            resource.kind.clone()
        } else {
            format!("{}.{}", resource.kind, resource.group)
        };
        let reasons: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        let reasons = match reasons.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{full_kind} \"{name}\" is invalid: {reasons}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .about(&resource.kind, &resource.group, name)
            .with_causes(causes)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(crate) fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json, \
                       application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    pub(crate) fn unsupported_media_type(sent: &str, accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format ({sent}) - accepted media types include: {accepted}"
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
    }

    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    /// The changes after the asked version are no longer known: list again.
    pub(crate) fn expired(asked: i64, oldest: i64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self::new(StatusCode::GONE, "Expired", message)
    }

    pub(crate) fn version_too_large(asked: i64, current: i64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        error.refusal.details.insert("retryAfterSeconds".into(), 1.into());
        error.with_causes(&[Cause {
            reason: "ResourceVersionTooLarge".into(),
            field: String::new(),
            message: "Too large resource version".into(),
        }])
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    fn with_causes(mut self, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(
                |Cause {
                     reason,
                     field,
                     message,
                 }| json!({"reason": reason, "field": field, "message": message}),
            )
            .collect();
        self.refusal.details.insert("causes".into(), causes.into());
        self
    }

    /// What the database refused, if it was the database.
    pub(crate) fn database_error(&self) -> Option<&DbError> {
        self.source.as_deref()
    }

    pub(crate) fn to_status(&self) -> Value {
        let Refusal {
            code,
            reason,
            message,
            details,
        } = &*self.refusal;
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code.as_u16(),
        });
        if let (Value::Object(status), false) = (&mut status, details.is_empty()) {
            status.insert("details".into(), details.clone().into());
        }
        status
    }
}

impl From<DbError> for StatusError {
    fn from(error: DbError) -> Self {
        let (code, reason) = match &error {
            DbError::Locked(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            DbError::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        };
        // What the database says is already worded for the person who can do something about it.
        let refusal = Self::new(code, reason, error.to_string()).refusal;
        Self {
            refusal,
            source: Some(Box::new(error)),
        }
    }
}

impl IntoResponse for StatusError {
    fn into_response(self) -> Response {
        let code = self.refusal.code;
        if code.is_server_error() {
            tracing::error!(error = %self, source = ?self.source, "failed to answer a request");
        }
        let body = self.to_status().to_string();
        (code, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
