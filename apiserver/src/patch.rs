//! Merge patches and JSON patches.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::{
    json::{self, Document},
    object::Object,
    status_error::StatusError,
};

/// Operations in one JSON patch, as Kubernetes bounds them.
const MAX_OPERATIONS: usize = 10_000;

/// What a patch makes of an object, and what is odd about the patch itself.
pub(crate) struct Patched {
    pub(crate) value: Value,
    pub(crate) complaints: Vec<String>,
}

/// The object after a JSON merge patch (RFC 7386).
pub(crate) fn merge_patch(object: &Object, patch: &[u8]) -> Result<Patched, StatusError> {
    let Document {
        value: patch,
        duplicates,
    } = json::read(patch).map_err(|error| unreadable(&error))?;
    if !patch.is_object() {
        return Err(StatusError::bad_request(
            "error decoding patch: the merge patch is not a JSON object",
        ));
    }
    let mut value = object.to_value();
    json_patch::merge(&mut value, &patch);
    let complaints = duplicates.iter().map(|path| format!("duplicate field {path:?}"));
    Ok(Patched {
        value,
        complaints: complaints.collect(),
    })
}

/// The object after a JSON patch (RFC 6902), applied one operation at a time.
///
/// Unlike the RFC, and like Kubernetes: `test` for null passes where the path is absent (every finalizer is added
/// behind such a test), and `replace` adds a field that is absent from a map that is there.
pub(crate) fn json_patch(object: &Object, patch: &[u8]) -> Result<Patched, StatusError> {
    let Document {
        value: patch,
        duplicates,
    } = json::read(patch).map_err(|error| unreadable(&error))?;
    if !patch.is_array() {
        return Err(StatusError::bad_request(
            "error decoding patch: the JSON patch is not a list of operations",
        ));
    }
    let twice = duplicates
        .iter()
        .map(|path| format!("json patch duplicate field {path:?}"));
    let complaints = twice.chain(unknown_fields(&patch)).collect();
    let operations: Vec<PatchOperation> =
        serde_json::from_value(patch).map_err(|_| StatusError::unprocessable())?;
    if operations.len() > MAX_OPERATIONS {
        return Err(StatusError::bad_request(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            operations.len()
        )));
    }
    let mut value = object.to_value();
    for operation in operations {
        let is_absent = value.pointer(operation.path().as_str()).is_none();
        let operation = match operation {
            PatchOperation::Test(test) if test.value.is_null() && is_absent => continue,
            PatchOperation::Replace(replace) if is_absent => PatchOperation::Add(json_patch::AddOperation {
                path: replace.path,
                value: replace.value,
            }),
            other => other,
        };
        // The value is thrown away when an operation fails, so nothing needs to be undone.
        json_patch::patch_unsafe(&mut value, std::slice::from_ref(&operation))
            .map_err(|_| StatusError::unprocessable())?;
    }
    Ok(Patched { value, complaints })
}

fn unknown_fields(patch: &Value) -> Vec<String> {
    let operations = patch.as_array().into_iter().flatten().enumerate();
    let unknown = operations.flat_map(|(position, operation)| {
        let fields = operation.as_object().into_iter().flat_map(|fields| fields.keys());
        fields
            .filter(|name| !matches!(name.as_str(), "op" | "path" | "from" | "value"))
            .map(move |name| format!("json patch unknown field \"[{position}].{name}\""))
    });
    unknown.collect()
}

/// The fields of a patched object; a patch may not make it anything else.
pub(crate) fn fields(value: Value) -> Result<serde_json::Map<String, Value>, StatusError> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(StatusError::unprocessable()),
    }
}

fn unreadable(error: &serde_json::Error) -> StatusError {
    StatusError::bad_request(format!("error decoding patch: {}", json::problem(error)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(patch: &Value) -> Result<Value, StatusError> {
        let object = Object::from_value(json!({"metadata": {"name": "a"}, "spec": {"x": 1}})).unwrap();
        json_patch(&object, patch.to_string().as_bytes()).map(|patched| patched.value)
    }

    #[test]
    fn a_test_for_null_passes_where_nothing_is() {
        let patch = json!([
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": ["f"]},
        ]);
        assert_eq!(patched(&patch).unwrap()["metadata"]["finalizers"], json!(["f"]));
    }

    #[test]
    fn a_replacement_adds_what_is_not_there_but_not_where_it_would_stand() {
        let patch = |path: &str| json!([{"op": "replace", "path": path, "value": 2}]);
        assert_eq!(
            patched(&patch("/spec/y")).unwrap()["spec"],
            json!({"x": 1, "y": 2})
        );
        assert!(patched(&patch("/spec/z/y")).is_err());
    }

    #[test]
    fn a_patch_that_cannot_be_carried_out_is_refused_as_a_whole() {
        for patch in [
            json!([{"op": "replace", "path": "/spec/x", "value": 2}, {"op": "test", "path": "/spec/x", "value": 1}]),
            json!([{"op": "dance", "path": "/spec/x"}]),
            json!([{"op": "remove", "path": "/spec/y"}]),
        ] {
            let error = patched(&patch).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the server rejected our request due to an error in our request"
            );
        }
        assert!(
            patched(&json!({}))
                .unwrap_err()
                .to_string()
                .starts_with("error decoding patch")
        );
    }
}
