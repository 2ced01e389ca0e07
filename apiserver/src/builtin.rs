//! The kinds that come without a definition: Namespaces, and Events in their two dialects.
//!
//! Events are stored once, in the core group's words, and served in the words of the group that is asked:
//! kube's recorder writes `events.k8s.io/v1`, `kubectl describe` reads `v1`, and clients refuse the other name.

use serde_json::{Map, Value};

use crate::{
    object::Object,
    registry::{Form, Resource},
    schema::Schema,
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
        ..resource("", "namespaces", "Namespace", Form::Namespace)
    }
}

pub(crate) fn core_events() -> Resource {
    resource("", "events", "Event", Form::CoreEvent)
}

pub(crate) fn group_events() -> Resource {
    resource("events.k8s.io", "events", "Event", Form::GroupEvent)
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
        schema: Schema::untyped_root(),
        rules: None,
        form,
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
        Form::Custom => return false,
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

/// What a new Namespace has that nobody wrote.
pub(crate) fn complete_namespace(object: &mut Object) {
    let name = object.name().to_owned();
    let labels = object
        .metadata
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(labels) = labels {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
    object
        .fields
        .insert("status".into(), serde_json::json!({"phase": "Active"}));
    object
        .fields
        .entry("spec")
        .or_insert_with(|| Value::Object(Map::new()));
}
