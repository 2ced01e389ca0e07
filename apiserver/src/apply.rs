//! Server-side apply: what a manager last applied, what that collides with, and what it no longer names.
//!
//! Owns the field sets in `metadata.managedFields` of managers that apply. Writers that replace or patch are
//! not tracked: they never collide, and the next apply overwrites what they set in its fields. No I/O.

mod conflicts;
mod fields;
mod merge;
mod value_path;

use serde_json::{Map, Value, json};

use crate::{
    object::Object,
    registry::Resource,
    status_error::{Cause, StatusError},
};
use conflicts::conflicts;
use fields::FieldSet;

/// One manager's entry in `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq)]
struct Manager {
    name: String,
    /// `status`, or empty for the object itself.
    subresource: String,
    time: String,
    set: FieldSet,
}

/// Who applies, and how.
pub(crate) struct Applier<'a> {
    /// The field manager.
    pub(crate) manager: &'a str,
    /// `status`, or empty.
    pub(crate) subresource: &'a str,
    /// Take over fields of others.
    pub(crate) force: bool,
    /// The time for `managedFields`, RFC 3339.
    pub(crate) now: &'a str,
}

/// What identifies an object or belongs to the server is nobody's field.
const UNMANAGED_METADATA: [&str; 10] = [
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
];

/// `live` after applying `document` to it, with the managers' entries brought up to date.
pub(crate) fn apply(
    resource: &Resource,
    live: &Object,
    document: &Object,
    applier: &Applier<'_>,
) -> Result<Object, StatusError> {
    let wanted = managed_part(resource, document, applier.subresource);
    let set = FieldSet::of(&resource.schema, &wanted);
    let live_value = live.to_value();
    let (mut own, mut others): (Vec<Manager>, Vec<Manager>) = managers(live)
        .into_iter()
        .partition(|one| one.name == applier.manager && one.subresource == applier.subresource);
    let previous = own.pop();

    let mut causes = Vec::new();
    for other in &mut others {
        let paths = conflicts(&resource.schema, &set, &other.set, &live_value, &wanted);
        if applier.force {
            other.set.remove_paths(&paths);
        } else {
            causes.extend(paths.iter().map(|path| conflict_cause(resource, other, path)));
        }
    }
    if !causes.is_empty() {
        return Err(conflict_error(&causes));
    }
    others.retain(|other| !other.set.is_empty());

    let mut merged = live_value;
    if let Some(previous) = &previous {
        let kept = others
            .iter()
            .fold(set.clone(), |all, other| all.union(&other.set));
        merge::remove(&resource.schema, &mut merged, &previous.set, &kept);
    }
    merge::merge(&resource.schema, &mut merged, &wanted);
    let mut object = Object::from_value(merged)?;
    // The entry's time moves only with its set, or an apply that changes nothing would be a write.
    let time = previous
        .filter(|previous| previous.set == set)
        .map_or_else(|| applier.now.to_owned(), |p| p.time);
    if !set.is_empty() {
        let subresource = applier.subresource.to_owned();
        others.push(Manager {
            name: applier.manager.into(),
            subresource,
            time,
            set,
        });
    }
    write_managers(resource, &mut object, others);
    Ok(object)
}

/// The applied document without identity, and without the part that is not written here.
fn managed_part(resource: &Resource, applied: &Object, subresource: &str) -> Value {
    let mut fields = applied.fields.clone();
    fields.remove("apiVersion");
    fields.remove("kind");
    if subresource == "status" {
        fields.retain(|field, _| field == "status");
        return Value::Object(fields);
    }
    if resource.has_status {
        fields.remove("status");
    }
    let mut metadata = applied.metadata.clone();
    metadata.retain(|field, _| !UNMANAGED_METADATA.contains(&field.as_str()));
    if !metadata.is_empty() {
        fields.insert("metadata".into(), metadata.into());
    }
    Value::Object(fields)
}

fn conflict_cause(resource: &Resource, other: &Manager, path: &value_path::FieldPath) -> Cause {
    let part = match other.subresource.as_str() {
        "" => String::new(),
        subresource => format!(" with subresource \"{subresource}\""),
    };
    Cause {
        reason: "FieldManagerConflict".into(),
        field: path.to_string(),
        message: format!(
            "conflict with \"{}\"{part} using {}",
            other.name,
            resource.api_version()
        ),
    }
}

fn conflict_error(causes: &[Cause]) -> StatusError {
    let listed: Vec<String> = causes
        .iter()
        .map(|cause| format!("{}: {}", cause.message, cause.field))
        .collect();
    let message = match listed.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {one}"),
        many => format!(
            "Apply failed with {} conflicts: {}",
            many.len(),
            many.join("\n- ")
        ),
    };
    StatusError::apply_conflict(message, causes)
}

fn managers(object: &Object) -> Vec<Manager> {
    let entries = object.meta_list("managedFields").iter();
    entries
        .filter(|entry| entry.get("operation").and_then(Value::as_str) == Some("Apply"))
        .map(manager)
        .collect()
}

fn manager(entry: &Value) -> Manager {
    let text = |field: &str| {
        entry
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Manager {
        name: text("manager"),
        subresource: text("subresource"),
        time: text("time"),
        set: entry.get("fieldsV1").map(FieldSet::from_json).unwrap_or_default(),
    }
}

fn write_managers(resource: &Resource, object: &mut Object, mut managers: Vec<Manager>) {
    managers.sort_by(|a, b| (&a.name, &a.subresource).cmp(&(&b.name, &b.subresource)));
    let entries: Vec<Value> = managers
        .into_iter()
        .map(|manager| entry(resource, manager))
        .collect();
    if entries.is_empty() {
        object.metadata.remove("managedFields");
    } else {
        object.set_meta("managedFields", entries);
    }
}

fn entry(resource: &Resource, manager: Manager) -> Value {
    let Manager {
        name,
        subresource,
        time,
        set,
    } = manager;
    let mut entry = Map::new();
    entry.insert("manager".into(), name.into());
    entry.insert("operation".into(), "Apply".into());
    entry.insert("apiVersion".into(), resource.api_version().into());
    entry.insert("time".into(), time.into());
    entry.insert("fieldsType".into(), json!("FieldsV1"));
    entry.insert("fieldsV1".into(), set.to_json());
    if !subresource.is_empty() {
        entry.insert("subresource".into(), subresource.into());
    }
    Value::Object(entry)
}

#[cfg(test)]
mod tests;
