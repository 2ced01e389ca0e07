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

    /// The objects of this kind in every namespace.
    pub(crate) fn api_of_all(&self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.resource)
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

/// What a command is about: a kind, and the names of its objects; none = all of them.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) names: Vec<String>,
}

/// Reads `scans`, `scans,sandboxes`, `scan NAME …` and `scan/NAME sandbox/NAME …`.
pub(crate) fn targets(words: &[String]) -> Result<Vec<Target>, Failure> {
    if words.iter().any(|word| word.contains('/')) {
        let pairs = words.iter().map(|word| match word.split_once('/') {
            Some((kind, name)) if !name.is_empty() => Ok(Target {
                kind: Kind::find(kind)?,
                names: vec![name.to_owned()],
            }),
            _ => Err(Failure::usage(format!(
                "failed to read {word:?}: among KIND/NAME every word has both; or write KIND NAME …"
            ))),
        });
        return pairs.collect();
    }
    let (kinds, names) = words
        .split_first()
        .ok_or_else(|| Failure::usage("failed to read the kind: write one, such as scans"))?;
    let kinds: Vec<&str> = kinds.split(',').collect();
    if kinds.len() > 1 && !names.is_empty() {
        return Err(Failure::usage(
            "failed to read the names: of several kinds all objects are meant; write KIND/NAME for single ones",
        ));
    }
    let target = |kind: &&str| {
        Ok(Target {
            kind: Kind::find(kind)?,
            names: names.to_vec(),
        })
    };
    kinds.iter().map(target).collect()
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
    fn words_name_kinds_and_objects() {
        let read = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let found = targets(&words)?;
            let text = found
                .iter()
                .map(|target| format!("{} {}", target.kind.resource.kind, target.names.join("+")));
            Ok::<_, Failure>(text.collect::<Vec<_>>().join("; "))
        };
        for (line, found) in [
            ("scans", "Scan "),
            ("scan a b", "Scan a+b"),
            ("sc,sbx", "Scan ; Sandbox "),
            ("scan/a cred/b", "Scan a; Credential b"),
        ] {
            assert_eq!(read(line).unwrap(), found, "{line}");
        }
        for (line, part) in [
            ("scan/a b", "every word has both"),
            ("scan/", "every word has both"),
            ("sc,sbx a", "write KIND/NAME"),
            ("sc,pods", "known are scans"),
        ] {
            let failure = read(line).unwrap_err();
            assert!(failure.message.contains(part), "{line}: {failure}");
        }
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
