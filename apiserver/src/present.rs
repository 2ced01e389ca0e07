//! How a stored object goes out: as it is, in another group's words, as metadata only, or as the row of a table.

use std::borrow::Cow;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    accept::Shape,
    builtin,
    object::Object,
    registry::{Form, Resource},
    router::Call,
    server::Inner,
    status_error::StatusError,
    table::Columns,
};

#[derive(Deserialize)]
struct MetadataOnly<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
}

/// What a row of a table carries beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IncludeObject {
    Nothing,
    Metadata,
    Everything,
}

/// What an answer is to look like.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    resource: &'a Resource,
    columns: &'a Columns,
    shape: Shape,
    include: IncludeObject,
    /// Ages are counted up to here.
    now: Timestamp,
}

/// The metadata of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListMeta {
    pub(crate) version: i64,
    /// Where the next page begins, if there is one.
    pub(crate) continue_token: Option<String>,
    /// How much is left after this page, where that is known.
    pub(crate) remaining: Option<i64>,
}

impl<'a> View<'a> {
    pub(crate) fn of(server: &Inner, call: &'a Call) -> Result<Self, StatusError> {
        let include = match call.query.text("includeObject") {
            "" | "Metadata" => IncludeObject::Metadata,
            "None" => IncludeObject::Nothing,
            "Object" => IncludeObject::Everything,
            other if matches!(call.shape, Shape::Table(_)) => {
                return Err(StatusError::bad_request(format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be \
                     'Metadata', 'Object', 'None', or empty"
                )));
            }
            _ => IncludeObject::Metadata,
        };
        Ok(Self {
            resource: &call.resource,
            columns: &call.resource.columns,
            shape: call.shape,
            include,
            now: server.timestamp(),
        })
    }

    /// The same with other columns, for a part of an object that is a kind of its own.
    pub(crate) fn with_columns(self, columns: &'a Columns) -> Self {
        Self { columns, ..self }
    }

    /// A stored object in the asked form; untouched, and so without a copy, in the common case.
    pub(crate) fn json<'s>(&self, stored: &'s str) -> Result<Cow<'s, str>, StatusError> {
        self.watched(stored, true)
    }

    /// The same in a watch, where only the first table describes its columns.
    pub(crate) fn watched<'s>(&self, stored: &'s str, describe: bool) -> Result<Cow<'s, str>, StatusError> {
        match self.shape {
            Shape::Full => self.full(stored),
            Shape::Metadata(version) => Ok(metadata_only(stored, version.api_version())?.into()),
            Shape::Table(_) => {
                let object: Value = serde_json::from_str(stored).map_err(|error| unreadable(&error))?;
                let version = object
                    .pointer("/metadata/resourceVersion")
                    .cloned()
                    .unwrap_or_default();
                let mut table = self.table_head(&json!({"resourceVersion": version}), describe);
                table.push_str(&self.row(stored, &object)?);
                table.push_str("]}");
                Ok(table.into())
            }
        }
    }

    fn full<'s>(&self, stored: &'s str) -> Result<Cow<'s, str>, StatusError> {
        if self.resource.form != Form::GroupEvent {
            return Ok(stored.into());
        }
        let mut fields: Map<String, Value> =
            serde_json::from_str(stored).map_err(|error| unreadable(&error))?;
        builtin::to_served(self.resource, &mut fields);
        Ok(Value::Object(fields).to_string().into())
    }

    /// Go writes the types of its own kinds into a list once, not into its items.
    fn item<'s>(&self, stored: &'s str) -> Result<Cow<'s, str>, StatusError> {
        let full = self.full(stored)?;
        if self.resource.form == Form::Custom {
            return Ok(full);
        }
        let mut fields: Map<String, Value> =
            serde_json::from_str(&full).map_err(|error| unreadable(&error))?;
        fields.remove("apiVersion");
        fields.remove("kind");
        Ok(Value::Object(fields).to_string().into())
    }

    fn table_head(&self, metadata: &Value, describe: bool) -> String {
        let api_version = match self.shape {
            Shape::Table(version) | Shape::Metadata(version) => version.api_version(),
            Shape::Full => "meta.k8s.io/v1",
        };
        let columns = if describe {
            self.columns.definitions()
        } else {
            "null"
        };
        format!(
            r#"{{"kind":"Table","apiVersion":"{api_version}","metadata":{metadata},"columnDefinitions":{columns},"rows":["#
        )
    }

    fn row(&self, stored: &str, object: &Value) -> Result<String, StatusError> {
        let api_version = match self.shape {
            Shape::Table(version) | Shape::Metadata(version) => version.api_version(),
            Shape::Full => "meta.k8s.io/v1",
        };
        let included = match self.include {
            IncludeObject::Nothing => Cow::Borrowed("null"),
            IncludeObject::Metadata => metadata_only(stored, api_version)?.into(),
            IncludeObject::Everything => self.full(stored)?,
        };
        let cells = self.columns.cells(object, self.now);
        Ok(format!(r#"{{"cells":{cells},"object":{included}}}"#))
    }

    /// An answer that is one object.
    pub(crate) fn object(
        &self,
        status: StatusCode,
        object: &Object,
        warnings: &[String],
    ) -> Result<Response, StatusError> {
        let stored = object.to_json()?;
        let mut response = raw(status, self.json(&stored)?.into_owned());
        warn(&mut response, warnings);
        Ok(response)
    }

    /// An answer that is a list of objects, concatenated from what is stored.
    pub(crate) fn list<'s>(
        &self,
        meta: &ListMeta,
        stored: impl Iterator<Item = &'s str>,
    ) -> Result<Response, StatusError> {
        let metadata = self.list_metadata(meta);
        let mut body = match self.shape {
            Shape::Table(_) => self.table_head(&metadata, true),
            Shape::Full => {
                let (kind, api_version) = (&self.resource.list_kind, self.resource.api_version());
                format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#)
            }
            Shape::Metadata(version) => {
                let api_version = version.api_version();
                format!(
                    r#"{{"kind":"PartialObjectMetadataList","apiVersion":"{api_version}","metadata":{metadata},"items":["#
                )
            }
        };
        for (position, item) in stored.enumerate() {
            if position > 0 {
                body.push(',');
            }
            match self.shape {
                Shape::Full => body.push_str(&self.item(item)?),
                Shape::Metadata(version) => body.push_str(&metadata_only(item, version.api_version())?),
                Shape::Table(_) => {
                    let object: Value = serde_json::from_str(item).map_err(|error| unreadable(&error))?;
                    body.push_str(&self.row(item, &object)?);
                }
            }
        }
        body.push_str("]}");
        Ok(raw(StatusCode::OK, body))
    }

    fn list_metadata(&self, meta: &ListMeta) -> Value {
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), meta.version.to_string().into());
        match &meta.continue_token {
            Some(token) => drop(metadata.insert("continue".into(), token.as_str().into())),
            None if self.resource.is_custom() && self.shape == Shape::Full => {
                metadata.insert("continue".into(), "".into());
            }
            None => {}
        }
        if let Some(remaining) = meta.remaining.filter(|remaining| *remaining > 0) {
            metadata.insert("remainingItemCount".into(), remaining.into());
        }
        Value::Object(metadata)
    }

    /// What a watch is told of how far it has come.
    pub(crate) fn bookmark(
        &self,
        version: i64,
        end_of_state: bool,
        describe: bool,
    ) -> Result<String, StatusError> {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let (true, Value::Object(metadata)) = (end_of_state, &mut metadata) {
            metadata.insert("annotations".into(), json!({"k8s.io/initial-events-end": "true"}));
        }
        if !self.resource.is_custom()
            && self.shape == Shape::Full
            && let Value::Object(metadata) = &mut metadata
        {
            metadata.insert("creationTimestamp".into(), Value::Null);
        }
        let object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata,
        });
        Ok(self.watched(&object.to_string(), describe)?.into_owned())
    }
}

fn metadata_only(stored: &str, api_version: &str) -> Result<String, StatusError> {
    let MetadataOnly { metadata } = serde_json::from_str(stored).map_err(|error| unreadable(&error))?;
    Ok(format!(
        r#"{{"kind":"PartialObjectMetadata","apiVersion":"{api_version}","metadata":{metadata}}}"#
    ))
}

fn unreadable(error: &serde_json::Error) -> StatusError {
    StatusError::internal(format!("failed to read an object: {error}"))
}

/// Adds warnings to an answer, for people to see.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}

/// An answer of ready JSON.
pub(crate) fn raw(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
