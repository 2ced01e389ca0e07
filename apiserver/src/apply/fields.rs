//! A set of fields as a tree, the `fieldsV1` of one manager.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::value_path::{FieldPath, Step};
use crate::schema::{ListType, Schema};

/// A node of the tree. The root is never a member itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    /// Whether the field itself is in the set, not only parts of it.
    pub(crate) member: bool,
    /// Parts in the set.
    pub(crate) children: BTreeMap<Step, FieldSet>,
}

impl FieldSet {
    fn leaf() -> Self {
        Self {
            member: true,
            children: BTreeMap::new(),
        }
    }

    /// Every field that `value` sets. Maps merge unless atomic, lists are atomic unless they are sets or maps.
    pub(crate) fn of(schema: &Schema, value: &Value) -> Self {
        Self {
            member: false,
            ..Self::node(Some(schema), value)
        }
    }

    fn node(schema: Option<&Schema>, value: &Value) -> Self {
        let children: BTreeMap<Step, Self> = match value {
            Value::Object(fields) if !schema.is_some_and(|schema| schema.atomic_map) => fields
                .iter()
                .map(|(name, child)| {
                    (
                        Step::field(name),
                        Self::node(schema.and_then(|schema| schema.field(name)), child),
                    )
                })
                .collect(),
            Value::Array(items) => {
                let list = schema.map_or(&ListType::Atomic, |schema| &schema.list_type);
                let item_schema = schema.and_then(|schema| schema.items.as_deref());
                let item = |item: &Value| {
                    let node = match list {
                        // An item of a map is there by itself, whatever it holds.
                        ListType::Map(_) => Self {
                            member: true,
                            ..Self::node(item_schema, item)
                        },
                        ListType::Set | ListType::Atomic => Self::leaf(),
                    };
                    Some((Step::item(list, item)?, node))
                };
                items.iter().filter_map(item).collect()
            }
            _ => BTreeMap::new(),
        };
        Self {
            member: children.is_empty(),
            children,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    pub(crate) fn union(mut self, other: &Self) -> Self {
        self.member |= other.member;
        for (step, node) in &other.children {
            let mine = self.children.remove(step).unwrap_or_default();
            self.children.insert(step.clone(), mine.union(node));
        }
        self
    }

    /// What is in both sets.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self {
            member: self.member && other.member,
            children: BTreeMap::new(),
        };
        for (step, mine) in &self.children {
            if let Some(theirs) = other.children.get(step) {
                let child = mine.intersection(theirs);
                if !child.is_empty() {
                    both.children.insert(step.clone(), child);
                }
            }
        }
        both
    }

    /// What is in this set and not in the other; parts of a field are fields of their own.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.subtract(other);
        rest
    }

    fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        for (step, theirs) in &other.children {
            if let Some(mine) = self.children.get_mut(step) {
                mine.subtract(theirs);
                if mine.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// Takes a field and everything below it out of the set.
    pub(crate) fn remove_tree(&mut self, steps: &[Step]) {
        let Some((step, rest)) = steps.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.children.remove(step);
        } else if let Some(child) = self.children.get_mut(step) {
            child.remove_tree(rest);
            if child.is_empty() {
                self.children.remove(step);
            }
        }
    }

    /// Every field of the set, as a path.
    pub(crate) fn paths(&self) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        self.collect(&FieldPath::default(), &mut paths);
        paths
    }

    fn collect(&self, path: &FieldPath, paths: &mut Vec<FieldPath>) {
        if self.member {
            paths.push(path.clone());
        }
        for (step, child) in &self.children {
            child.collect(&path.with(step), paths);
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        if self.member && !self.children.is_empty() {
            fields.insert(".".into(), Map::new().into());
        }
        for (Step(step), node) in &self.children {
            fields.insert(step.clone(), node.to_json());
        }
        Value::Object(fields)
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        Self {
            member: false,
            ..Self::node_from_json(value)
        }
    }

    fn node_from_json(value: &Value) -> Self {
        let Some(fields) = value.as_object() else {
            return Self::leaf();
        };
        let children: BTreeMap<Step, Self> = fields
            .iter()
            .filter(|(step, _)| step.as_str() != ".")
            .map(|(step, child)| (Step(step.clone()), Self::node_from_json(child)))
            .collect();
        Self {
            member: children.is_empty() || fields.contains_key("."),
            children,
        }
    }
}
