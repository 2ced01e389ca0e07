//! The definition's own CEL rules, `x-kubernetes-validations`, compiled once and run on every write.

use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use serde_json::Value;

use super::SchemaError;
use crate::status_error::Cause;

/// Compiled rules of one kind.
pub(crate) struct Rules(CompiledSchema);

impl Rules {
    /// Refuses a definition with a rule that cannot be compiled: it would refuse every object later.
    pub(crate) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let compiled = compile_schema(schema);
        check(&compiled, "(root)")?;
        Ok(Self(compiled))
    }

    /// The rules `new` breaks; transition rules are skipped when there is no `old`.
    pub(crate) fn broken(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let Err(errors) = validate_compiled(&self.0, new, old) else {
            return Vec::new();
        };
        let mut causes: Vec<Cause> = errors
            .into_vec()
            .into_iter()
            .map(|error| Cause {
                reason: error.reason.unwrap_or_else(|| "FieldValueInvalid".into()),
                field: if error.field_path.is_empty() {
                    "<nil>".into()
                } else {
                    error.field_path
                },
                message: format!("Invalid value: {}", error.message),
            })
            .collect();
        // The evaluator walks hash maps; answers must not depend on their order.
        causes.sort_by(|a, b| (&a.field, &a.message).cmp(&(&b.field, &b.message)));
        causes
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
