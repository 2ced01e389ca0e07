//! What the body of a request may hold: the type its path takes, metadata of the right types, known fields.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{
    builtin,
    json::{self, Document},
    object::Object,
    query::FieldValidation,
    registry::Resource,
    router::Call,
    schema::prune::prune,
    status_error::{Cause, StatusError},
};

/// Fields every object may have in its metadata.
pub(crate) const METADATA_FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// How much of a body that cannot be read is shown.
const SUMMARY: usize = 30;

/// An object as a client sent it: readable, of the right type, without what the kind doesn't know.
pub(crate) struct Decoded {
    pub(crate) object: Object,
    /// Fields that were dropped, or named twice.
    pub(crate) complaints: Vec<String>,
}

/// Reads the object a body holds.
pub(crate) fn body(call: &Call) -> Result<Decoded, StatusError> {
    let Document { value, duplicates } = document(call)?;
    let Value::Object(mut fields) = value else {
        return Err(unrecognized(call, "the document is not a JSON object"));
    };
    let resource = &call.resource;
    if !resource.is_custom() {
        // Go knows the types of its own kinds by their path.
        for (field, own) in [
            ("kind", resource.kind.clone()),
            ("apiVersion", resource.api_version()),
        ] {
            if fields
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .is_empty()
            {
                fields.insert(field.into(), own.into());
            }
        }
    }
    let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("kind").is_empty() {
        let body = String::from_utf8_lossy(&call.body);
        return Err(unrecognized(
            call,
            &format!("Object 'Kind' is missing in '{body}'"),
        ));
    }
    let mut decoded = object(resource, fields)?;
    decoded.complaints.splice(
        0..0,
        duplicates.iter().map(|path| format!("duplicate field {path:?}")),
    );
    Ok(decoded)
}

/// The JSON of a body, or the YAML where it says that it is that.
fn document(call: &Call) -> Result<Document, StatusError> {
    match json::read(&call.body) {
        Ok(document) => Ok(document),
        Err(_) if call.content_type.ends_with("yaml") => yaml(&call.body)
            .map_err(|problem| StatusError::bad_request(format!("error decoding YAML: {problem}"))),
        Err(error) => {
            let problem = json::problem(&error);
            let problem = format!("couldn't get version/kind; json parse error: {problem}");
            Err(unrecognized(call, &problem))
        }
    }
}

pub(crate) fn yaml(body: &[u8]) -> Result<Document, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let value: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(Document {
        value,
        duplicates: Vec::new(),
    })
}

fn unrecognized(call: &Call, problem: &str) -> StatusError {
    let body = &call.body;
    let start = body.get(..SUMMARY).unwrap_or(body);
    let more = if body.len() > SUMMARY { " ..." } else { "" };
    let summary = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        Some(_) => {
            let digits = hexadecimal(start);
            format!("{digits}{more}")
        }
    };
    let kind = &call.resource.kind;
    StatusError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {problem} ({summary})"
    ))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Checks the type and the metadata of an object and drops what its kind doesn't know.
pub(crate) fn object(resource: &Resource, fields: Map<String, Value>) -> Result<Decoded, StatusError> {
    if let Some(metadata) = fields
        .get("metadata")
        .filter(|one| !(one.is_object() || one.is_null()))
    {
        let found = go_type(metadata);
        let problem = format!("json: cannot unmarshal {found} into Go value of type v1.ObjectMeta");
        return Err(cannot_be_handled(resource, &problem));
    }
    let mut object = Object::from_value(Value::Object(fields))?;
    check_type(resource, &object)?;
    if let Some(problem) = malformed(&object) {
        return Err(cannot_be_handled(resource, &problem));
    }
    let mut complaints = Vec::new();
    object.metadata.retain(|name, _| {
        let known = METADATA_FIELDS.contains(&name.as_str());
        if !known {
            complaints.push(format!("unknown field \"metadata.{name}\""));
        }
        known
    });
    let mut unknown = Vec::new();
    object
        .fields
        .retain(|name, value| match resource.schema.field(name) {
            _ if matches!(name.as_str(), "apiVersion" | "kind") => true,
            Some(schema) => {
                prune(schema, value, name, &mut unknown);
                true
            }
            None => {
                if !resource.schema.preserve_unknown {
                    unknown.push(name.clone());
                }
                resource.schema.preserve_unknown
            }
        });
    unknown.sort();
    complaints.extend(unknown.iter().map(|path| format!("unknown field \"{path}\"")));
    builtin::to_stored(resource, &mut object);
    Ok(Decoded { object, complaints })
}

/// What becomes of complaints: warnings, nothing, or a refusal.
pub(crate) fn judge(
    resource: &Resource,
    complaints: Vec<String>,
    validation: FieldValidation,
) -> Result<Vec<String>, StatusError> {
    match validation {
        FieldValidation::Strict if !complaints.is_empty() => Err(cannot_be_handled(
            resource,
            &format!("strict decoding error: {}", complaints.join(", ")),
        )),
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn | FieldValidation::Strict => Ok(complaints),
    }
}

fn cannot_be_handled(resource: &Resource, problem: &str) -> StatusError {
    let Resource { kind, version, .. } = resource;
    StatusError::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {problem}"
    ))
}

fn check_type(resource: &Resource, object: &Object) -> Result<(), StatusError> {
    let (sent_version, sent_kind) = (object.text("apiVersion"), object.text("kind"));
    let wanted = resource.api_version();
    if sent_version != wanted {
        return Err(StatusError::bad_request(format!(
            "the API version in the data ({sent_version}) does not match the expected API version ({wanted})"
        )));
    }
    if sent_kind == resource.kind {
        return Ok(());
    }
    if !resource.is_custom() {
        let (kind, version) = (&resource.kind, &resource.version);
        return Err(StatusError::bad_request(format!(
            "{sent_kind} in version {version:?} cannot be handled as a {kind}: no kind {sent_kind:?} is registered \
             for version {wanted:?}"
        )));
    }
    let cause = Cause::invalid(
        "kind",
        format!("Invalid value: {sent_kind:?}: must be {}", resource.kind),
    );
    Err(StatusError::invalid_kind(
        sent_kind,
        &resource.group,
        object.name(),
        &[cause],
    ))
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The first field of the metadata that has another type than Go gives it.
fn malformed(object: &Object) -> Option<String> {
    let wrong = |field: &str, found: &Value, wanted: &str| {
        let found = go_type(found);
        Some(format!(
            "json: cannot unmarshal {found} into Go struct field ObjectMeta.{field} of type {wanted}"
        ))
    };
    object
        .metadata
        .iter()
        .find_map(|(field, value)| match field.as_str() {
            "name" | "generateName" | "namespace" | "selfLink" | "uid" | "resourceVersion" => {
                (!value.is_string()).then(|| wrong(field, value, "string"))?
            }
            "labels" | "annotations" => match value {
                Value::Object(entries) => {
                    let bad = entries.values().find(|value| !value.is_string())?;
                    wrong(field, bad, "string")
                }
                other => wrong(field, other, "map[string]string"),
            },
            "finalizers" => match value {
                Value::Array(items) => wrong(field, items.iter().find(|item| !item.is_string())?, "string"),
                other => wrong(field, other, "[]string"),
            },
            "ownerReferences" => match value {
                Value::Array(items) => wrong(
                    field,
                    items.iter().find(|item| !item.is_object())?,
                    "v1.OwnerReference",
                ),
                other => wrong(field, other, "[]v1.OwnerReference"),
            },
            "managedFields" => match value {
                Value::Array(_) => None,
                other => wrong(field, other, "[]v1.ManagedFieldsEntry"),
            },
            "generation" | "deletionGracePeriodSeconds" => {
                (!value.is_i64()).then(|| wrong(field, value, "int64"))?
            }
            _ => None,
        })
}
