//! Decides whether a write may happen, and what exactly is written. Pure: old object in, new object out.
//!
//! The order is Kubernetes': decode (unknown fields), what belongs to the server, defaults, schema, the kind's
//! own rules, generation.

use serde_json::{Map, Value};

use crate::{
    builtin, names,
    object::Object,
    query::FieldValidation,
    registry::{Form, Resource},
    schema::{default::apply_defaults, prune::prune, validate::validate},
    status_error::{Cause, StatusError},
};

/// Which part of an object a path writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but the status, where the kind has one of its own.
    Main,
    /// The status and nothing else.
    Status,
}

/// What happens to `metadata.managedFields`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManagedFields {
    /// Writers that do not apply leave them alone; an explicit empty list clears them.
    Keep,
    /// The candidate carries what the apply worked out.
    Replace,
}

/// What the server gives a new object.
pub(crate) struct Birth<'a> {
    /// `metadata.uid`.
    pub(crate) uid: String,
    /// RFC 3339, whole seconds.
    pub(crate) now: &'a str,
    /// Empty for cluster-scoped kinds.
    pub(crate) namespace: &'a str,
}

/// Drops what the schema does not know; returns warnings, or refuses under `Strict`.
pub(crate) fn decode(
    resource: &Resource,
    object: &mut Object,
    validation: FieldValidation,
) -> Result<Vec<String>, StatusError> {
    check_type(resource, object)?;
    builtin::to_stored(resource, object);
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
    object.metadata.retain(|name, _| {
        let known = METADATA_FIELDS.contains(&name.as_str());
        if !known {
            unknown.push(format!("metadata.{name}"));
        }
        known
    });
    let complaints: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field \"{path}\""))
        .collect();
    match validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            let Resource { kind, version, .. } = resource;
            Err(StatusError::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {}",
                complaints.join(", ")
            )))
        }
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn | FieldValidation::Strict => Ok(complaints),
    }
}

const METADATA_FIELDS: [&str; 15] = [
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

fn check_type(resource: &Resource, object: &Object) -> Result<(), StatusError> {
    let (sent_version, sent_kind) = (object.text("apiVersion"), object.text("kind"));
    if sent_kind == resource.kind && sent_version == resource.api_version() {
        return Ok(());
    }
    Err(StatusError::bad_request(format!(
        "the object provided is a {sent_kind:?} of {sent_version:?}, but this path takes a {:?} of {:?}",
        resource.kind,
        resource.api_version()
    )))
}

/// The object as it is created. `candidate` has been decoded and named.
pub(crate) fn admit_create(
    resource: &Resource,
    mut candidate: Object,
    birth: Birth<'_>,
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
    candidate.set_meta("generation", 1);
    if resource.namespaced {
        candidate.set_meta("namespace", birth.namespace);
    } else {
        candidate.metadata.remove("namespace");
    }
    if resource.has_status {
        candidate.fields.remove("status");
    }
    match resource.form {
        Form::Namespace => builtin::complete_namespace(&mut candidate),
        // Events have no generation: nothing acts on their spec.
        Form::CoreEvent | Form::GroupEvent => drop(candidate.metadata.remove("generation")),
        Form::Custom => {}
    }
    check(resource, &candidate, None)
}

/// The object as it is after an update. `candidate` has been decoded.
pub(crate) fn admit_update(
    resource: &Resource,
    old: &Object,
    candidate: Object,
    part: Part,
    managed_fields: ManagedFields,
) -> Result<Object, StatusError> {
    check_identity(resource, old, &candidate)?;
    let managed = candidate.metadata.get("managedFields").cloned();
    let mut new = match part {
        Part::Main => main_part(resource, old, candidate),
        Part::Status => status_part(old, candidate),
    };
    let cleared = managed
        .as_ref()
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty);
    let kept = if managed_fields == ManagedFields::Keep && !cleared {
        old.metadata.get("managedFields").cloned()
    } else {
        managed.filter(|_| !cleared)
    };
    match kept {
        Some(kept) => new.set_meta("managedFields", kept),
        None => drop(new.metadata.remove("managedFields")),
    }
    let mut new = check(resource, &new, Some(old))?;
    if part == Part::Main && new.metadata.contains_key("generation") && spec_changed(resource, old, &new) {
        new.set_meta("generation", old.generation() + 1);
    }
    Ok(new)
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

fn check_identity(resource: &Resource, old: &Object, candidate: &Object) -> Result<(), StatusError> {
    let name = old.name();
    let uid = candidate.uid();
    if !uid.is_empty() && uid != old.uid() {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid()
        );
        return Err(StatusError::conflict(resource, name, &why));
    }
    let version = candidate.version();
    if !version.is_empty() && version != old.version() {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        return Err(StatusError::conflict(resource, name, why));
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

fn check(resource: &Resource, object: &Object, old: Option<&Object>) -> Result<Object, StatusError> {
    let mut value = object.to_value();
    apply_defaults(&resource.schema, &mut value);
    let mut causes = Vec::new();
    validate(&resource.schema, &value, "", &mut causes);
    let old_value = old.map(Object::to_value);
    if let (false, Some(old_value)) = (causes.is_empty(), &old_value) {
        forgive_unchanged(resource, old_value, &value, &mut causes);
    }
    if let (true, Some(rules)) = (causes.is_empty(), &resource.rules) {
        causes = rules.broken(&value, old_value.as_ref());
    }
    let object = Object::from_value(value)?;
    names::check_metadata(resource, &object, &mut causes);
    if let Some(old) = old {
        check_finalizers(old, &object, &mut causes);
    }
    if causes.is_empty() {
        Ok(object)
    } else {
        Err(StatusError::invalid(resource, object.name(), &causes))
    }
}

/// A field that was wrong before and is unchanged does not stop a write elsewhere, or an object from before a
/// stricter schema could never be finished.
fn forgive_unchanged(resource: &Resource, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let mut before = Vec::new();
    validate(&resource.schema, old, "", &mut before);
    causes.retain(|cause| {
        let top = cause.field.split(['.', '[']).next().unwrap_or_default();
        !(before.contains(cause) && old.get(top) == new.get(top))
    });
}

fn check_finalizers(old: &Object, new: &Object, causes: &mut Vec<Cause>) {
    let added = |finalizer: &&Value| !old.meta_list("finalizers").contains(finalizer);
    if old.is_deleting()
        && new
            .meta_list("finalizers")
            .iter()
            .any(|finalizer| added(&finalizer))
    {
        let why = "no new finalizers can be added if the object is being deleted";
        causes.push(Cause::forbidden("metadata.finalizers", why));
    }
}

/// The object marked for deletion; it goes when its last finalizer does.
pub(crate) fn mark_deleted(mut object: Object, now: &str) -> Object {
    let generation = object.generation();
    object.set_meta("deletionTimestamp", now);
    object.set_meta("deletionGracePeriodSeconds", 0);
    if generation > 0 {
        object.set_meta("generation", generation + 1);
    }
    if object.text("kind") == "Namespace" {
        let status = object
            .fields
            .entry("status")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(status) = status {
            status.insert("phase".into(), "Terminating".into());
        }
    }
    object
}
