//! Puts an applied document over the live object, and takes out what its manager no longer names.

use serde_json::Value;

use super::{fields::FieldSet, value_path::Step};
use crate::schema::{ListType, Schema};

/// Merges `applied` into `live`: maps by field, lists by their type, everything else as a whole.
pub(crate) fn merge(schema: &Schema, live: &mut Value, applied: &Value) {
    merge_node(Some(schema), live, applied);
}

fn merge_node(schema: Option<&Schema>, live: &mut Value, applied: &Value) {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !schema.is_some_and(|schema| schema.atomic_map) => {
            for (name, value) in applied {
                match live.get_mut(name) {
                    Some(live) => merge_node(schema.and_then(|schema| schema.field(name)), live, value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(applied))
            if schema.is_some_and(|schema| schema.list_type != ListType::Atomic) =>
        {
            merge_list(schema, live, applied);
        }
        (live, applied) => live.clone_from(applied),
    }
}

fn merge_list(schema: Option<&Schema>, live: &mut Vec<Value>, applied: &[Value]) {
    let list = schema.map_or(&ListType::Atomic, |schema| &schema.list_type);
    let item_schema = schema.and_then(|schema| schema.items.as_deref());
    for item in applied {
        let position = Step::item(list, item).and_then(|step| step.position(schema, live));
        match position.and_then(|position| live.get_mut(position)) {
            Some(live) => merge_node(item_schema, live, item),
            None => live.push(item.clone()),
        }
    }
}

/// Removes from `live` the fields of `previous` that are not in `kept`; maps that become empty go with them.
pub(crate) fn remove(schema: &Schema, live: &mut Value, previous: &FieldSet, kept: &FieldSet) {
    remove_node(Some(schema), live, previous, Some(kept));
}

fn remove_node(schema: Option<&Schema>, live: &mut Value, previous: &FieldSet, kept: Option<&FieldSet>) {
    for (step, previous_child) in &previous.children {
        let kept_child = kept.and_then(|kept| kept.children.get(step));
        // The field is gone as a whole only if nobody names it or a part of it.
        if previous_child.member && kept_child.is_none() {
            remove_step(schema, live, step);
            continue;
        }
        let Some(child) = find_mut(schema, live, step) else {
            continue;
        };
        remove_node(step.schema(schema), child, previous_child, kept_child);
        if kept_child.is_none() && is_empty(child) {
            remove_step(schema, live, step);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn find_mut<'a>(schema: Option<&Schema>, value: &'a mut Value, step: &Step) -> Option<&'a mut Value> {
    match value {
        Value::Object(fields) => fields.get_mut(step.0.strip_prefix("f:")?),
        Value::Array(items) => {
            let position = step.position(schema, items)?;
            items.get_mut(position)
        }
        _ => None,
    }
}

fn remove_step(schema: Option<&Schema>, value: &mut Value, step: &Step) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = step.0.strip_prefix("f:") {
                fields.remove(name);
            }
        }
        Value::Array(items) => {
            if let Some(position) = step.position(schema, items) {
                items.remove(position);
            }
        }
        _ => {}
    }
}
