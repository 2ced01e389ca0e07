//! Decides whether a write may happen, and what exactly is written. Pure: old object in, new object out.
//!
//! The order is Kubernetes': what belongs to the server, defaults, who set what, metadata, schema, the kind's own
//! rules, generation. What a body may hold at all is [`crate::decode`]'s.

use serde_json::{Map, Value};

use crate::{
    apply::{Writer, track, without_times},
    builtin, names,
    object::Object,
    registry::{Form, Resource},
    schema::{Schema, default::apply_defaults, validate::validate},
    status_error::{Cause, StatusError},
};

pub(crate) use crate::decode::METADATA_FIELDS;

/// Which part of an object a path writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but the status, where the kind has one of its own.
    Main,
    /// The status and nothing else.
    Status,
    /// The number of replicas.
    Scale,
}

impl Part {
    /// The part as a subresource name.
    pub(crate) fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
        }
    }
}

/// What happens to `metadata.managedFields`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ManagedFields<'a> {
    /// The writer owns what it changes.
    Track(Writer<'a>),
    /// The candidate carries what the apply worked out.
    Replace,
}

/// What the server gives a new object.
pub(crate) struct Birth<'a> {
    /// `metadata.uid`.
    pub(crate) uid: String,
    /// RFC 3339, whole seconds.
    pub(crate) now: String,
    /// Empty for cluster-scoped kinds.
    pub(crate) namespace: &'a str,
}

/// The object as it is created. `candidate` has been decoded and named.
pub(crate) fn admit_create(
    resource: &Resource,
    mut candidate: Object,
    birth: Birth<'_>,
    managed_fields: ManagedFields<'_>,
) -> Result<Object, StatusError> {
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "resourceVersion",
    ] {
        candidate.metadata.remove(field);
    }
    candidate.set_meta("uid", birth.uid);
    candidate.set_meta("creationTimestamp", birth.now);
    if resource.is_custom() {
        candidate.set_meta("generation", 1);
    } else {
        // Nothing acts on the spec of what is built in.
        candidate.metadata.remove("generation");
    }
    if resource.namespaced {
        candidate.set_meta("namespace", birth.namespace);
    } else {
        candidate.metadata.remove("namespace");
    }
    if resource.form == Form::Namespace {
        builtin::label_namespace(&mut candidate);
    }
    let mut candidate = with_defaults(resource, candidate)?;
    if let ManagedFields::Track(writer) = managed_fields {
        candidate = track(resource, None, candidate, &writer);
    }
    if resource.has_status {
        candidate.fields.remove("status");
    }
    match resource.form {
        Form::Namespace => builtin::complete_namespace(&mut candidate),
        Form::CoreEvent | Form::GroupEvent => builtin::complete_event(&mut candidate),
        Form::Custom | Form::Definition => {}
    }
    check(resource, &candidate, None)?;
    Ok(candidate)
}

/// The object as it is after an update. `candidate` has been decoded.
pub(crate) fn admit_update(
    resource: &Resource,
    old: &Object,
    candidate: Object,
    part: Part,
    managed_fields: ManagedFields<'_>,
) -> Result<Object, StatusError> {
    check_version(resource, old, &candidate)?;
    let mut candidate = with_defaults(resource, candidate)?;
    if resource.form == Form::Namespace {
        builtin::label_namespace(&mut candidate);
    }
    // Who set what goes by what was sent, also where it is put back below.
    if let ManagedFields::Track(writer) = managed_fields {
        candidate = track(resource, Some(old), candidate, &writer);
    }
    let managed = candidate.metadata.get("managedFields").cloned();
    let mut new = match part {
        Part::Main | Part::Scale => main_part(resource, old, candidate),
        Part::Status => status_part(old, candidate),
    };
    match managed {
        Some(managed) => new.set_meta("managedFields", managed),
        None => drop(new.metadata.remove("managedFields")),
    }
    if is_same(old, &new) {
        return Ok(old.clone());
    }
    check(resource, &new, Some((old, part)))?;
    if part != Part::Status && resource.is_custom() && spec_changed(resource, old, &new) {
        new.set_meta("generation", old.generation() + 1);
    }
    Ok(new)
}

/// Whether nothing changed but the time of somebody's entry, which is no change.
fn is_same(old: &Object, new: &Object) -> bool {
    let rest = |object: &Object| {
        let mut metadata = object.metadata.clone();
        metadata.remove("managedFields");
        metadata
    };
    old == new
        || old.fields == new.fields && rest(old) == rest(new) && without_times(old) == without_times(new)
}

/// Everything but metadata, and but the status where it has a path of its own.
fn spec_changed(resource: &Resource, old: &Object, new: &Object) -> bool {
    let counts = |name: &&String| !(resource.has_status && name.as_str() == "status");
    let differs = |name: &String| old.fields.get(name) != new.fields.get(name);
    new.fields
        .keys()
        .chain(old.fields.keys())
        .filter(counts)
        .any(differs)
}

/// A stated version must be the present one.
fn check_version(resource: &Resource, old: &Object, candidate: &Object) -> Result<(), StatusError> {
    let version = candidate.version();
    if !version.is_empty() && version != old.version() {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        return Err(StatusError::conflict(resource, old.name(), why));
    }
    Ok(())
}

fn main_part(resource: &Resource, old: &Object, mut new: Object) -> Object {
    for field in SERVER_METADATA {
        match old.metadata.get(field) {
            Some(value) => new.set_meta(field, value.clone()),
            None => drop(new.metadata.remove(field)),
        }
    }
    if resource.has_status {
        match old.fields.get("status") {
            Some(status) => drop(new.fields.insert("status".into(), status.clone())),
            None => drop(new.fields.remove("status")),
        }
    }
    if resource.form == Form::Namespace
        && let Some(spec) = old.fields.get("spec")
    {
        new.fields.insert("spec".into(), spec.clone());
    }
    new
}

/// What no writer may change.
const SERVER_METADATA: [&str; 10] = [
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

fn status_part(old: &Object, mut candidate: Object) -> Object {
    let mut new = old.clone();
    match candidate.fields.remove("status") {
        Some(status) => drop(new.fields.insert("status".into(), status)),
        None => drop(new.fields.remove("status")),
    }
    new
}

fn with_defaults(resource: &Resource, object: Object) -> Result<Object, StatusError> {
    if !resource.is_custom() {
        return Ok(object);
    }
    let mut value = object.to_value();
    apply_defaults(&resource.schema, &mut value);
    Object::from_value(value)
}

fn check(resource: &Resource, object: &Object, before: Option<(&Object, Part)>) -> Result<(), StatusError> {
    let value = object.to_value();
    let (old, part) = before.unzip();
    let old_value = old.map(Object::to_value);
    let mut causes = Vec::new();
    names::check_metadata(resource, object, old, &mut causes);
    // An Event is stored in the core group's words, whichever group it came by.
    if resource.form != Form::GroupEvent {
        let mut found = Vec::new();
        match resource
            .schema
            .field("status")
            .filter(|_| part == Some(Part::Status))
        {
            Some(schema) => check_status(schema, &value, &mut found),
            None => validate(&resource.schema, &value, "", &mut found),
        }
        if let Some(old_value) = old_value.as_ref().filter(|_| part != Some(Part::Status)) {
            forgive_unchanged(resource, old_value, &value, &mut found);
        }
        causes.append(&mut found);
    }
    if let Some(scale) = &resource.scale {
        scale.check(&value, &mut causes);
    }
    if matches!(resource.form, Form::CoreEvent | Form::GroupEvent) && old.is_none() {
        check_event(resource, object, &mut causes);
    }
    if let Some(rules) = resource.rules.as_ref().filter(|rules| !rules.is_empty()) {
        if causes.iter().any(Cause::blocks_rules) {
            causes.push(Cause::invalid(
                "<nil>",
                "Invalid value: null: some validation rules were not checked because the object was invalid; \
                 correct the existing errors to complete validation",
            ));
        } else {
            causes.extend(rules.broken(&resource.schema, &value, old_value.as_ref()));
        }
    }
    if causes.is_empty() {
        Ok(())
    } else {
        // Events are one kind to Go, whichever group they came by.
        let group = match resource.form {
            Form::GroupEvent => "",
            _ => &resource.group,
        };
        Err(StatusError::invalid_kind(
            &resource.kind,
            group,
            object.name(),
            &causes,
        ))
    }
}

/// A status is looked at by itself: what is wrong is named from there, where it stands from the object.
fn check_status(schema: &Schema, value: &Value, causes: &mut Vec<Cause>) {
    let Some(status) = value.get("status") else { return };
    validate(schema, status, "", causes);
    for cause in causes {
        cause.field = match cause.field.as_str() {
            "" => "status".into(),
            "<nil>" => continue,
            field => format!("status.{field}"),
        };
    }
}

/// A field that was wrong before and is unchanged does not stop a write elsewhere, or an object from before a
/// stricter schema could never be finished.
fn forgive_unchanged(resource: &Resource, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    if causes.is_empty() {
        return;
    }
    let mut before = Vec::new();
    validate(&resource.schema, old, "", &mut before);
    causes.retain(|cause| {
        let top = cause.field.split(['.', '[']).next().unwrap_or_default();
        !(before.contains(cause) && old.get(top) == new.get(top))
    });
}

/// What is told of must be in the Event's own namespace; the newer dialect needs a time and a type.
fn check_event(resource: &Resource, object: &Object, causes: &mut Vec<Cause>) {
    let about = object
        .fields
        .get("involvedObject")
        .and_then(|about| about.get("namespace"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_there = match about {
        "" => object.namespace() == builtin::DEFAULT_NAMESPACE,
        about => object.namespace() == about,
    };
    if !is_there {
        causes.push(Cause::invalid(
            "involvedObject.namespace",
            format!("Invalid value: {about:?}: does not match event.namespace"),
        ));
    }
    if resource.form == Form::GroupEvent {
        if object.text("eventTime").is_empty() {
            causes.push(Cause::required("eventTime", ""));
        }
        let event_type = object.text("type");
        if !matches!(event_type, "Normal" | "Warning") {
            let message = format!("Invalid value: \"\": has invalid value: {event_type}");
            causes.push(Cause::invalid("type", message));
        }
    }
}

/// The object marked for deletion; it goes when its last finalizer does.
pub(crate) fn mark_deleted(mut object: Object, now: &str) -> Object {
    let generation = object.generation();
    object.set_meta("deletionTimestamp", now);
    if object.text("kind") == "Namespace" && object.text("apiVersion") == "v1" {
        let status = object
            .fields
            .entry("status")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(status) = status {
            status.insert("phase".into(), "Terminating".into());
        }
        return object;
    }
    object.set_meta("deletionGracePeriodSeconds", 0);
    if generation > 0 {
        object.set_meta("generation", generation + 1);
    }
    object
}
