//! How a stored object goes out: as it is, in another group's words, or as metadata only.

use std::borrow::Cow;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    accept::Shape,
    builtin,
    object::Object,
    registry::{Form, Resource},
    status_error::StatusError,
};

#[derive(Deserialize)]
struct MetadataOnly<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
}

/// The JSON of a stored object in the asked form; untouched, and so without a copy, in the common case.
pub(crate) fn json<'a>(
    resource: &Resource,
    shape: Shape,
    stored: &'a str,
) -> Result<Cow<'a, str>, StatusError> {
    let unreadable =
        |error: serde_json::Error| StatusError::internal(format!("failed to read an object: {error}"));
    match (shape, resource.form) {
        (Shape::Metadata, _) => {
            let MetadataOnly { metadata } = serde_json::from_str(stored).map_err(unreadable)?;
            let head = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":"#;
            Ok(format!("{head}{metadata}}}").into())
        }
        (Shape::Full, Form::GroupEvent) => {
            let mut fields: Map<String, Value> = serde_json::from_str(stored).map_err(unreadable)?;
            builtin::to_served(resource, &mut fields);
            Ok(Value::Object(fields).to_string().into())
        }
        (Shape::Full, _) => Ok(stored.into()),
    }
}

/// An answer that is one object.
pub(crate) fn object(
    status: StatusCode,
    resource: &Resource,
    shape: Shape,
    object: &Object,
    warnings: &[String],
) -> Result<Response, StatusError> {
    let stored = object.to_json()?;
    let mut response = raw(status, json(resource, shape, &stored)?.into_owned());
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    Ok(response)
}

/// An answer that is a list of objects, concatenated from what is stored.
pub(crate) fn list<'a>(
    resource: &Resource,
    shape: Shape,
    version: i64,
    stored: impl Iterator<Item = &'a str>,
) -> Result<Response, StatusError> {
    let (kind, api_version) = match shape {
        Shape::Full => (resource.list_kind.as_str(), resource.api_version()),
        Shape::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1".to_owned()),
    };
    let mut body = format!(
        r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{version}"}},"items":["#
    );
    for (position, item) in stored.enumerate() {
        if position > 0 {
            body.push(',');
        }
        body.push_str(&json(resource, shape, item)?);
    }
    body.push_str("]}");
    Ok(raw(StatusCode::OK, body))
}

/// An answer of ready JSON.
pub(crate) fn raw(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
