//! The script as data: one YAML file per topic, read when the test runs, so that a step is added without a build.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// Steps that build on one another, in a namespace of their own that has the topic's name.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One request that both servers are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Step {
    /// What is asked, in a few words; unique within the topic.
    pub(crate) name: String,
    /// `GET /path?query`; `${name}` stands for a saved value or a path (see `Side::new`).
    pub(crate) request: String,
    pub(crate) accept: Option<String>,
    /// `application/json` where there is a body and nothing else is said; empty sends none.
    pub(crate) content_type: Option<String>,
    /// Sent as JSON; a text is sent as it stands.
    pub(crate) body: Option<Value>,
    /// Keeps parts of the answer: name → JSON pointer. Names that begin with `generated` are masked from then on.
    #[serde(default)]
    pub(crate) save: BTreeMap<String, String>,
    /// Compares these parts of the body alone: pointers, whose parts may be `[key=value]` of a list's items.
    #[serde(default)]
    pub(crate) pick: Vec<String>,
    /// Asks again until the status is this one: for what a controller does in its own time.
    pub(crate) until: Option<u16>,
    /// Asks again until this part of the body is there.
    pub(crate) until_there: Option<String>,
    /// Reads the answer as a stream of events.
    pub(crate) watch: Option<Watch>,
    /// The same request once for each: `body` with this merged into it (a null removes a field).
    #[serde(default)]
    pub(crate) variants: BTreeMap<String, Value>,
}

/// How much of a stream is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watch {
    /// Reads this many and hangs up; without it, reads until the server ends the stream.
    pub(crate) events: Option<usize>,
    /// What happens once the watch has begun.
    #[serde(default)]
    pub(crate) meanwhile: Vec<Step>,
}

/// Every topic, in the order of their file names.
pub(crate) fn topics() -> Result<Vec<Topic>> {
    let directory = directory().join("topics");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .with_context(|| format!("failed to read {}", directory.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    files.into_iter().map(|file| topic(&file)).collect()
}

/// The folder of this test.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What a file of this test says.
pub(crate) fn read<T: serde::de::DeserializeOwned>(file: &std::path::Path) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    // `y` and `n` are names here, not answers.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(&text, options)
        .with_context(|| format!("failed to parse {}", file.display()))
}

fn topic(file: &std::path::Path) -> Result<Topic> {
    let name = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let steps: Vec<Step> = read(file)?;
    let steps = steps.into_iter().flat_map(spread).collect();
    Ok(Topic { name, steps })
}

/// A step for each variant; the step itself where there is none.
fn spread(step: Step) -> Vec<Step> {
    if step.variants.is_empty() {
        return vec![step];
    }
    let variant = |(name, patch): (&String, &Value)| {
        let mut body = step.body.clone().unwrap_or_default();
        merge(&mut body, patch);
        Step {
            name: format!("{}: {name}", step.name),
            body: Some(body),
            variants: BTreeMap::new(),
            ..step.clone()
        }
    };
    step.variants.iter().map(variant).collect()
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
