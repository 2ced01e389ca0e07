//! The number of replicas of a kind, as the `Scale` of `autoscaling/v1` that every such kind shares.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceSubresourceScale;
use serde_json::{Map, Value, json};

use crate::{
    object::Object,
    status_error::{Cause, StatusError},
};

/// Where a kind keeps its replicas.
#[derive(Debug, Clone)]
pub(crate) struct ScalePaths {
    spec: String,
    status: String,
    selector: Option<String>,
}

impl ScalePaths {
    pub(crate) fn of(declared: CustomResourceSubresourceScale) -> Self {
        Self {
            spec: declared.spec_replicas_path,
            status: declared.status_replicas_path,
            selector: declared.label_selector_path,
        }
    }

    /// The `Scale` of an object.
    pub(crate) fn read(&self, object: &Object) -> Result<Value, StatusError> {
        let value = object.to_value();
        let replicas = find(&value, &self.spec).and_then(Value::as_i64).ok_or_else(|| {
            StatusError::internal(format!(
                "Internal error occurred: the spec replicas field {:?} does not exist",
                self.spec
            ))
        })?;
        let present = find(&value, &self.status).and_then(Value::as_i64).unwrap_or(0);
        let mut metadata = Map::new();
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            if let Some(found) = object.metadata.get(field) {
                metadata.insert(field.into(), found.clone());
            }
        }
        let mut scale = json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "spec": {}, "status": {"replicas": present},
        });
        // Go leaves a zero out here and writes it there.
        if replicas != 0 {
            put(&mut scale, "spec.replicas", replicas.into());
        }
        let selector = self.selector.as_deref().and_then(|path| find(&value, path));
        if let Some(selector) = selector.filter(|selector| selector.as_str() != Some("")) {
            put(&mut scale, "status.selector", selector.clone());
        }
        Ok(scale)
    }

    /// The object with the replicas a `Scale` asks for, and the version and uid that it insists on.
    pub(crate) fn write(&self, object: &Object, scale: &Value) -> Result<Object, StatusError> {
        let replicas = scale.pointer("/spec/replicas").cloned().unwrap_or(Value::from(0));
        if !replicas.is_i64() {
            return Err(StatusError::bad_request(
                "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas is no whole number",
            ));
        }
        let mut value = object.to_value();
        put(&mut value, &self.spec, replicas);
        for field in ["resourceVersion", "uid"] {
            if let Some(stated) = scale.get("metadata").and_then(|metadata| metadata.get(field)) {
                put(&mut value, &format!("metadata.{field}"), stated.clone());
            }
        }
        Object::from_value(value)
    }

    /// A document that names the replicas and nothing else, for an apply.
    pub(crate) fn document(&self, object: &Object, scale: &Value) -> Result<Object, StatusError> {
        let mut value = json!({
            "apiVersion": object.text("apiVersion"), "kind": object.text("kind"), "metadata": {"name": object.name()},
        });
        if let Some(replicas) = scale.pointer("/spec/replicas") {
            put(&mut value, &self.spec, replicas.clone());
        }
        Object::from_value(value)
    }

    /// Appends what is wrong with the replicas of an object.
    pub(crate) fn check(&self, object: &Value, causes: &mut Vec<Cause>) {
        for path in [&self.spec, &self.status] {
            match find(object, path) {
                None | Some(Value::Null) => {}
                Some(found) => match found.as_i64() {
                    Some(number) if number < 0 => {
                        let message = format!("Invalid value: {number}: should be a non-negative integer");
                        causes.push(Cause::invalid(path, message));
                    }
                    Some(number) if number > i64::from(i32::MAX) => {
                        let limit = i32::MAX;
                        let message =
                            format!("Invalid value: {number}: should be less than or equal to {limit}");
                        causes.push(Cause::invalid(path, message));
                    }
                    Some(_) => {}
                    None => {
                        let (shown, go_type) = as_go(found);
                        let message = format!(
                            "Invalid value: 0: {path} accessor error: {shown} is of the type {go_type}, expected int64"
                        );
                        causes.push(Cause::invalid(path, message));
                    }
                },
            }
        }
    }
}

fn as_go(value: &Value) -> (String, &'static str) {
    match value {
        Value::String(text) => (text.clone(), "string"),
        Value::Bool(_) => (value.to_string(), "bool"),
        Value::Array(_) => (value.to_string(), "[]interface {}"),
        Value::Object(_) => (value.to_string(), "map[string]interface {}"),
        _ => (value.to_string(), "float64"),
    }
}

fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.trim_start_matches('.')
        .split('.')
        .try_fold(value, |value, name| value.get(name))
}

/// Sets a field, making the maps it stands in.
fn put(value: &mut Value, path: &str, new: Value) {
    let mut place = value;
    for name in path.trim_start_matches('.').split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(fields) = place else { return };
        place = fields.entry(name).or_insert(Value::Null);
    }
    *place = new;
}
