//! Merge patches and JSON patches.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::{
    object::Object,
    registry::Resource,
    status_error::{Cause, StatusError},
};

/// The object after a JSON merge patch (RFC 7386).
pub(crate) fn merge_patch(object: &Object, patch: &[u8]) -> Result<Object, StatusError> {
    let patch: Value = serde_json::from_slice(patch).map_err(|error| unreadable(&error))?;
    if !patch.is_object() {
        return Err(StatusError::bad_request("the merge patch is not a JSON object"));
    }
    let mut value = object.to_value();
    json_patch::merge(&mut value, &patch);
    Object::from_value(value)
}

/// The object after a JSON patch (RFC 6902), applied one operation at a time.
///
/// Unlike the RFC, and like Kubernetes, `test` for null passes where the path is absent: every finalizer is
/// added behind such a test.
pub(crate) fn json_patch(resource: &Resource, object: &Object, patch: &[u8]) -> Result<Object, StatusError> {
    let operations: Vec<PatchOperation> =
        serde_json::from_slice(patch).map_err(|error| unreadable(&error))?;
    let mut value = object.to_value();
    for operation in &operations {
        if let PatchOperation::Test(test) = operation
            && test.value.is_null()
            && value.pointer(test.path.as_str()).is_none()
        {
            continue;
        }
        // The value is thrown away when an operation fails, so nothing needs to be undone.
        json_patch::patch_unsafe(&mut value, std::slice::from_ref(operation)).map_err(|error| {
            let cause = Cause::invalid("patch", format!("Invalid value: {}: {error}", operation.path()));
            StatusError::invalid(resource, object.name(), &[cause])
        })?;
    }
    Object::from_value(value)
}

fn unreadable(error: &serde_json::Error) -> StatusError {
    StatusError::bad_request(format!("error decoding patch: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin;

    fn patched(patch: &Value) -> Result<Value, StatusError> {
        let object = Object::from_value(json!({"metadata": {"name": "a"}, "spec": {"x": 1}})).unwrap();
        json_patch(&builtin::namespaces(), &object, patch.to_string().as_bytes())
            .map(|object| object.to_value())
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
    fn a_test_that_fails_changes_nothing_and_names_the_path() {
        let patch = json!([
            {"op": "replace", "path": "/spec/x", "value": 2},
            {"op": "test", "path": "/spec/x", "value": 1},
        ]);
        let error = patched(&patch).unwrap_err();
        assert!(error.to_string().contains("/spec/x"), "{error}");
    }
}
