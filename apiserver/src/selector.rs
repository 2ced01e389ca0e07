//! Label and field selectors: which objects of a collection a caller wants.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{builtin, registry::Resource, status_error::StatusError};

/// Both selectors of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<LabelRequirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LabelRequirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    /// Also true where the label is absent.
    NotIn(String, Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    path: String,
    value: String,
    negated: bool,
}

impl Selector {
    pub(crate) fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, StatusError> {
        let labels = split_outside_parentheses(labels)
            .into_iter()
            .map(label_requirement)
            .collect::<Result<_, _>>()?;
        let fields = fields
            .split(',')
            .filter(|term| !term.trim().is_empty())
            .map(|term| field_requirement(resource, term.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
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
        self.labels.iter().all(|requirement| match requirement {
            LabelRequirement::Exists(key) => labels.contains_key(key),
            LabelRequirement::Absent(key) => !labels.contains_key(key),
            LabelRequirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            LabelRequirement::NotIn(key, values) => {
                labels.get(key).is_none_or(|value| !values.contains(value))
            }
        })
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

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let terms = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    terms.map(str::trim).filter(|term| !term.is_empty()).collect()
}

fn label_requirement(term: &str) -> Result<LabelRequirement, StatusError> {
    let requirement = if let Some((key, value)) = term.split_once("!=") {
        LabelRequirement::NotIn(key.trim().into(), vec![value.trim().into()])
    } else if let Some((key, value)) = term.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        LabelRequirement::In(key.trim().into(), vec![value.trim().into()])
    } else if let Some(key) = term.strip_prefix('!') {
        LabelRequirement::Absent(key.trim().into())
    } else if let Some((head, values)) = term.split_once('(') {
        set_requirement(term, head, values)?
    } else {
        LabelRequirement::Exists(term.into())
    };
    let key = match &requirement {
        LabelRequirement::Exists(key)
        | LabelRequirement::Absent(key)
        | LabelRequirement::In(key, _)
        | LabelRequirement::NotIn(key, _) => key,
    };
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(unparsable(term));
    }
    Ok(requirement)
}

fn set_requirement(term: &str, head: &str, values: &str) -> Result<LabelRequirement, StatusError> {
    let values = values
        .trim_end()
        .strip_suffix(')')
        .ok_or_else(|| unparsable(term))?;
    let values = values.split(',').map(|value| value.trim().to_owned()).collect();
    let mut words = head.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(key), Some("in"), None) => Ok(LabelRequirement::In(key.into(), values)),
        (Some(key), Some("notin"), None) => Ok(LabelRequirement::NotIn(key.into(), values)),
        _ => Err(unparsable(term)),
    }
}

fn unparsable(term: &str) -> StatusError {
    StatusError::bad_request(format!(
        "unable to parse requirement: \"{term}\" is none of key, !key, key=value, key!=value, key in (a,b), key notin (a,b)"
    ))
}

fn field_requirement(resource: &Resource, term: &str) -> Result<FieldRequirement, StatusError> {
    let (path, value, negated) = if let Some((path, value)) = term.split_once("!=") {
        (path, value, true)
    } else if let Some((path, value)) = term.split_once('=') {
        (path, value.strip_prefix('=').unwrap_or(value), false)
    } else {
        return Err(StatusError::bad_request(format!(
            "invalid field selector: \"{term}\": expected path=value"
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
    fn a_selector_that_cannot_be_read_names_the_term() {
        let error = Selector::parse(&builtin::namespaces(), "app in x", "").unwrap_err();
        assert!(error.to_string().contains("\"app in x\""), "{error}");
        let error = Selector::parse(&builtin::namespaces(), "", "spec.x=1").unwrap_err();
        assert_eq!(error.to_string(), "field label not supported: spec.x");
    }
}
