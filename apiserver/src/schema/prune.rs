//! Drops fields the schema does not know, and remembers their paths.

use serde_json::Value;

use super::Schema;

/// Removes unknown fields of `value` and appends their paths to `unknown`.
pub(crate) fn prune(schema: &Schema, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, child| {
                let child_path = join(path, name);
                if let Some(child_schema) = schema.field(name) {
                    prune(child_schema, child, &child_path, unknown);
                    return true;
                }
                let is_identity =
                    schema.embedded && matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
                let kept = schema.preserve_unknown || is_identity;
                if !kept {
                    unknown.push(child_path);
                }
                kept
            });
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for (position, item) in items.iter_mut().enumerate() {
                    prune(item_schema, item, &format!("{path}[{position}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

/// `spec` + `x` = `spec.x`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
