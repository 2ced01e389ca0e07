//! Whether an applied document fits its schema, in the words of the library Kubernetes applies with.

use serde_json::Value;

use super::value_path::{FieldPath, Step};
use crate::{
    admission::METADATA_FIELDS,
    object::Object,
    registry::Resource,
    schema::{ListType, Schema, Type},
    status_error::StatusError,
};

/// Refuses a document with unknown fields or fields of another type.
pub(crate) fn check_types(resource: &Resource, document: &Object) -> Result<(), StatusError> {
    let mut problems = Vec::new();
    for name in document.metadata.keys() {
        if !METADATA_FIELDS.contains(&name.as_str()) {
            problems.push(format!(".metadata.{name}: field not declared in schema"));
        }
    }
    let mut value = Value::Object(document.fields.clone());
    if let Value::Object(fields) = &mut value {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    check(&resource.schema, &value, &FieldPath::default(), &mut problems);
    let problem = match problems.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let Resource {
        group, version, kind, ..
    } = resource;
    let (namespace, name) = (document.namespace(), document.name());
    Err(StatusError::unexplained(format!(
        "failed to create typed patch object ({namespace}/{name}; {group}/{version}, Kind={kind}): {problem}"
    )))
}

fn check(schema: &Schema, value: &Value, path: &FieldPath, problems: &mut Vec<String>) {
    let expected = |what: &str| format!("{path}: expected {what}");
    if value.is_null() || schema.int_or_string {
        return;
    }
    match (schema.node_type, value) {
        (Some(Type::Object), Value::Object(fields)) => {
            for (name, child) in fields {
                let child_path = path.with(&Step::field(name));
                match schema.field(name) {
                    Some(child_schema) => check(child_schema, child, &child_path, problems),
                    None if schema.preserve_unknown => {}
                    None if schema.embedded
                        && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => {}
                    None => problems.push(format!("{child_path}: field not declared in schema")),
                }
            }
        }
        (Some(Type::Array), Value::Array(items)) => check_items(schema, items, path, problems),
        (Some(Type::Object), other) => problems.push(format!("{}, got {}", expected("map"), shown(other))),
        (Some(Type::Array), other) => problems.push(format!("{}, got {}", expected("list"), shown(other))),
        (Some(Type::String), other) if !other.is_string() => {
            let text = format!(
                "{}, got &value.valueUnstructured{{Value:{}}}",
                expected("string"),
                literal(other)
            );
            problems.push(text);
        }
        (Some(Type::Boolean), other) if !other.is_boolean() => {
            problems.push(format!("{}, got {}", expected("boolean"), shown(other)));
        }
        (Some(Type::Integer | Type::Number), other) if !other.is_number() => {
            let text = format!("{}, got {}", expected("numeric (int or float)"), go_type(other));
            problems.push(text);
        }
        _ => {}
    }
}

fn check_items(schema: &Schema, items: &[Value], path: &FieldPath, problems: &mut Vec<String>) {
    let Some(item_schema) = schema.items.as_deref() else {
        return;
    };
    let mut seen = Vec::new();
    for (position, item) in items.iter().enumerate() {
        if let ListType::Map(keys) = &schema.list_type
            && keys
                .iter()
                .all(|key| item.get(key).is_none() && item_schema.default_of(key).is_none())
        {
            problems.push(format!(
                "{path}: element {position}: associative list with keys has an element that omits all key fields \
                 {keys:?} (and doesn't have default values for any key fields)"
            ));
            continue;
        }
        let step = Step::item(&schema.list_type, item).unwrap_or_else(|| Step::position_of(position));
        let item_path = path.with(&step);
        if schema.list_type != ListType::Atomic && seen.contains(&step) {
            problems.push(format!("{path}: duplicate entries for key {}", step.shown()));
        }
        seen.push(step);
        check(item_schema, item, &item_path, problems);
    }
}

/// `&{x}`: how Go prints a value it cannot use.
fn shown(value: &Value) -> String {
    format!("&{{{}}}", plain(value))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as Go would have it in its source.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name:?}:{}", literal(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        _ => "nil",
    }
}
