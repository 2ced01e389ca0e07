//! Parts of a document by pointer, where a part of the pointer may be `[key=value]`: the items of a list whose
//! `key` (a dotted path) is `value`; or `*`: every item.

use serde_json::Value;

/// The parts that are there.
pub(crate) fn parts<'a>(document: &'a Value, pointer: &str) -> Vec<&'a Value> {
    let mut found = vec![document];
    for part in pointer.split('/').skip(1) {
        found = found.into_iter().flat_map(|value| step(value, part)).collect();
    }
    found
}

fn step<'a>(value: &'a Value, part: &str) -> Vec<&'a Value> {
    let selector = part
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|rest| rest.split_once('='));
    match (selector, value) {
        (Some((key, wanted)), Value::Array(items)) => items
            .iter()
            .filter(|item| {
                let inner = format!("/{}", key.replace('.', "/"));
                item.pointer(&inner).and_then(Value::as_str) == Some(&unescape(wanted))
            })
            .collect(),
        (None, Value::Array(items)) if part == "*" => items.iter().collect(),
        (None, Value::Array(items)) => part
            .parse()
            .ok()
            .and_then(|at: usize| items.get(at))
            .into_iter()
            .collect(),
        (None, Value::Object(fields)) => fields.get(&unescape(part)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// `~1` is a slash, as in JSON pointers.
fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_item_is_found_by_a_field_of_its_own() {
        let document = json!({"items": [{"metadata": {"name": "a/b"}, "n": 1}, {"metadata": {"name": "c"}}]});
        assert_eq!(parts(&document, "/items/[metadata.name=a~1b]/n"), [&json!(1)]);
        assert_eq!(
            parts(&document, "/items/*/metadata/name"),
            [&json!("a/b"), &json!("c")]
        );
        assert!(parts(&document, "/items/[metadata.name=d]").is_empty());
    }
}
