//! What two servers cannot agree on, taken out of an answer before it is compared: times of now, versions of
//! lists, tokens, names made up by the server. Uids and versions of objects stay: they are tied pairwise.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Map, Value};

/// Answers younger or older than this carry a time that someone sent, which has to come back as it was.
const NOW: SignedDuration = SignedDuration::from_mins(20);

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

static TIME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static NUMBERS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    vec![
        (
            pattern(r"too old resource version: \d+ \(\d+\)"),
            "too old resource version: <n> (<n>)",
        ),
        (
            pattern(r"Too large resource version: (\d+), current: \d+"),
            "Too large resource version: $1, current: <n>",
        ),
        (
            pattern(r"ResourceVersion in record \(\d+\)"),
            "ResourceVersion in record (<n>)",
        ),
        (
            pattern(r"ResourceVersion in object meta: \d+"),
            "ResourceVersion in object meta: <n>",
        ),
        // An object in the words of a refusal.
        (pattern(r#"(\\*"resourceVersion\\*":\\*")\d+"#), "$1<n>"),
        (pattern(r"\?hash=[0-9A-Fa-f]+"), "?hash=<hash>"),
    ]
});

/// Masks an answer of a server which made up these names.
pub(crate) fn mask(value: &mut Value, generated: &[String], now: Timestamp) {
    match value {
        Value::String(text) => *text = mask_text(text, generated, now),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, generated, now)),
        Value::Object(fields) => mask_object(fields, generated, now),
        _ => {}
    }
}

fn mask_object(fields: &mut Map<String, Value>, generated: &[String], now: Timestamp) {
    let is_list = fields.contains_key("items") || fields.contains_key("rows");
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        if is_list {
            mask_version(metadata);
            if metadata.get("continue").is_some_and(|token| token != "") {
                metadata.insert("continue".to_owned(), "<token>".into());
            }
        }
        if let Some(Value::Array(entries)) = metadata.get_mut("managedFields") {
            let entries = by_manager(std::mem::take(entries));
            metadata.insert("managedFields".to_owned(), entries);
        }
    }
    sort_causes(fields);
    if fields.get("type").is_some_and(|kind| kind == "BOOKMARK")
        && let Some(Value::Object(metadata)) = fields
            .get_mut("object")
            .and_then(|object| object.get_mut("metadata"))
    {
        mask_version(metadata);
    }
    fields.values_mut().for_each(|field| mask(field, generated, now));
}

/// A list's version is the newest of the whole server, and a real server writes for itself too.
fn mask_version(metadata: &mut Map<String, Value>) {
    if let Some(Value::String(version)) = metadata.get_mut("resourceVersion")
        && version.parse::<u64>().is_ok()
    {
        "<version>".clone_into(version);
    }
}

/// Several causes come in the order of a Go map, which is another one each time; the message repeats them.
fn sort_causes(fields: &mut Map<String, Value>) {
    let Some(Value::Array(causes)) = fields
        .get_mut("details")
        .and_then(|details| details.get_mut("causes"))
    else {
        return;
    };
    let text = |cause: &Value, name: &str| cause[name].as_str().unwrap_or_default().to_owned();
    let words = |cause: &Value| format!("{}: {}", text(cause, "field"), text(cause, "message"));
    let said = causes.iter().map(words).collect::<Vec<_>>().join(", ");
    causes.sort_by_key(words);
    let sorted = causes.iter().map(words).collect::<Vec<_>>().join(", ");
    if let Some(Value::String(message)) = fields.get_mut("message") {
        *message = message.replace(&said, &sorted);
    }
}

/// Entries by their manager, operation and subresource: their order is that of their times, in whole seconds.
fn by_manager(entries: Vec<Value>) -> Value {
    let mut fields = Map::new();
    for entry in entries {
        let part = |name: &str| {
            entry
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let key = format!(
            "{} {} {}",
            part("manager"),
            part("operation"),
            part("subresource")
        );
        fields.insert(key.trim_end().to_owned(), entry);
    }
    Value::Object(fields)
}

fn mask_text(text: &str, generated: &[String], now: Timestamp) -> String {
    let mut text = text.to_owned();
    for name in generated {
        text = text.replace(name.as_str(), "<generated>");
    }
    for (number, masked) in NUMBERS.iter() {
        text = number.replace_all(&text, *masked).into_owned();
    }
    let time = |found: &regex::Captures<'_>| match found[0].parse::<Timestamp>() {
        Ok(time) if time.duration_since(now).abs() < NOW => match found.get(1) {
            Some(_) => "<time with fraction>".to_owned(),
            None => "<time>".to_owned(),
        },
        _ => found[0].to_owned(),
    };
    TIME.replace_all(&text, time).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_of_now_go_and_times_that_were_sent_stay() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let mut value =
            json!({"a": "2026-11-20T09:59:58Z", "b": "2026-01-01T00:00:00Z", "c": "2026-11-20T09:59:58.25Z"});
        mask(&mut value, &[], now);
        assert_eq!(
            value,
            json!({"a": "<time>", "b": "2026-01-01T00:00:00Z", "c": "<time with fraction>"})
        );
    }

    #[test]
    fn the_version_of_a_list_goes_and_that_of_its_items_stays() {
        let mut value = json!({
            "items": [{"metadata": {"resourceVersion": "5"}}],
            "metadata": {"resourceVersion": "7", "continue": "x"},
        });
        mask(&mut value, &[], Timestamp::UNIX_EPOCH);
        assert_eq!(value["items"][0]["metadata"]["resourceVersion"], "5");
        assert_eq!(
            value["metadata"],
            json!({"resourceVersion": "<version>", "continue": "<token>"})
        );
    }
}
