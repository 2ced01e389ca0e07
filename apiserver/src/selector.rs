//! Label and field selectors: which objects of a collection a caller wants.

mod labels;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{builtin, registry::Resource, router::Call, status_error::StatusError};

/// Both selectors of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<labels::Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    path: String,
    value: String,
    negated: bool,
}

impl Selector {
    /// The selectors of a request on a collection.
    pub(crate) fn of(call: &Call) -> Result<Self, StatusError> {
        let query = &call.query;
        Self::parse(
            &call.resource,
            query.text("labelSelector"),
            query.text("fieldSelector"),
        )
    }

    pub(crate) fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, StatusError> {
        let labels = labels::parse(labels)?;
        let fields = fields
            .split(',')
            .filter(|term| !term.trim().is_empty())
            .map(|term| field_requirement(resource, term.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether everything is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The only name that can match, if the selector names one: then one row is enough.
    pub(crate) fn single_name(&self) -> Option<&str> {
        let named = |field: &&FieldRequirement| field.path == "metadata.name" && !field.negated;
        self.fields.iter().find(named).map(|field| field.value.as_str())
    }

    /// Whether an object with these labels (a JSON object), this identity and this body is wanted.
    pub(crate) fn matches(&self, labels: &str, namespace: &str, name: &str, object: &str) -> bool {
        self.matches_labels(labels) && self.matches_fields(namespace, name, object)
    }

    fn matches_labels(&self, labels: &str) -> bool {
        if self.labels.is_empty() {
            return true;
        }
        let labels: BTreeMap<String, String> = serde_json::from_str(labels).unwrap_or_default();
        self.labels.iter().all(|requirement| requirement.holds(&labels))
    }

    fn matches_fields(&self, namespace: &str, name: &str, object: &str) -> bool {
        // The body is parsed only for a field that is not part of the identity.
        let mut body: Option<Value> = None;
        self.fields.iter().all(|field| {
            let equal = match field.path.as_str() {
                "metadata.name" => field.value == name,
                "metadata.namespace" => field.value == namespace,
                path => {
                    let body = body.get_or_insert_with(|| serde_json::from_str(object).unwrap_or_default());
                    let pointer = format!("/{}", path.replace('.', "/"));
                    body.pointer(&pointer).and_then(Value::as_str).unwrap_or_default() == field.value
                }
            };
            equal != field.negated
        })
    }
}

fn field_requirement(resource: &Resource, term: &str) -> Result<FieldRequirement, StatusError> {
    let (path, value, negated) = if let Some((path, value)) = term.split_once("!=") {
        (path, value, true)
    } else if let Some((path, value)) = term.split_once('=') {
        (path, value.strip_prefix('=').unwrap_or(value), false)
    } else {
        return Err(StatusError::bad_request(format!(
            "invalid selector: '{term}'; can't understand '{term}'"
        )));
    };
    if !matches!(path, "metadata.name" | "metadata.namespace")
        && !builtin::is_selectable_field(resource, path)
    {
        return Err(StatusError::bad_request(format!(
            "field label not supported: {path}"
        )));
    }
    Ok(FieldRequirement {
        path: builtin::stored_field_path(path),
        value: value.into(),
        negated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(labels: &str, object_labels: &str) -> bool {
        let resource = builtin::namespaces();
        Selector::parse(&resource, labels, "")
            .unwrap()
            .matches(object_labels, "", "a", "{}")
    }

    #[test]
    fn every_form_of_a_label_requirement_is_understood() {
        let labels = r#"{"app":"x","tier":"pro"}"#;
        for wanted in [
            "",
            "app=x",
            "app==x",
            "app!=y",
            "app",
            "!gone",
            "app in (x, y),tier",
            "tier!=free,!gone",
            "gone notin (x)",
        ] {
            assert!(selects(wanted, labels), "{wanted}");
        }
        for unwanted in [
            "app=y",
            "app!=x",
            "gone",
            "!app",
            "app in (y,z)",
            "tier notin (pro)",
            "app=x,tier=free",
        ] {
            assert!(!selects(unwanted, labels), "{unwanted}");
        }
    }

    #[test]
    fn a_selector_that_cannot_be_read_says_what_was_found() {
        let refused = |labels: &str, fields: &str| {
            Selector::parse(&builtin::namespaces(), labels, fields)
                .unwrap_err()
                .to_string()
        };
        let requirement = "unable to parse requirement: ";
        for (selector, problem) in [
            ("a===b", "found '=', expected: identifier"),
            ("a in b", "found 'b' expected: '('"),
            ("a in (b", "found '', expected: ',' or ')'"),
            ("a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ] {
            assert_eq!(refused(selector, ""), format!("{requirement}{problem}"));
        }
        assert_eq!(refused("a,", ""), "found '', expected: identifier after ','");
        assert!(refused("a_/b", "").contains("Invalid value: \"a_/b\": prefix part"));
        assert_eq!(refused("", "spec.x=1"), "field label not supported: spec.x");
        assert_eq!(refused("", "x"), "invalid selector: 'x'; can't understand 'x'");
    }
}
