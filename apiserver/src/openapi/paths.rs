//! The paths of a document: what can be asked, with which parameters, and what comes back.

use serde_json::{Map, Value, json};

use super::{
    group_version_kind, path_of,
    schemas::{name_of, reference},
};
use crate::registry::Resource;

/// One verb on a path.
struct Operation {
    /// `list`, `patch`, …
    action: &'static str,
    /// What is sent, as media types and the name of a schema.
    sends: Option<(&'static [&'static str], String)>,
    /// The schema of what comes back.
    answers: String,
    parameters: Vec<Value>,
}

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";
const JSON: [&str; 1] = ["application/json"];
/// Without strategic merge patches: kubectl would send them.
const PATCHES: [&str; 3] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

/// Every path of one resource.
pub(super) fn of(resource: &Resource) -> Map<String, Value> {
    let root = format!("/{}", path_of(resource));
    let (kind, list) = (
        name_of(resource, &resource.kind),
        name_of(resource, &resource.list_kind),
    );
    let plural = &resource.plural;
    let collection = if resource.namespaced {
        format!("{root}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("{root}/{plural}")
    };
    let mut paths = Map::new();
    if resource.namespaced {
        let all = [("get", read_list(&list))];
        paths.insert(format!("{root}/{plural}"), path(resource, &[], all));
    }
    let place: &[&str] = if resource.namespaced { &["namespace"] } else { &[] };
    let object_place: &[&str] = if resource.namespaced {
        &["name", "namespace"]
    } else {
        &["name"]
    };
    let on_collection = [
        ("get", read_list(&list)),
        ("post", create(&kind)),
        ("delete", delete("deletecollection")),
    ];
    paths.insert(collection.clone(), path(resource, place, on_collection));
    let object = format!("{collection}/{{name}}");
    let [get, put, patch] = part(&kind, &kind);
    let on_object = [get, put, ("delete", delete("delete")), patch];
    paths.insert(object.clone(), path(resource, object_place, on_object));
    if resource.has_status {
        let status = path(resource, object_place, part(&kind, &kind));
        paths.insert(format!("{object}/status"), status);
    }
    if resource.scale.is_some() {
        let scale = path(resource, object_place, part(SCALE, SCALE));
        paths.insert(format!("{object}/scale"), scale);
    }
    paths
}

fn path<const N: usize>(
    resource: &Resource,
    place: &[&str],
    operations: [(&'static str, Operation); N],
) -> Value {
    let mut path = Map::new();
    for (method, operation) in operations {
        if resource.verbs.contains(&verb(method, operation.action)) {
            path.insert(method.into(), operation.to_json(resource));
        }
    }
    let place: Vec<Value> = place
        .iter()
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
        })
        .collect();
    if !place.is_empty() {
        path.insert("parameters".into(), place.into());
    }
    Value::Object(path)
}

/// The verb of discovery that an operation needs.
fn verb(method: &str, action: &'static str) -> &'static str {
    match (method, action) {
        (_, "deletecollection" | "list" | "patch" | "delete" | "get") => action,
        ("post", _) => "create",
        _ => "update",
    }
}

impl Operation {
    fn to_json(&self, resource: &Resource) -> Value {
        let content = |types: &[&str], schema: &str| -> Value {
            let entries = types
                .iter()
                .map(|one| ((*one).to_owned(), json!({"schema": reference(schema)})));
            Value::Object(entries.collect())
        };
        let mut operation = json!({
            "description": format!("{} {}", self.action, resource.kind),
            "parameters": self.parameters,
            "responses": {"200": {"description": "OK", "content": content(&JSON, &self.answers)}},
            "x-kubernetes-action": self.action,
            "x-kubernetes-group-version-kind": group_version_kind(resource, &resource.kind),
        });
        if let (Value::Object(fields), Some((types, schema))) = (&mut operation, &self.sends) {
            fields.insert("requestBody".into(), json!({"content": content(types, schema)}));
        }
        operation
    }
}

fn parameter(name: &str, schema_type: &str) -> Value {
    json!({"name": name, "in": "query", "schema": {"type": schema_type, "uniqueItems": true}})
}

fn write_parameters() -> Vec<Value> {
    ["dryRun", "fieldManager", "fieldValidation"]
        .map(|name| parameter(name, "string"))
        .to_vec()
}

fn read_list(list: &str) -> Operation {
    let texts = [
        "continue",
        "fieldSelector",
        "labelSelector",
        "resourceVersion",
        "resourceVersionMatch",
    ];
    let mut parameters: Vec<Value> = texts.iter().map(|name| parameter(name, "string")).collect();
    parameters
        .extend(["allowWatchBookmarks", "sendInitialEvents", "watch"].map(|name| parameter(name, "boolean")));
    parameters.extend(["limit", "timeoutSeconds"].map(|name| parameter(name, "integer")));
    Operation {
        action: "list",
        sends: None,
        answers: list.into(),
        parameters,
    }
}

fn create(kind: &str) -> Operation {
    Operation {
        action: "post",
        sends: Some((&JSON, kind.into())),
        answers: kind.into(),
        parameters: write_parameters(),
    }
}

fn delete(action: &'static str) -> Operation {
    let mut parameters: Vec<Value> = ["dryRun", "propagationPolicy"]
        .map(|name| parameter(name, "string"))
        .to_vec();
    parameters.push(parameter("gracePeriodSeconds", "integer"));
    if action == "deletecollection" {
        parameters.extend(["fieldSelector", "labelSelector"].map(|name| parameter(name, "string")));
    }
    Operation {
        action,
        sends: Some((&JSON, OPTIONS.into())),
        answers: STATUS.into(),
        parameters,
    }
}

/// Read, replace and patch an object or a part of it.
fn part(sends: &str, answers: &str) -> [(&'static str, Operation); 3] {
    let mut patch_parameters = write_parameters();
    patch_parameters.push(parameter("force", "boolean"));
    [
        (
            "get",
            Operation {
                action: "get",
                sends: None,
                answers: answers.into(),
                parameters: Vec::new(),
            },
        ),
        (
            "put",
            Operation {
                action: "put",
                sends: Some((&JSON, sends.into())),
                answers: answers.into(),
                parameters: write_parameters(),
            },
        ),
        (
            "patch",
            Operation {
                action: "patch",
                sends: Some((&PATCHES, PATCH.into())),
                answers: answers.into(),
                parameters: patch_parameters,
            },
        ),
    ]
}
