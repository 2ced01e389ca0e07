//! Who set which field: server-side apply, and the bookkeeping for writers that replace or patch.
//!
//! Owns the field sets in `metadata.managedFields`. An apply collides with every other manager's fields that it would
//! change; a replacement takes over what it changes, so that the next apply hears of it. No I/O.

mod compare;
mod fields;
mod managers;
mod merge;
mod typed;
mod value_path;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    builtin,
    object::Object,
    registry::{Form, Resource},
    schema::ListType,
    status_error::{Cause, StatusError},
};
use compare::{Changes, compare};
use fields::FieldSet;
use managers::Entry;
use value_path::Step;

pub(crate) use managers::without_times;
pub(crate) use typed::check_types;

/// Who writes, and what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    /// The field manager.
    pub(crate) manager: &'a str,
    /// `status`, `scale`, or empty.
    pub(crate) subresource: &'a str,
    /// The time for `managedFields`, RFC 3339.
    pub(crate) now: &'a str,
}

/// The manager of what was there before anybody applied.
const BEFORE_APPLY: &str = "before-first-apply";
/// The annotation of client-side applies, and the manager that may take over from them.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const KUBECTL: &str = "kubectl";

/// What identifies an object or belongs to the server is nobody's field.
const UNMANAGED_METADATA: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// `new` with the entries of every manager brought up to date: `writer` owns what it changed.
///
/// Without `live` the object is new. An object without entries stays without: somebody took them off.
pub(crate) fn track(
    resource: &Resource,
    live: Option<&Object>,
    mut new: Object,
    writer: &Writer<'_>,
) -> Object {
    let sent = managers::read(&new);
    let mut entries = match live {
        _ if writer.subresource.is_empty() && managers::is_reset(&new) => Vec::new(),
        _ if writer.subresource.is_empty() && !sent.is_empty() => sent,
        Some(live) => managers::read(live),
        None => Vec::new(),
    };
    if !(entries.is_empty() && live.is_some()) {
        let old = live.map_or_else(|| builtin::empty(resource), |live| managed(resource, live));
        take_over(resource, &old, &managed(resource, &new), &mut entries, writer);
    }
    managers::write(&mut new, entries);
    new
}

/// Gives `writer` the fields that differ between two values, and takes them from everybody else.
fn take_over(resource: &Resource, old: &Value, new: &Value, entries: &mut Vec<Entry>, writer: &Writer<'_>) {
    let changes = changes(resource, old, new, writer.subresource);
    let taken = changes.taken();
    let api_version = resource.api_version();
    for entry in entries
        .iter_mut()
        .filter(|entry| entry.api_version == api_version)
    {
        entry.set = entry.set.difference(&taken).difference(&changes.removed);
    }
    if !taken.is_empty() {
        let mut mine = Entry {
            manager: named(writer.manager).to_owned(),
            applies: false,
            api_version,
            subresource: writer.subresource.to_owned(),
            time: (writer.subresource != "scale").then(|| writer.now.to_owned()),
            set: taken,
        };
        if let Some(at) = entries.iter().position(|entry| entry.is_same_writer(&mine)) {
            let earlier = entries.remove(at);
            mine.set = mine.set.union(&earlier.set);
        }
        entries.push(mine);
    }
    entries.retain(|entry| !entry.set.is_empty());
}

fn named(manager: &str) -> &str {
    if manager.is_empty() { "unknown" } else { manager }
}

/// `live` after applying `document` to it, with the managers' entries brought up to date.
///
/// Without `exists` the object is being created, and `live` is only its name.
pub(crate) fn apply(
    resource: &Resource,
    live: &Object,
    exists: bool,
    document: &Object,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Object, StatusError> {
    let (live_value, wanted) = (live.to_value(), applied_part(document));
    let mut set = FieldSet::of(&resource.schema, &wanted);
    reset(resource, writer.subresource, |step| {
        set.remove_tree(std::slice::from_ref(step));
    });
    let mut entries = managers::read(live);
    if entries.is_empty() && exists {
        let before = Writer {
            manager: BEFORE_APPLY,
            ..*writer
        };
        let empty = builtin::empty(resource);
        take_over(resource, &empty, &managed(resource, live), &mut entries, &before);
    }
    let mut mine = Entry {
        manager: writer.manager.to_owned(),
        applies: true,
        api_version: resource.api_version(),
        subresource: writer.subresource.to_owned(),
        time: None,
        set,
    };
    let own = entries.iter().position(|entry| entry.is_same_writer(&mine));
    let previous = own.map(|at| entries.remove(at));

    let mut merged = live_value;
    if let Some(previous) = &previous {
        let kept = entries
            .iter()
            .fold(mine.set.clone(), |all, other| all.union(&other.set));
        merge::remove(&resource.schema, &mut merged, &previous.set, &kept);
    }
    merge::merge(&resource.schema, &mut merged, &wanted);
    let mut object = Object::from_value(merged)?;

    let changes = changes(
        resource,
        &managed(resource, live),
        &managed(resource, &object),
        writer.subresource,
    );
    yield_fields(resource, live, &mut entries, &changes, writer.manager, force)?;
    // The entry's time moves only with the object, or an apply that changes nothing would be a write.
    mine.time = if object == *live && exists {
        previous.and_then(|previous| previous.time)
    } else {
        Some(writer.now.to_owned())
    };
    if writer.manager == KUBECTL {
        keep_last_applied(&mut object, document);
    }
    entries.push(mine);
    managers::write(&mut object, entries);
    Ok(object)
}

/// Takes what an apply changes from the other managers, or refuses if it may not.
fn yield_fields(
    resource: &Resource,
    live: &Object,
    entries: &mut [Entry],
    changes: &Changes,
    manager: &str,
    force: bool,
) -> Result<(), StatusError> {
    let taken = changes.taken();
    let api_version = resource.api_version();
    // kubectl's own client-side applies are no conflict to its server-side ones.
    let allowed = if manager == KUBECTL {
        last_applied_fields(resource, live)
    } else {
        FieldSet::default()
    };
    let mut conflicts = Vec::new();
    for entry in entries
        .iter_mut()
        .filter(|entry| entry.api_version == api_version)
    {
        let lost = entry.set.intersection(&taken);
        let refused = lost.difference(&allowed);
        if !refused.is_empty() {
            conflicts.push((described(entry), refused));
        }
        entry.set = entry.set.difference(&lost).difference(&changes.removed);
    }
    if force || conflicts.is_empty() {
        Ok(())
    } else {
        Err(conflict_error(conflicts))
    }
}

/// The fields that the last client-side apply set and that still are as it set them.
fn last_applied_fields(resource: &Resource, live: &Object) -> FieldSet {
    let annotation = live
        .metadata
        .get("annotations")
        .and_then(|annotations| annotations.get(LAST_APPLIED));
    let Some(applied) = annotation.and_then(Value::as_str) else {
        return FieldSet::default();
    };
    let Ok(document) = Object::from_json(applied.as_bytes()) else {
        return FieldSet::default();
    };
    let applied = applied_part(&document);
    let differences = compare(&resource.schema, &applied, &managed(resource, live));
    FieldSet::of(&resource.schema, &applied)
        .difference(&differences.modified)
        .difference(&differences.added)
        .difference(&differences.removed)
}

/// Where kubectl's annotation is, it says what kubectl applied last, by whichever way.
fn keep_last_applied(object: &mut Object, document: &Object) {
    let Some(Value::Object(annotations)) = object.metadata.get_mut("annotations") else {
        return;
    };
    let Some(annotation) = annotations.get_mut(LAST_APPLIED) else {
        return;
    };
    let mut document = document.clone();
    if let Some(Value::Object(stated)) = document.metadata.get_mut("annotations") {
        stated.remove(LAST_APPLIED);
    }
    *annotation = format!("{}\n", document.to_value()).into();
}

/// Takes an owner reference that was removed out of every manager's fields.
pub(crate) fn forget_owner(object: &mut Object, uid: &str) {
    let keys = ListType::Map(vec!["uid".to_owned()]);
    let owners = [Step::field("metadata"), Step::field("ownerReferences")];
    let Some(owner) = Step::item(&keys, &json!({"uid": uid})) else {
        return;
    };
    let mut entries = managers::read(object);
    for entry in &mut entries {
        let [metadata, references] = owners.clone();
        entry.set.remove_tree(&[metadata, references, owner.clone()]);
        if object.meta_list("ownerReferences").is_empty() {
            entry.set.remove_tree(&owners);
        }
    }
    managers::write(object, entries);
}

/// An object as fields that can be owned: without its identity, in the words of its group.
fn managed(resource: &Resource, object: &Object) -> Value {
    let mut fields = object.fields.clone();
    if resource.form == Form::GroupEvent {
        builtin::to_served(resource, &mut fields);
    }
    for field in ["apiVersion", "kind"] {
        fields.remove(field);
    }
    let mut metadata = object.metadata.clone();
    metadata.retain(|field, _| !UNMANAGED_METADATA.contains(&field.as_str()));
    fields.insert("metadata".into(), metadata.into());
    if let Value::Object(empty) = builtin::empty(resource) {
        for (name, value) in empty {
            fields.entry(name).or_insert(value);
        }
    }
    Value::Object(fields)
}

/// A document as fields that its manager names.
fn applied_part(document: &Object) -> Value {
    let mut fields = document.fields.clone();
    for field in ["apiVersion", "kind"] {
        fields.remove(field);
    }
    let mut metadata = document.metadata.clone();
    metadata.retain(|field, _| !UNMANAGED_METADATA.contains(&field.as_str()));
    if !metadata.is_empty() {
        fields.insert("metadata".into(), metadata.into());
    }
    Value::Object(fields)
}

/// What changed, without the part that is not written here.
fn changes(resource: &Resource, old: &Value, new: &Value, subresource: &str) -> Changes {
    let mut changes = compare(&resource.schema, old, new);
    reset(resource, subresource, |step| {
        let steps = std::slice::from_ref(step);
        changes.added.remove_tree(steps);
        changes.modified.remove_tree(steps);
        changes.removed.remove_tree(steps);
    });
    // That there is metadata is nobody's doing.
    for set in [&mut changes.added, &mut changes.modified, &mut changes.removed] {
        if let Some(metadata) = set.children.get_mut(&Step::field("metadata")) {
            metadata.member = false;
        }
        set.children.retain(|_, child| !child.is_empty());
    }
    changes
}

/// The fields that are put back after a write of this part.
fn reset(resource: &Resource, subresource: &str, mut forget: impl FnMut(&Step)) {
    match subresource {
        "status" => forget(&Step::field("spec")),
        _ if resource.has_status => forget(&Step::field("status")),
        _ => {}
    }
    if resource.form == Form::Namespace && subresource.is_empty() {
        forget(&Step::field("spec"));
    }
}

fn described(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    // Writing to a String cannot fail.
    if !entry.subresource.is_empty() {
        let _ = write!(text, " with subresource {:?}", entry.subresource);
    }
    if !entry.applies {
        let _ = write!(text, " using {}", entry.api_version);
    }
    text
}

fn conflict_error(conflicts: Vec<(String, FieldSet)>) -> StatusError {
    let listed: Vec<(String, Vec<String>)> = conflicts
        .into_iter()
        .map(|(manager, set)| (manager, set.paths().iter().map(ToString::to_string).collect()))
        .collect();
    let causes: Vec<Cause> = listed
        .iter()
        .flat_map(|(manager, paths)| {
            paths.iter().map(move |path| Cause {
                reason: "FieldManagerConflict".into(),
                field: path.clone(),
                message: format!("conflict with {manager}"),
            })
        })
        .collect();
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => {
            let managers = listed.iter().map(|(manager, paths)| {
                let paths: Vec<String> = paths.iter().map(|path| format!("\n- {path}")).collect();
                format!("conflicts with {manager}:{}", paths.concat())
            });
            let managers: Vec<String> = managers.collect();
            format!(
                "Apply failed with {} conflicts: {}",
                many.len(),
                managers.join("\n")
            )
        }
    };
    StatusError::apply_conflict(message, &causes)
}

#[cfg(test)]
mod tests;
