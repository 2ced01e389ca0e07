//! One field that is wrong, in the words Kubernetes has for each way of being wrong.

use serde_json::{Value, json};

/// One field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, `FieldManagerConflict`, …
    pub(crate) reason: String,
    /// Path of the field, `spec.parallelism.maxRunners`.
    pub(crate) field: String,
    /// What is wrong with it, without the path.
    pub(crate) message: String,
}

impl Cause {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self {
            reason: "FieldValueInvalid".into(),
            field: field.into(),
            message: message.into(),
        }
    }

    pub(crate) fn required(field: &str, message: &str) -> Self {
        let message = if message.is_empty() {
            "Required value".into()
        } else {
            format!("Required value: {message}")
        };
        Self {
            reason: "FieldValueRequired".into(),
            field: field.into(),
            message,
        }
    }

    pub(crate) fn not_supported(field: &str, value: &Value, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        Self {
            reason: "FieldValueNotSupported".into(),
            field: field.into(),
            message: format!(
                "Unsupported value: {value}: supported values: {}",
                quoted.join(", ")
            ),
        }
    }

    pub(crate) fn too_long(field: &str, limit: u64) -> Self {
        Self {
            reason: "FieldValueTooLong".into(),
            field: field.into(),
            message: format!("Too long: may not be more than {limit} bytes"),
        }
    }

    /// Whether rules are not worth running once this was found: they would stumble over it.
    pub(crate) fn blocks_rules(&self) -> bool {
        matches!(
            self.reason.as_str(),
            "FieldValueNotSupported"
                | "FieldValueRequired"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }

    pub(super) fn to_json(&self) -> Value {
        let Self {
            reason,
            field,
            message,
        } = self;
        let mut json = json!({"reason": reason, "message": message});
        if let (Value::Object(json), false) = (&mut json, field.is_empty()) {
            json.insert("field".into(), field.as_str().into());
        }
        json
    }

    pub(crate) fn forbidden(field: &str, message: &str) -> Self {
        let message = format!("Forbidden: {message}");
        Self {
            reason: "FieldValueForbidden".into(),
            field: field.into(),
            message,
        }
    }
}
