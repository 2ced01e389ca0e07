//! The rules for names, labels and finalizers.

use serde_json::Value;

use crate::{
    object::Object,
    registry::{Form, Resource},
    status_error::Cause,
};

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;
/// All keys and values together, as Kubernetes counts them.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// Appends what is wrong with an object's metadata, beyond its types.
pub(crate) fn check_metadata(resource: &Resource, object: &Object, causes: &mut Vec<Cause>) {
    let name = object.name();
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if resource.form == Form::Namespace && !is_label(name) {
        causes.push(Cause::invalid(
            "metadata.name",
            format!("Invalid value: \"{name}\": {LABEL_RULE}"),
        ));
    } else if !is_subdomain(name) {
        causes.push(Cause::invalid(
            "metadata.name",
            format!("Invalid value: \"{name}\": {SUBDOMAIN_RULE}"),
        ));
    }
    check_labels(object, causes);
    check_annotations(object, causes);
    for finalizer in object.meta_list("finalizers").iter().filter_map(Value::as_str) {
        if !is_qualified_name(finalizer) {
            let message = format!("Invalid value: \"{finalizer}\": {QUALIFIED_RULE}");
            causes.push(Cause::invalid("metadata.finalizers", message));
        }
    }
    let owners = object.meta_list("ownerReferences");
    let controllers = owners
        .iter()
        .filter(|owner| owner.get("controller") == Some(&Value::Bool(true)))
        .count();
    if controllers > 1 {
        let message = "Invalid value: only one reference can have controller set to true";
        causes.push(Cause::invalid("metadata.ownerReferences", message));
    }
}

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
                              '-' or '.', must start and end with an alphanumeric character, and have at most 253";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
                          must start and end with an alphanumeric character, and have at most 63";
const QUALIFIED_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', must start and \
                              end with an alphanumeric character, may have a DNS subdomain and '/' before it";

fn check_labels(object: &Object, causes: &mut Vec<Cause>) {
    let Some(labels) = object.metadata.get("labels").and_then(Value::as_object) else {
        return;
    };
    for (key, value) in labels {
        if !is_qualified_name(key) {
            causes.push(Cause::invalid(
                "metadata.labels",
                format!("Invalid value: \"{key}\": {QUALIFIED_RULE}"),
            ));
        }
        let value = value.as_str().unwrap_or_default();
        if !(value.is_empty() || is_name_part(value)) {
            let message = format!(
                "Invalid value: \"{value}\": a valid label must be an empty string or consist of alphanumeric \
                 characters, '-', '_' or '.', start and end with an alphanumeric character, and have at most 63"
            );
            causes.push(Cause::invalid("metadata.labels", message));
        }
    }
}

fn check_annotations(object: &Object, causes: &mut Vec<Cause>) {
    let Some(annotations) = object.metadata.get("annotations").and_then(Value::as_object) else {
        return;
    };
    let bytes: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > MAX_ANNOTATION_BYTES {
        let message = format!("Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes");
        causes.push(Cause {
            reason: "FieldValueTooLong".into(),
            field: "metadata.annotations".into(),
            message,
        });
    }
    for key in annotations
        .keys()
        .filter(|key| !is_qualified_name(&key.to_lowercase()))
    {
        causes.push(Cause::invalid(
            "metadata.annotations",
            format!("Invalid value: \"{key}\": {QUALIFIED_RULE}"),
        ));
    }
}

fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= MAX_LABEL
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// RFC 1123 subdomain: what an object may be called.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_NAME && text.split('.').all(is_label_of_any_length)
}

fn is_label_of_any_length(part: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
}

fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name_part(name),
        None => is_name_part(text),
    }
}

fn is_name_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= MAX_LABEL
        && text.chars().all(inner)
        && edge(text.chars().next())
        && edge(text.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for good in ["a", "a-b.c", "0", "followlytics.io"] {
            assert!(is_subdomain(good), "{good}");
        }
        for bad in ["", "A", "a_b", "-a", "a.", "a/b"] {
            assert!(!is_subdomain(bad), "{bad}");
        }
        assert!(is_qualified_name("followlytics.io/scan"));
        assert!(is_qualified_name("app"));
        assert!(!is_qualified_name("a/b/c"));
    }
}
