//! An object as this server works on it: its metadata, and everything else.
//!
//! Untyped on purpose: one server serves every kind, and what it doesn't know must survive a round trip.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::status_error::StatusError;

/// Any object; `metadata` is known to be a JSON object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Object {
    /// `metadata`.
    pub(crate) metadata: Map<String, Value>,
    /// `apiVersion`, `kind`, `spec`, `status` and whatever else the kind has.
    pub(crate) fields: Map<String, Value>,
}

impl Object {
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, StatusError> {
        let value = serde_json::from_slice(json).map_err(|error| {
            StatusError::bad_request(format!("the body of the request is not JSON: {error}"))
        })?;
        Self::from_value(value)
    }

    pub(crate) fn from_value(value: Value) -> Result<Self, StatusError> {
        let Value::Object(mut fields) = value else {
            return Err(StatusError::bad_request(
                "the body of the request is not a JSON object",
            ));
        };
        let mut metadata = match fields.remove("metadata") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(metadata)) => metadata,
            Some(_) => return Err(StatusError::bad_request("metadata is not a JSON object")),
        };
        // Go writes out neither null nor what is empty.
        metadata.retain(|_, value| !is_empty(value));
        Ok(Self { metadata, fields })
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.insert("metadata".into(), self.metadata.clone().into());
        Value::Object(fields)
    }

    pub(crate) fn to_json(&self) -> Result<String, StatusError> {
        serde_json::to_string(self)
            .map_err(|error| StatusError::internal(format!("failed to write JSON: {error}")))
    }

    /// A text field of the metadata, empty if absent.
    pub(crate) fn meta(&self, field: &str) -> &str {
        self.metadata
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn set_meta(&mut self, field: &str, value: impl Into<Value>) {
        self.metadata.insert(field.into(), value.into());
    }

    /// A text field at the top level, empty if absent.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.meta("name")
    }

    pub(crate) fn namespace(&self) -> &str {
        self.meta("namespace")
    }

    pub(crate) fn uid(&self) -> &str {
        self.meta("uid")
    }

    pub(crate) fn version(&self) -> &str {
        self.meta("resourceVersion")
    }

    pub(crate) fn generation(&self) -> i64 {
        self.metadata
            .get("generation")
            .and_then(Value::as_i64)
            .unwrap_or(0)
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.metadata.contains_key("deletionTimestamp")
    }

    /// Entries of a list in the metadata; empty if absent.
    pub(crate) fn meta_list(&self, field: &str) -> &[Value] {
        self.metadata
            .get(field)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has_finalizers(&self) -> bool {
        !self.meta_list("finalizers").is_empty()
    }

    pub(crate) fn owner_uids(&self) -> Vec<String> {
        let uids = self
            .meta_list("ownerReferences")
            .iter()
            .filter_map(|owner| owner.get("uid")?.as_str());
        uids.map(str::to_owned).collect()
    }

    /// Forgets one owner; the list goes when it was the last.
    pub(crate) fn remove_owner(&mut self, uid: &str) {
        let Some(Value::Array(owners)) = self.metadata.get_mut("ownerReferences") else {
            return;
        };
        owners.retain(|owner| owner.get("uid").and_then(Value::as_str) != Some(uid));
        if owners.is_empty() {
            self.metadata.remove("ownerReferences");
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        // People read these first.
        for field in ["apiVersion", "kind"] {
            if let Some(value) = self.fields.get(field) {
                map.serialize_entry(field, value)?;
            }
        }
        map.serialize_entry("metadata", &self.metadata)?;
        for (field, value) in self
            .fields
            .iter()
            .filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind"))
        {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}
