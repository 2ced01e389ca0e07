//! The definition's own CEL rules, `x-kubernetes-validations`, compiled once and run on every write.

use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use serde_json::Value;

use super::{Schema, SchemaError};
use crate::status_error::Cause;

/// Compiled rules of one kind.
pub(crate) struct Rules {
    compiled: CompiledSchema,
    empty: bool,
}

impl Rules {
    /// Refuses a definition with a rule that cannot be compiled: it would refuse every object later.
    pub(crate) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let compiled = compile_schema(schema);
        check(&compiled, "(root)")?;
        Ok(Self {
            compiled,
            empty: !has_rule(schema),
        })
    }

    /// Whether the definition has no rule at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }

    /// The rules `new` breaks; transition rules are skipped when there is no `old`.
    pub(crate) fn broken(&self, schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let (new, old) = (without_nulls(new), old.map(without_nulls));
        let Err(errors) = validate_compiled(&self.compiled, &new, old.as_ref()) else {
            return Vec::new();
        };
        let mut causes: Vec<Cause> = errors
            .into_vec()
            .into_iter()
            .map(|error| {
                let reason = error.reason.unwrap_or_else(|| "FieldValueInvalid".into());
                let message = match reason.as_str() {
                    "FieldValueForbidden" => format!("Forbidden: {}", error.message),
                    "FieldValueRequired" => format!("Required value: {}", error.message),
                    _ => {
                        let found = schema.type_at(&error.field_path);
                        format!("Invalid value: {found:?}: {}", error.message)
                    }
                };
                let field = match error.field_path.as_str() {
                    "" => "<nil>".into(),
                    _ => error.field_path,
                };
                Cause {
                    reason,
                    field,
                    message,
                }
            })
            .collect();
        // The evaluator walks hash maps; answers must not depend on their order.
        causes.sort_by(|a, b| (&a.field, &a.message).cmp(&(&b.field, &b.message)));
        causes
    }
}

/// Rules see a field that is null as one that is not there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, field)| !field.is_null())
                .map(|(name, field)| (name.clone(), without_nulls(field)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn has_rule(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.contains_key("x-kubernetes-validations") || fields.values().any(has_rule)
        }
        Value::Array(items) => items.iter().any(has_rule),
        _ => false,
    }
}

fn check(schema: &CompiledSchema, path: &str) -> Result<(), SchemaError> {
    if let Some(error) = schema.compilation_errors().first() {
        return Err(SchemaError::new(path, format!("rule: {error}")));
    }
    let mut properties: Vec<_> = schema.properties.iter().collect();
    properties.sort_by_key(|(name, _)| name.as_str());
    for (name, property) in properties {
        check(property, &format!("{path}.{name}"))?;
    }
    for (child, name) in [
        (&schema.items, "items"),
        (&schema.additional_properties, "additionalProperties"),
    ] {
        if let Some(child) = child {
            check(child, &format!("{path}.{name}"))?;
        }
    }
    schema
        .all_of
        .iter()
        .chain(&schema.any_of)
        .chain(&schema.one_of)
        .try_for_each(|one| check(one, path))
}
