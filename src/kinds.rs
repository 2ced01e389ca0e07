//! The kinds a person can name on the command line, and how they look in columns.

use followlytics_crds::{Credential, Sandbox, Scan};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, CustomResourceExt as _, ResourceExt as _,
    api::{ApiResource, DynamicObject},
};
use serde_json::Value;

use crate::exit::Failure;

/// A kind.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
    /// Header and path of each column, after the name.
    columns: Vec<(String, String)>,
}

impl Kind {
    fn custom(definition: &CustomResourceDefinition, resource: ApiResource) -> Self {
        let versions = definition.spec.versions.iter();
        let columns = versions.flat_map(|version| version.additional_printer_columns.iter().flatten());
        let columns = columns
            .map(|column| (column.name.to_uppercase(), column.json_path.clone()))
            .collect();
        Self {
            resource,
            namespaced: true,
            columns,
        }
    }

    fn builtin(resource: ApiResource, namespaced: bool, columns: &[(&str, &str)]) -> Self {
        let columns = columns
            .iter()
            .map(|(name, path)| ((*name).to_owned(), (*path).to_owned()))
            .collect();
        Self {
            resource,
            namespaced,
            columns,
        }
    }

    /// The kind under any of its names: `scan`, `scans`, `sc`, `Scan`, `scans.followlytics.io`.
    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        let bare = name.to_lowercase();
        let bare = bare.split('.').next().unwrap_or_default();
        match bare {
            "scan" | "scans" | "sc" => Ok(Self::custom(&Scan::crd(), ApiResource::erase::<Scan>(&()))),
            "sandbox" | "sandboxes" | "sbx" => {
                Ok(Self::custom(&Sandbox::crd(), ApiResource::erase::<Sandbox>(&())))
            }
            "credential" | "credentials" | "cred" => Ok(Self::custom(
                &Credential::crd(),
                ApiResource::erase::<Credential>(&()),
            )),
            "event" | "events" | "ev" => Ok(Self::builtin(
                ApiResource::erase::<Event>(&()),
                true,
                &EVENT_COLUMNS,
            )),
            "namespace" | "namespaces" | "ns" => Ok(Self::builtin(
                ApiResource::erase::<Namespace>(&()),
                false,
                &NAMESPACE_COLUMNS,
            )),
            _ => Err(Failure::usage(format!(
                "failed to find kind {name:?}: known are scans, sandboxes, credentials, events and namespaces"
            ))),
        }
    }

    /// The objects of this kind.
    pub(crate) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource)
        } else {
            Api::all_with(client.clone(), &self.resource)
        }
    }

    /// `scan.followlytics.io/nasa`.
    pub(crate) fn name_of(&self, name: &str) -> String {
        let kind = self.resource.kind.to_lowercase();
        if self.resource.group.is_empty() {
            format!("{kind}/{name}")
        } else {
            format!("{kind}.{}/{name}", self.resource.group)
        }
    }

    /// The same with the columns that only a wide terminal has room for.
    pub(crate) fn widened(mut self) -> Self {
        let more: &[(&str, &str)] = match self.resource.kind.as_str() {
            "Scan" => &[
                ("WAITING", ".status.waitingOn.reason"),
                ("RANGES", ".status.progress.ranges.total"),
                ("RESULT", ".status.result.uri"),
            ],
            "Sandbox" => &[("INSTANCE", ".status.instance"), ("EXIT", ".status.exitCode")],
            "Credential" => &[("SECRET", ".spec.secretRef.name"), ("URL", ".spec.baseUrl")],
            _ => &[],
        };
        let more = more
            .iter()
            .map(|(name, path)| ((*name).to_owned(), (*path).to_owned()));
        self.columns
            .extend(more.chain([("UID".to_owned(), ".metadata.uid".to_owned())]));
        self
    }

    pub(crate) fn header(&self) -> Vec<String> {
        let columns = self.columns.iter().map(|(name, _)| name.clone());
        std::iter::once("NAME".to_owned()).chain(columns).collect()
    }

    pub(crate) fn row(&self, object: &DynamicObject, now: Timestamp) -> Vec<String> {
        let value = serde_json::to_value(object).unwrap_or_default();
        let cells = self.columns.iter().map(|(_, path)| cell(&value, path, now));
        std::iter::once(object.name_any()).chain(cells).collect()
    }
}

const EVENT_COLUMNS: [(&str, &str); 5] = [
    ("TYPE", ".type"),
    ("REASON", ".reason"),
    ("OBJECT", ".involvedObject.name"),
    ("MESSAGE", ".message"),
    ("AGE", ".metadata.creationTimestamp"),
];
const NAMESPACE_COLUMNS: [(&str, &str); 2] = [
    ("STATUS", ".status.phase"),
    ("AGE", ".metadata.creationTimestamp"),
];

/// What a printer column shows: dotted paths, and `[?(@.type=="X")]` in lists.
fn cell(object: &Value, path: &str, now: Timestamp) -> String {
    match find(object, path.trim_start_matches('.')) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if path.ends_with("Timestamp") => age(text, now),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    let (step, rest) = match path
        .split_once("[?(@.type==\\\"")
        .or_else(|| path.split_once("[?(@.type==\""))
    {
        // The filter comes before the next dot of the path itself.
        Some((list, rest)) if !list.contains('.') => {
            let (wanted, rest) = rest.split_once(")]")?;
            let wanted = wanted.trim_matches(['\\', '"']);
            let items = value.get(list)?.as_array()?;
            let found = items
                .iter()
                .find(|item| item.get("type").and_then(Value::as_str) == Some(wanted))?;
            return find(found, rest.trim_start_matches('.'));
        }
        _ => path.split_once('.').unwrap_or((path, "")),
    };
    find(value.get(step)?, rest)
}

/// How long ago, as kubectl writes it.
pub(crate) fn age(text: &str, now: Timestamp) -> String {
    let Ok(then) = text.parse::<Timestamp>() else {
        return String::new();
    };
    match now.duration_since(then).as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_of_a_kind_is_understood() {
        for name in ["scan", "scans", "sc", "Scan", "scans.followlytics.io"] {
            assert_eq!(Kind::find(name).unwrap().resource.kind, "Scan");
        }
        let failure = Kind::find("pods").unwrap_err();
        assert!(failure.message.contains("known are scans"), "{failure}");
    }

    #[test]
    fn columns_follow_the_paths_of_the_definition() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let object = json!({
            "metadata": {"creationTimestamp": "2026-11-20T09:00:00Z"},
            "spec": {"account": {"handle": "nasa"}},
            "status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Valid", "status": "True"}]},
        });
        assert_eq!(cell(&object, ".spec.account.handle", now), "nasa");
        assert_eq!(cell(&object, ".metadata.creationTimestamp", now), "60m");
        assert_eq!(
            cell(&object, ".status.conditions[?(@.type==\"Valid\")].status", now),
            "True"
        );
        assert_eq!(cell(&object, ".status.phase", now), "");
    }
}
