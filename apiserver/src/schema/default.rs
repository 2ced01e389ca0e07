//! Fills in what the schema gives by itself.

use serde_json::Value;

use super::Schema;

/// Sets absent fields to their defaults, also inside of defaults that were just set.
///
/// A null where null is not allowed counts as absent, as Kubernetes has it.
pub(crate) fn apply_defaults(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                let is_absent = match fields.get(name) {
                    None => true,
                    Some(Value::Null) => !property.nullable,
                    Some(_) => false,
                };
                if is_absent {
                    fields.insert(name.clone(), default.clone());
                }
            }
            fields.retain(|name, child| {
                !(child.is_null() && schema.field(name).is_some_and(Schema::refuses_null))
            });
            for (name, child) in fields.iter_mut() {
                if let Some(child_schema) = schema.field(name) {
                    apply_defaults(child_schema, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for item in items {
                    apply_defaults(item_schema, item);
                }
            }
        }
        _ => {}
    }
}
