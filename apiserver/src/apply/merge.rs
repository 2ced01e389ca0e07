//! Puts an applied document over the live object, and takes out what its manager no longer names.

use std::collections::{BTreeSet, VecDeque};

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
    let named = |item: &Value| Some((Step::item(list, item)?, item.clone()));
    let left: Vec<(Step, Value)> = live.iter().filter_map(named).collect();
    let right: Vec<(Step, Value)> = applied.iter().filter_map(named).collect();
    let item_schema = schema.and_then(|schema| schema.items.as_deref());
    *live = Merger::new(item_schema, &left, &right).merge();
}

/// Two lists of named items, merged in the order Kubernetes gives them: applied items keep the order they were
/// applied in, the others stay where they were among them.
struct Merger<'a> {
    item_schema: Option<&'a Schema>,
    left: &'a [(Step, Value)],
    right: &'a [(Step, Value)],
    /// Applied items that are there already, in the order they were applied in.
    shared: VecDeque<&'a Step>,
    merged: BTreeSet<&'a Step>,
    out: Vec<Value>,
}

impl<'a> Merger<'a> {
    fn new(item_schema: Option<&'a Schema>, left: &'a [(Step, Value)], right: &'a [(Step, Value)]) -> Self {
        let is_there = |step: &Step| left.iter().any(|(one, _)| one == step);
        let shared = right.iter().map(|(step, _)| step).filter(|step| is_there(step));
        Self {
            item_schema,
            left,
            right,
            shared: shared.collect(),
            merged: BTreeSet::new(),
            out: Vec::new(),
        }
    }

    fn merge(mut self) -> Vec<Value> {
        let applied: BTreeSet<&Step> = self.right.iter().map(|(step, _)| step).collect();
        let (mut left, mut right) = (self.left.iter().peekable(), self.right.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (None, None) => return self.out,
                (Some((step, item)), _) if !applied.contains(step) => {
                    self.out.push(item.clone());
                    left.next();
                }
                (Some((step, _)), Some((other, _))) if step == other => {
                    self.take(right.next());
                    left.next();
                }
                // One that comes later among the applied ones, or came already.
                (Some((step, _)), Some(_)) if self.shared.front().is_some_and(|next| *next != step) => {
                    left.next();
                }
                (Some((step, _)), Some(_)) => {
                    if self.merged.contains(step) {
                        left.next();
                    }
                    self.take(right.next());
                }
                (Some(_), None) => drop(left.next()),
                (None, Some(_)) => self.take(right.next()),
            }
        }
    }

    fn take(&mut self, item: Option<&'a (Step, Value)>) {
        let Some((step, item)) = item else { return };
        let mut there = self.left.iter().filter(|(one, _)| one == step);
        let mut merged = match (there.next(), there.next()) {
            (Some((_, only)), None) => only.clone(),
            // New, or there twice: then neither is the one that is meant.
            _ => item.clone(),
        };
        merge_node(self.item_schema, &mut merged, item);
        self.out.push(merged);
        self.merged.insert(step);
        if self.shared.front() == Some(&step) {
            self.shared.pop_front();
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
