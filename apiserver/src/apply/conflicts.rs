//! Which fields of an apply another manager applied with another value.

use serde_json::Value;

use super::{fields::FieldSet, value_path::FieldPath};
use crate::schema::Schema;

/// Fields in both sets whose live value the applied document would change.
pub(crate) fn conflicts(
    schema: &Schema,
    applied_set: &FieldSet,
    other_set: &FieldSet,
    live: &Value,
    applied: &Value,
) -> Vec<FieldPath> {
    let mut found = Vec::new();
    let root = FieldPath::default();
    compare(
        Some(schema),
        applied_set,
        other_set,
        Some(live),
        Some(applied),
        &root,
        &mut found,
    );
    found
}

fn compare(
    schema: Option<&Schema>,
    ours: &FieldSet,
    theirs: &FieldSet,
    live: Option<&Value>,
    applied: Option<&Value>,
    path: &FieldPath,
    found: &mut Vec<FieldPath>,
) {
    let is_leaf = |set: &FieldSet| set.member && set.children.is_empty();
    if is_leaf(ours) || is_leaf(theirs) {
        if live != applied && !only_adds(live, applied) {
            found.push(path.clone());
        }
        return;
    }
    for (step, our_child) in &ours.children {
        let Some(their_child) = theirs.children.get(step) else {
            continue;
        };
        let child_schema = step.schema(schema);
        let live_child = live.and_then(|live| step.find(schema, live));
        let applied_child = applied.and_then(|applied| step.find(schema, applied));
        compare(
            child_schema,
            our_child,
            their_child,
            live_child,
            applied_child,
            &path.with(step),
            found,
        );
    }
}

/// An empty map over a map, or a map over an empty one, takes nothing away from anybody.
fn only_adds(live: Option<&Value>, applied: Option<&Value>) -> bool {
    match (live, applied) {
        (Some(Value::Object(live)), Some(Value::Object(applied))) => live.is_empty() || applied.is_empty(),
        _ => false,
    }
}
