//! The kinds that come without a definition: Namespaces, and Events in their two dialects.
//!
//! Events are stored once, in the core group's words, and served in the words of the group that is asked:
//! kube's recorder writes `events.k8s.io/v1`, `kubectl describe` reads `v1`, and clients refuse the other name.

use k8s_openapi::api::{core::v1 as core, events::v1 as events};
use serde_json::{Map, Value, json};

use crate::{
    object::Object,
    openapi,
    registry::{Form, Resource},
    schema::Schema,
    table::Columns,
};

/// Field names of an Event: in the core group, and in `events.k8s.io`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// How many Events are kept: nothing else ever deletes them.
pub(crate) const EVENTS_KEPT: i64 = 5_000;

/// The namespace every client assumes to exist; it cannot be deleted.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

pub(crate) fn namespaces() -> Resource {
    Resource {
        singular: "namespace".into(),
        short_names: vec!["ns".into()],
        namespaced: false,
        has_status: true,
        verbs: &["create", "delete", "get", "list", "patch", "update", "watch"],
        columns: Columns::of_namespaces(),
        schema: typed(&openapi::inlined::<core::Namespace>()),
        ..resource("", "namespaces", "Namespace", Form::Namespace)
    }
}

pub(crate) fn core_events() -> Resource {
    Resource {
        schema: typed(&openapi::inlined::<core::Event>()),
        ..resource("", "events", "Event", Form::CoreEvent)
    }
}

pub(crate) fn group_events() -> Resource {
    Resource {
        schema: typed(&openapi::inlined::<events::Event>()),
        ..resource("events.k8s.io", "events", "Event", Form::GroupEvent)
    }
}

fn resource(group: &str, plural: &str, kind: &str, form: Form) -> Resource {
    Resource {
        // Both dialects of Events are one set of rows.
        key: plural.into(),
        group: group.into(),
        version: "v1".into(),
        kind: kind.into(),
        list_kind: format!("{kind}List"),
        plural: plural.into(),
        singular: "event".into(),
        short_names: vec!["ev".into()],
        categories: Vec::new(),
        namespaced: true,
        has_status: false,
        scale: None,
        verbs: &VERBS,
        schema: Schema::untyped_root(),
        rules: None,
        columns: Columns::of_events(),
        open_api: Value::Null,
        definition: None,
        form,
    }
}

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The schema of a Go type: what is required there is filled in with an empty value, and a reference to an object
/// is one value.
fn typed(schema: &Value) -> Schema {
    let mut schema = schema.clone();
    relax(&mut schema);
    for reference in ["involvedObject", "regarding", "related"] {
        if let Some(Value::Object(field)) = schema.pointer_mut(&format!("/properties/{reference}")) {
            field.insert("x-kubernetes-map-type".into(), "atomic".into());
        }
    }
    Schema::compile_root(&schema).unwrap_or_else(|_| Schema::untyped_root())
}

fn relax(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("required").is_some_and(Value::is_array) {
                fields.remove("required");
            }
            // Go reads null as nothing, and writes some of its nothings as null.
            if fields.get("type").is_some_and(Value::is_string) {
                fields.insert("nullable".into(), true.into());
            }
            fields.values_mut().for_each(relax);
        }
        Value::Array(items) => items.iter_mut().for_each(relax),
        _ => {}
    }
}

/// What an object of a Go type holds even if nobody wrote it: structs that are no pointers.
pub(crate) fn empty(resource: &Resource) -> Value {
    match resource.form {
        Form::Namespace => json!({"metadata": {}, "spec": {}, "status": {}}),
        Form::CoreEvent => json!({
            "metadata": {}, "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null,
            "eventTime": null, "reportingComponent": "", "reportingInstance": "",
        }),
        Form::GroupEvent => json!({
            "metadata": {}, "regarding": {}, "deprecatedSource": {}, "deprecatedFirstTimestamp": null,
            "deprecatedLastTimestamp": null, "eventTime": null, "reportingController": "",
            "reportingInstance": "",
        }),
        Form::Custom | Form::Definition => json!({}),
    }
}

/// Turns an object as a client sent it into the words it is stored in.
pub(crate) fn to_stored(resource: &Resource, object: &mut Object) {
    if resource.form == Form::GroupEvent {
        rename(&mut object.fields, |(core, group)| (group, core));
        object.fields.insert("apiVersion".into(), "v1".into());
    }
}

/// Turns a stored object into the words of the resource it was asked under.
pub(crate) fn to_served(resource: &Resource, fields: &mut Map<String, Value>) {
    if resource.form == Form::GroupEvent {
        rename(fields, |(core, group)| (core, group));
        fields.insert("apiVersion".into(), resource.api_version().into());
        // Only the older dialect writes these out empty.
        for field in ["reportingController", "reportingInstance"] {
            if fields.get(field).and_then(Value::as_str) == Some("") {
                fields.remove(field);
            }
        }
    }
}

fn rename(
    fields: &mut Map<String, Value>,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    for (from, to) in EVENT_FIELDS.into_iter().map(direction) {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.into(), value);
        }
    }
}

/// Whether a field selector may name this field: the ones `kubectl describe` and `kubectl events` use.
pub(crate) fn is_selectable_field(resource: &Resource, path: &str) -> bool {
    let prefix = match resource.form {
        Form::CoreEvent => "involvedObject.",
        Form::GroupEvent => "regarding.",
        Form::Namespace => return path == "status.phase",
        Form::Custom | Form::Definition => return false,
    };
    match path.strip_prefix(prefix) {
        Some(field) => {
            matches!(
                field,
                "kind" | "namespace" | "name" | "uid" | "apiVersion" | "resourceVersion" | "fieldPath"
            )
        }
        None => matches!(
            path,
            "reason" | "type" | "reportingController" | "reportingComponent"
        ),
    }
}

/// Where a selectable field is found in the stored object.
pub(crate) fn stored_field_path(path: &str) -> String {
    let (head, rest) = path
        .split_once('.')
        .map_or((path, None), |(head, rest)| (head, Some(rest)));
    let head = EVENT_FIELDS
        .iter()
        .find(|(_, group)| *group == head)
        .map_or(head, |(core, _)| core);
    rest.map_or_else(|| head.to_owned(), |rest| format!("{head}.{rest}"))
}

/// The label every Namespace has.
pub(crate) fn label_namespace(object: &mut Object) {
    let name = object.name().to_owned();
    let labels = object
        .metadata
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(labels) = labels {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

/// What a new Namespace has that nobody wrote.
pub(crate) fn complete_namespace(object: &mut Object) {
    object.fields.insert("status".into(), json!({"phase": "Active"}));
    object
        .fields
        .insert("spec".into(), json!({"finalizers": ["kubernetes"]}));
}

/// What an Event holds even if nobody wrote it.
pub(crate) fn complete_event(object: &mut Object) {
    let empty = [
        ("involvedObject", json!({})),
        ("source", json!({})),
        ("firstTimestamp", Value::Null),
        ("lastTimestamp", Value::Null),
        ("eventTime", Value::Null),
        ("reportingComponent", "".into()),
        ("reportingInstance", "".into()),
    ];
    for (name, value) in empty {
        object.fields.entry(name).or_insert(value);
    }
}
