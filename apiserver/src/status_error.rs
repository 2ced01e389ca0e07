//! The one error of this server: a refusal as Kubernetes words it, ready to be sent as a `Status` object.

mod cause;

use axum::response::{IntoResponse, Response};
use followlytics_store::db::DbError;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{present, registry::Resource};

pub(crate) use cause::Cause;

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
    /// Go clients compare it: absent is something else than empty.
    has_details: bool,
    /// Where a list that expired may go on.
    continue_token: Option<String>,
    /// What was wrong beside, and would not have stopped the request.
    warnings: Vec<String>,
    /// Sent as it is, for clients that are not on a path of the API at all.
    plain_text: bool,
}

impl StatusError {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        let refusal = Refusal {
            code,
            reason,
            message: message.into(),
            details: Map::new(),
            has_details: false,
            continue_token: None,
            warnings: Vec::new(),
            plain_text: false,
        };
        Self {
            refusal: Box::new(refusal),
            source: None,
        }
    }

    /// The same with warnings.
    pub(crate) fn warned(mut self, warnings: &[String]) -> Self {
        self.refusal.warnings = warnings.to_vec();
        self
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

    /// An error the API server has no reason for, so that clients see nothing but its message.
    pub(crate) fn unexplained(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
    }

    pub(crate) fn no_such_path() -> Self {
        let mut error = Self::new(StatusCode::NOT_FOUND, "NotFound", "404 page not found\n");
        error.refusal.plain_text = true;
        error
    }

    /// A request's own options that cannot be right; `kind` is `ListOptions`, `PatchOptions`, …
    pub(crate) fn invalid_options(kind: &str, causes: &[Cause]) -> Self {
        let message = format!("{kind}.meta.k8s.io \"\" is invalid: {}", listed(causes));
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .about(kind, "meta.k8s.io", "")
            .with_causes(causes)
    }

    /// A patch whose outcome cannot be an object; of no kind, as the real server has it.
    pub(crate) fn invalid_patch(cause: &Cause) -> Self {
        let message = format!(" \"\" is invalid: {}: {}", cause.field, cause.message);
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .with_causes(std::slice::from_ref(cause))
    }

    /// A JSON patch that cannot be carried out; the real server says no more than this.
    pub(crate) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        error.refusal.has_details = true;
        error
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.key);
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(&resource.plural, &resource.group, name)
    }

    pub(crate) fn namespace_not_found(name: &str) -> Self {
        let message = format!("namespaces \"{name}\" not found");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about("namespaces", "", name)
    }

    /// The name is taken, perhaps by an object that is on its way out.
    pub(crate) fn already_exists(resource: &Resource, name: &str, is_deleting: bool) -> Self {
        let prefix = if is_deleting {
            "object is being deleted: "
        } else {
            ""
        };
        let message = format!("{prefix}{} \"{name}\" already exists", resource.key);
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

    /// A precondition of a delete; named by the kind, not by the resource.
    pub(crate) fn precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let full_kind = resource.full_kind();
        let message = format!("Operation cannot be fulfilled on {full_kind} \"{name}\": {why}");
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(&resource.kind, &resource.group, name)
    }

    pub(crate) fn namespace_terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        Self::forbidden(resource, name, &why).with_causes(&[Cause {
            reason: "NamespaceTerminating".into(),
            field: "metadata.namespace".into(),
            message: format!("namespace {namespace} is being terminated"),
        }])
    }

    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.key);
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(&resource.plural, &resource.group, name)
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        Self::invalid_kind(&resource.kind, &resource.group, name, causes)
    }

    /// The same for an object that says it is of another kind than its path.
    pub(crate) fn invalid_kind(kind: &str, group: &str, name: &str, causes: &[Cause]) -> Self {
        let full_kind = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let message = format!("{full_kind} \"{name}\" is invalid: {}", listed(causes));
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .about(kind, group, name)
            .with_causes(causes)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        let mut error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
        error.refusal.has_details = true;
        error
    }

    /// The same, where a kind of a definition is asked for what it hasn't.
    pub(crate) fn verb_not_supported(resource: &Resource, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}\"",
            resource.key
        );
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).about(
            &resource.plural,
            &resource.group,
            "",
        )
    }

    pub(crate) fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json";
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
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

    /// The state at the asked version is no longer known.
    pub(crate) fn resource_expired() -> Self {
        let message = "The resourceVersion for the provided list is too old.";
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// The pages of a list can no longer be of one version; the token leads to the rest as it is now.
    pub(crate) fn list_expired(continue_token: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can \
                       start a new list without the continue parameter, or use the continue token in this \
                       response to retrieve the remainder of the results. Continuing with the provided token \
                       results in an inconsistent list - objects that were created, modified, or deleted \
                       between the time the first chunk was returned and now may show up in the list.";
        let mut error = Self::new(StatusCode::GONE, "Expired", message);
        error.refusal.continue_token = Some(continue_token);
        error
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
        let causes: Vec<Value> = causes.iter().map(Cause::to_json).collect();
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
            ..
        } = &*self.refusal;
        let mut status = Map::new();
        let metadata = match &self.refusal.continue_token {
            Some(token) => json!({"continue": token}),
            None => json!({}),
        };
        status.insert("kind".into(), "Status".into());
        status.insert("apiVersion".into(), "v1".into());
        status.insert("metadata".into(), metadata);
        status.insert("status".into(), "Failure".into());
        status.insert("message".into(), message.as_str().into());
        if !reason.is_empty() {
            status.insert("reason".into(), (*reason).into());
        }
        if self.refusal.has_details || !details.is_empty() {
            status.insert("details".into(), details.clone().into());
        }
        status.insert("code".into(), code.as_u16().into());
        Value::Object(status)
    }
}

/// `one`, or `[one, other]`.
fn listed(causes: &[Cause]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for reason in causes
        .iter()
        .map(|cause| format!("{}: {}", cause.field, cause.message))
    {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    match reasons.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

impl From<DbError> for StatusError {
    fn from(error: DbError) -> Self {
        let (code, reason) = match &error {
            DbError::Locked(_) | DbError::Gone(_) | DbError::Unreachable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
            }
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
        if self.refusal.plain_text {
            let text_type = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            return (code, text_type, self.refusal.message).into_response();
        }
        // Without a reason it is the request's own fault, whatever its code says.
        if code.is_server_error() && !self.refusal.reason.is_empty() {
            tracing::error!(error = %self, source = ?self.source, "failed to answer a request");
        }
        let body = self.to_status().to_string();
        let mut response = (code, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        present::warn(&mut response, &self.refusal.warnings);
        response
    }
}
