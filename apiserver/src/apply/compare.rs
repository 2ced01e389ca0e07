//! What changed between two values, field by field: what is new, what is other, what is gone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{fields::FieldSet, value_path::Step};
use crate::schema::{ListType, Schema};

/// The changed fields. A map or an item that came or went is in the set itself, beside its parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Changes {
    /// What the new value sets: the fields a writer owns from now on.
    pub(crate) fn taken(&self) -> FieldSet {
        self.added.clone().union(&self.modified)
    }
}

/// Compares two objects.
pub(crate) fn compare(schema: &Schema, old: &Value, new: &Value) -> Changes {
    let mut changes = node(Some(schema), Some(old), Some(new));
    changes.added.member = false;
    changes.modified.member = false;
    changes.removed.member = false;
    changes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Absent or null: takes the shape of the other side.
    Nothing,
    Map,
    List,
    Leaf,
}

fn shape(schema: Option<&Schema>, value: Option<&Value>) -> Shape {
    match value {
        None | Some(Value::Null) => Shape::Nothing,
        Some(Value::Object(_)) if !schema.is_some_and(|schema| schema.atomic_map) => Shape::Map,
        Some(Value::Array(_)) if schema.is_some_and(|schema| schema.list_type != ListType::Atomic) => {
            Shape::List
        }
        Some(_) => Shape::Leaf,
    }
}

fn node(schema: Option<&Schema>, old: Option<&Value>, new: Option<&Value>) -> Changes {
    let mut changes = Changes::default();
    if old == new {
        return changes;
    }
    let (children, item_schema) = match (shape(schema, old), shape(schema, new)) {
        (Shape::Map, Shape::Map | Shape::Nothing) | (Shape::Nothing, Shape::Map) => {
            (pairs(fields(old), fields(new)), false)
        }
        (Shape::List, Shape::List | Shape::Nothing) | (Shape::Nothing, Shape::List) => {
            (pairs(items(schema, old), items(schema, new)), true)
        }
        _ => (BTreeMap::new(), false),
    };
    if children.is_empty() {
        // A leaf, an atomic value, or two empty ones.
        mark(&mut changes, old, new);
        changes.modified.member = old.is_some() && new.is_some();
        return changes;
    }
    for (step, (old_child, new_child)) in children {
        let child_schema = if item_schema {
            schema.and_then(|schema| schema.items.as_deref())
        } else {
            step.schema(schema)
        };
        let child = node(child_schema, old_child, new_child);
        insert(&mut changes.added, &step, child.added);
        insert(&mut changes.modified, &step, child.modified);
        insert(&mut changes.removed, &step, child.removed);
    }
    mark(&mut changes, old, new);
    changes
}

fn mark(changes: &mut Changes, old: Option<&Value>, new: Option<&Value>) {
    changes.added.member = old.is_none();
    changes.removed.member = new.is_none();
}

fn insert(set: &mut FieldSet, step: &Step, child: FieldSet) {
    if !child.is_empty() {
        set.children.insert(step.clone(), child);
    }
}

fn fields(value: Option<&Value>) -> Vec<(Step, &Value)> {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields.map(|(name, value)| (Step::field(name), value)).collect()
}

fn items<'a>(schema: Option<&Schema>, value: Option<&'a Value>) -> Vec<(Step, &'a Value)> {
    let list = schema.map_or(&ListType::Atomic, |schema| &schema.list_type);
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| Some((Step::item(list, item)?, item)))
        .collect()
}

type Pairs<'a> = BTreeMap<Step, (Option<&'a Value>, Option<&'a Value>)>;

fn pairs<'a>(old: Vec<(Step, &'a Value)>, new: Vec<(Step, &'a Value)>) -> Pairs<'a> {
    let mut pairs: Pairs<'a> = BTreeMap::new();
    for (step, value) in old {
        pairs.entry(step).or_default().0 = Some(value);
    }
    for (step, value) in new {
        pairs.entry(step).or_default().1 = Some(value);
    }
    pairs
}
