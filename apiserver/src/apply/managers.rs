//! The entries of `metadata.managedFields`: who set what, by which operation, and when.

use serde_json::{Map, Value};

use super::fields::FieldSet;
use crate::object::Object;

/// More writers that do not apply are folded into one.
const MAX_UPDATERS: usize = 10;
const FOLDED: &str = "ancient-changes";

/// One manager's entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) manager: String,
    /// Whether it applies; otherwise it creates, replaces and patches.
    pub(super) applies: bool,
    pub(super) api_version: String,
    /// `status`, `scale`, or empty for the object itself.
    pub(super) subresource: String,
    /// When its set last changed, RFC 3339.
    pub(super) time: Option<String>,
    pub(super) set: FieldSet,
}

impl Entry {
    /// Whether the same writer writes the same part.
    pub(super) fn is_same_writer(&self, other: &Self) -> bool {
        (&self.manager, self.applies, &self.api_version, &self.subresource)
            == (
                &other.manager,
                other.applies,
                &other.api_version,
                &other.subresource,
            )
    }

    fn from_json(entry: &Value) -> Option<Self> {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        let applies = match text("operation") {
            "Apply" => true,
            "Update" => false,
            _ => return None,
        };
        Some(Self {
            manager: text("manager").to_owned(),
            applies,
            api_version: text("apiVersion").to_owned(),
            subresource: text("subresource").to_owned(),
            time: entry.get("time").and_then(Value::as_str).map(str::to_owned),
            set: entry.get("fieldsV1").map(FieldSet::from_json).unwrap_or_default(),
        })
    }

    fn into_json(self) -> Value {
        let mut json = Map::new();
        let operation = if self.applies { "Apply" } else { "Update" };
        json.insert("manager".into(), self.manager.into());
        json.insert("operation".into(), operation.into());
        json.insert("apiVersion".into(), self.api_version.into());
        if let Some(time) = self.time {
            json.insert("time".into(), time.into());
        }
        json.insert("fieldsType".into(), "FieldsV1".into());
        json.insert("fieldsV1".into(), self.set.to_json());
        if !self.subresource.is_empty() {
            json.insert("subresource".into(), self.subresource.into());
        }
        Value::Object(json)
    }
}

/// The entries of an object.
pub(super) fn read(object: &Object) -> Vec<Entry> {
    object
        .meta_list("managedFields")
        .iter()
        .filter_map(Entry::from_json)
        .collect()
}

/// One empty entry: the sender wants every entry gone.
pub(super) fn is_reset(object: &Object) -> bool {
    match object.meta_list("managedFields") {
        [only] => only.as_object().is_some_and(Map::is_empty),
        _ => false,
    }
}

/// Puts the entries into the object: those that apply first, each sort by time.
pub(super) fn write(object: &mut Object, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.set.is_empty());
    fold_oldest(&mut entries);
    entries.sort_by(|a, b| order(a).cmp(&order(b)));
    if entries.is_empty() {
        object.metadata.remove("managedFields");
        return;
    }
    let entries: Vec<Value> = entries.into_iter().map(Entry::into_json).collect();
    object.set_meta("managedFields", entries);
}

type Order<'a> = (bool, &'a str, &'a str, &'a str, &'a str);

fn order(entry: &Entry) -> Order<'_> {
    (
        !entry.applies,
        entry.time.as_deref().unwrap_or_default(),
        &entry.manager,
        &entry.api_version,
        &entry.subresource,
    )
}

/// Keeps an object that many programs edit from growing without end.
fn fold_oldest(entries: &mut Vec<Entry>) {
    let (mut updaters, appliers): (Vec<Entry>, Vec<Entry>) =
        entries.drain(..).partition(|entry| !entry.applies);
    updaters.sort_by(|a, b| order(a).cmp(&order(b)));
    while updaters.len() > MAX_UPDATERS {
        let oldest = updaters.remove(0);
        let Some(next) = updaters.first_mut() else { break };
        next.set = oldest.set.union(&next.set);
        next.manager = FOLDED.into();
        next.subresource = String::new();
    }
    entries.extend(appliers);
    entries.extend(updaters);
}

/// The managed fields without their times: two objects that differ only there are the same.
pub(crate) fn without_times(object: &Object) -> Vec<Value> {
    let timeless = |entry: &Value| {
        let mut entry = entry.clone();
        if let Value::Object(fields) = &mut entry {
            fields.remove("time");
        }
        entry
    };
    object.meta_list("managedFields").iter().map(timeless).collect()
}
