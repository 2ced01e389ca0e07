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
pub(crate) fn check_metadata(
    resource: &Resource,
    object: &Object,
    old: Option<&Object>,
    causes: &mut Vec<Cause>,
) {
    if old.is_none() {
        check_name(resource, object, causes);
    }
    check_labels(object, causes);
    check_annotations(object, causes);
    check_owners(object, causes);
    for finalizer in finalizers(object) {
        if let Some(problem) = qualified_problem(finalizer) {
            causes.push(invalid("metadata.finalizers", finalizer, &problem));
        }
    }
    if let Some(old) = old.filter(|old| old.is_deleting()) {
        check_no_new_finalizers(old, object, causes);
    }
}

/// Finalizers that work, but may collide with somebody else's.
pub(crate) fn warnings(object: &Object, old: Option<&Object>) -> Vec<String> {
    let own = ["orphan", "foregroundDeletion", "kubernetes"];
    let is_new = |finalizer: &&str| old.is_none_or(|old| !finalizers(old).any(|known| known == *finalizer));
    finalizers(object)
        .filter(|finalizer| !finalizer.contains('/') && !own.contains(finalizer))
        .filter(is_new)
        .map(|finalizer| {
            let path = if finalizer.contains('.') {
                " including a path (/)"
            } else {
                ""
            };
            format!(
                "metadata.finalizers: {finalizer:?}: prefer a domain-qualified finalizer name{path} to avoid \
                 accidental conflicts with other finalizer writers"
            )
        })
        .collect()
}

fn finalizers(object: &Object) -> impl Iterator<Item = &str> {
    object.meta_list("finalizers").iter().filter_map(Value::as_str)
}

fn invalid(field: &str, value: &str, problem: &str) -> Cause {
    Cause::invalid(field, format!("Invalid value: {value:?}: {problem}"))
}

fn check_name(resource: &Resource, object: &Object, causes: &mut Vec<Cause>) {
    let name = object.name();
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
        return;
    }
    let problem = if resource.form == Form::Namespace {
        match name {
            name if name.contains('.') => Some("must not contain dots".to_owned()),
            name if name.len() > MAX_LABEL => Some(too_long(MAX_LABEL)),
            name => (!is_label(name)).then(|| LABEL_RULE.to_owned()),
        }
    } else if name.len() > MAX_NAME {
        Some(too_long(MAX_NAME))
    } else {
        (!is_subdomain(name)).then(|| SUBDOMAIN_RULE.to_owned())
    };
    if let Some(problem) = problem {
        causes.push(invalid("metadata.name", name, &problem));
    }
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
                              or '.', and must start and end with an alphanumeric character (e.g. 'example.com', \
                              regex used for validation is \
                              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
                          must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex \
                          used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and \
                              end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex \
                              used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED_RULE: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must \
                              start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
                              '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') \
                              with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                          '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
                          'my_value',  or '12345', regex used for validation is \
                          '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn check_labels(object: &Object, causes: &mut Vec<Cause>) {
    let Some(labels) = object.metadata.get("labels").and_then(Value::as_object) else {
        return;
    };
    for (key, value) in labels {
        if let Some(problem) = qualified_problem(key) {
            causes.push(invalid("metadata.labels", key, &problem));
        }
        let value = value.as_str().unwrap_or_default();
        if let Some(problem) = label_value_problem(value) {
            causes.push(invalid("metadata.labels", value, &problem));
        }
    }
}

fn check_annotations(object: &Object, causes: &mut Vec<Cause>) {
    let Some(annotations) = object.metadata.get("annotations").and_then(Value::as_object) else {
        return;
    };
    for key in annotations.keys() {
        // The rule is for lower case, so that two annotations never differ by case alone.
        if let Some(problem) = qualified_problem(&key.to_lowercase()) {
            causes.push(invalid("metadata.annotations", key, &problem));
        }
    }
    let bytes: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > MAX_ANNOTATION_BYTES {
        causes.push(Cause::too_long(
            "metadata.annotations",
            MAX_ANNOTATION_BYTES as u64,
        ));
    }
}

fn check_owners(object: &Object, causes: &mut Vec<Cause>) {
    let owners = object.meta_list("ownerReferences");
    for owner in owners {
        for field in ["apiVersion", "kind", "name", "uid"] {
            let text = owner.get(field).and_then(Value::as_str).unwrap_or_default();
            if text.is_empty() {
                let problem = if field == "apiVersion" {
                    "version must not be empty"
                } else {
                    "must not be empty"
                };
                let field = format!("metadata.ownerReferences.{field}");
                causes.push(invalid(&field, "", problem));
            }
        }
    }
    let controllers = owners
        .iter()
        .filter(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    let text = |owner: &Value, field: &str| {
        owner
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let controllers: Vec<String> = controllers
        .map(|owner| format!("{}/{}", text(owner, "kind"), text(owner, "name")))
        .collect();
    if let [first, second, ..] = controllers.as_slice() {
        let message = format!(
            "Invalid value: {}: Only one reference can have Controller set to true. Found \"true\" in references \
             for {first} and {second}",
            Value::from(owners.to_vec())
        );
        causes.push(Cause::invalid("metadata.ownerReferences", message));
    }
}

fn check_no_new_finalizers(old: &Object, new: &Object, causes: &mut Vec<Cause>) {
    let found: Vec<String> = finalizers(new)
        .filter(|finalizer| !finalizers(old).any(|known| known == *finalizer))
        .map(|finalizer| format!("{finalizer:?}"))
        .collect();
    if !found.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            found.join(", ")
        );
        // Two layers of Kubernetes find this, and both say so.
        let cause = Cause::forbidden("metadata.finalizers", &why);
        causes.extend([cause.clone(), cause]);
    }
}

/// What is wrong with a key of a label, an annotation or a finalizer.
pub(crate) fn qualified_problem(text: &str) -> Option<String> {
    let name = match text.split_once('/') {
        Some((_, name)) if name.contains('/') => return Some(QUALIFIED_RULE.to_owned()),
        Some(("", _)) => return Some("prefix part must be non-empty".to_owned()),
        Some((prefix, _)) if !is_subdomain(prefix) => return Some(format!("prefix part {SUBDOMAIN_RULE}")),
        Some((_, name)) => name,
        None => text,
    };
    match name {
        "" => Some("name part must be non-empty".to_owned()),
        name if name.len() > MAX_LABEL => Some(format!("name part {}", too_long(MAX_LABEL))),
        name => (!is_name_part(name)).then(|| NAME_PART_RULE.to_owned()),
    }
}

/// What is wrong with the value of a label.
pub(crate) fn label_value_problem(value: &str) -> Option<String> {
    match value {
        "" => None,
        value if value.len() > MAX_LABEL => Some(too_long(MAX_LABEL)),
        value => (!is_name_part(value)).then(|| VALUE_RULE.to_owned()),
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
        for good in ["followlytics.io/scan", "app"] {
            assert_eq!(qualified_problem(good), None);
        }
        for bad in ["a/b/c", "/a", "a/", "A_/a", "a b"] {
            assert!(qualified_problem(bad).is_some(), "{bad}");
        }
    }
}
