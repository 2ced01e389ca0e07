//! The columns of Events. Objects are read in the core group's words, which is how they are stored.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, definition};

const FIELD_PATH: &str = "If referring to a piece of an object instead of an entire object, this string should contain \
                          a valid JSON/Go field access statement, such as desiredState.manifest.containers[2]. For \
                          example, if the object reference is to a container within a pod, this would take on a value \
                          like: \"spec.containers{name}\" (where \"name\" refers to the name of the container that \
                          triggered the event) or if no container name is specified \"spec.containers[2]\" (container \
                          with index 2 in this pod). This syntax is chosen only to have some well-defined way of \
                          referencing a part of an object.";
const REASON: &str = "This should be a short, machine understandable string that gives the reason for the transition \
                      into the object's current status.";
const FIRST: &str =
    "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)";

pub(super) fn definitions(name: &Value) -> Value {
    json!([
        definition(
            "Last Seen",
            "string",
            "The time at which the most recent occurrence of this event was recorded.",
            0
        ),
        definition(
            "Type",
            "string",
            "Type of this event (Normal, Warning), new types could be added in the future",
            0
        ),
        definition("Reason", "string", REASON, 0),
        definition("Object", "string", "The object that this event is about.", 0),
        definition("Subobject", "string", FIELD_PATH, 1),
        definition(
            "Source",
            "string",
            "The component reporting this event. Should be a short machine understandable string.",
            1
        ),
        definition(
            "Message",
            "string",
            "A human-readable description of the status of this operation.",
            0
        ),
        definition("First Seen", "string", FIRST, 1),
        definition(
            "Count",
            "string",
            "The number of times this event has occurred.",
            1
        ),
        name,
    ])
}

pub(super) fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let first_of = |one: &'static str, other: &'static str| match text(one) {
        "" => text(other),
        found => found,
    };
    let age_of = |pointer: &str| match text(pointer) {
        "" => "<unknown>".to_owned(),
        time => age::since_text(time, now),
    };
    let first = match text("/firstTimestamp") {
        "" => age_of("/eventTime"),
        _ => age_of("/firstTimestamp"),
    };
    let mut last = match text("/lastTimestamp") {
        "" => first.clone(),
        _ => age_of("/lastTimestamp"),
    };
    let mut count = event.get("count").and_then(Value::as_i64).unwrap_or(0);
    if let Some(series) = event.get("series").filter(|series| series.is_object()) {
        last = age_of("/series/lastObservedTime");
        count = series.get("count").and_then(Value::as_i64).unwrap_or(0);
    } else if count == 0 {
        // An event of the newer dialect that happened once counts nothing.
        count = 1;
    }
    let kind = text("/involvedObject/kind").to_lowercase();
    let target = match text("/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let component = first_of("/source/component", "/reportingComponent");
    let source = match first_of("/source/host", "/reportingInstance") {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    };
    vec![
        last.into(),
        text("/type").into(),
        text("/reason").into(),
        target.into(),
        text("/involvedObject/fieldPath").into(),
        source.into(),
        text("/message").trim().into(),
        first.into(),
        count.into(),
        text("/metadata/name").into(),
    ]
}
