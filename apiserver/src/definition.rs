//! The definitions of the kinds themselves, as read-only objects: `kubectl get crd`, and what clients look up there.
//!
//! They are part of the program and not of the database; only the time they show is the database's.

use followlytics_store::{
    db::Tx,
    resources::{self, StoredObject},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    builtin::DEFAULT_NAMESPACE,
    registry::{Form, Registry, Resource},
    schema::Schema,
    status_error::StatusError,
    table::Columns,
};

/// The key of the resource.
pub(crate) const KEY: &str = "customresourcedefinitions.apiextensions.k8s.io";

const UNKNOWN_TIME: &str = "1970-01-01T00:00:00Z";

pub(crate) fn resource() -> Resource {
    Resource {
        key: KEY.into(),
        group: "apiextensions.k8s.io".into(),
        version: "v1".into(),
        kind: "CustomResourceDefinition".into(),
        list_kind: "CustomResourceDefinitionList".into(),
        plural: "customresourcedefinitions".into(),
        singular: "customresourcedefinition".into(),
        short_names: vec!["crd".into(), "crds".into()],
        categories: vec!["api-extensions".into()],
        namespaced: false,
        has_status: false,
        scale: None,
        verbs: &["get", "list", "watch"],
        schema: Schema::untyped_root(),
        rules: None,
        columns: Columns::of_definitions(),
        open_api: Value::Null,
        definition: None,
        form: Form::Definition,
    }
}

/// The definition as an established object, without its time.
pub(crate) fn describe(crd: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let mut object = serde_json::to_value(crd)?;
    let names = object.pointer("/spec/names").cloned().unwrap_or_default();
    let version = object
        .pointer("/spec/versions/0/name")
        .cloned()
        .unwrap_or_default();
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let condition = |condition_type: &str, reason: &str, message: &str| {
        json!({
            "type": condition_type, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": UNKNOWN_TIME,
        })
    };
    if let Value::Object(fields) = &mut object {
        let metadata = json!({
            "name": name, "uid": uid_of(&name), "resourceVersion": "1", "generation": 1,
            "creationTimestamp": UNKNOWN_TIME,
        });
        fields.insert("metadata".into(), metadata);
        let status = json!({
            "acceptedNames": names, "storedVersions": [version],
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
        });
        fields.insert("status".into(), status);
    }
    Ok(object)
}

/// The same name always has the same uid: a definition outlives every process.
fn uid_of(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes
        .iter_mut()
        .zip(digest.iter())
        .for_each(|(to, from)| *to = *from);
    Uuid::from_bytes(bytes).to_string()
}

/// Every definition, by name, as if it were stored.
pub(crate) async fn list(tx: &mut Tx, registry: &Registry) -> Result<Vec<StoredObject>, StatusError> {
    let time = created(tx).await?;
    let mut found: Vec<StoredObject> = registry
        .iter()
        .filter_map(|resource| resource.definition.as_ref())
        .map(|object| stored(object, &time))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The definitions are as old as the database: its first object is the default namespace.
async fn created(tx: &mut Tx) -> Result<String, StatusError> {
    let first = resources::find_object(tx, "namespaces", "", DEFAULT_NAMESPACE).await?;
    let first: Value = first
        .and_then(|first| serde_json::from_str(&first.object).ok())
        .unwrap_or_default();
    let time = first
        .pointer("/metadata/creationTimestamp")
        .and_then(Value::as_str);
    Ok(time.unwrap_or(UNKNOWN_TIME).to_owned())
}

fn stored(object: &Value, time: &str) -> StoredObject {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    StoredObject {
        resource: KEY.into(),
        namespace: String::new(),
        name: text("/metadata/name"),
        uid: text("/metadata/uid"),
        version: 1,
        labels: "{}".into(),
        object: object.to_string().replace(UNKNOWN_TIME, time),
    }
}
