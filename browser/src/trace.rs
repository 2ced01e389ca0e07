//! What an operator gets to see of a page that changed: paths, counts and the shape of an answer, never a value.
//!
//! Names of fields are kept where they are words of a program; anything else could be somebody's handle or id.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// Deepest level that is kept.
const DEPTH: u32 = 16;
/// How many of a folder are kept, the newest ones: a page that changed is met again and again.
const KEPT: usize = 100;
/// Most different shapes of a list's elements that are kept.
const ELEMENTS: usize = 4;

/// A trace.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trace<'a> {
    /// The expectation that broke.
    pub(crate) expected: &'a str,
    /// Path of the page, without its query.
    pub(crate) page: &'a str,
    /// What the page showed, in counts.
    pub(crate) seen: BTreeMap<&'static str, i64>,
    /// Path of the request whose answer it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<&'a str>,
    /// Status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Shape of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shape: Option<Value>,
}

impl Trace<'_> {
    /// Writes it below `folder`, readable by its owner alone; where it is then. A failure to write is only logged:
    /// the scan has a worse problem.
    pub(crate) fn save(&self, folder: Option<&Path>, now: Timestamp) -> Option<PathBuf> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = folder?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("page-{}-{number}.json", now.as_millisecond()));
        let write = || -> std::io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            prune(folder)
        };
        match write() {
            Ok(()) => Some(path),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a trace could not be saved");
                None
            }
        }
    }
}

/// Deletes the oldest traces beyond those that are kept. Their names begin with their time.
fn prune(folder: &Path) -> std::io::Result<()> {
    let entries = fs::read_dir(folder)?.flatten();
    let mut traces: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    traces.sort_unstable();
    let old = traces.len().saturating_sub(KEPT);
    for path in traces.into_iter().take(old) {
        match fs::remove_file(&path) {
            // Another sandbox saw the same.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// The shape of a JSON value: fields and types, no values.
pub(crate) fn shape(value: &Value) -> Value {
    shape_at(value, DEPTH)
}

fn shape_at(value: &Value, depth: u32) -> Value {
    match value {
        _ if depth == 0 => "…".into(),
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(elements) => {
            let mut shapes: Vec<Value> = Vec::new();
            for element in elements {
                let shape = shape_at(element, depth - 1);
                if shapes.len() < ELEMENTS && !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            Value::Array(shapes)
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (word(name), shape_at(value, depth - 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn word(name: &str) -> String {
    let plain = (1..=60).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_uppercase() || byte == b'_');
    if plain { name.to_owned() } else { "*".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_shape_holds_no_value() {
        let answer =
            json!({"data": {"users": [{"id": "71", "n": 3}, {"id": "72", "n": 4}, null], "ada_l7": true}});
        assert_eq!(
            shape(&answer),
            json!({"data": {"users": [{"id": "string", "n": "number"}, "null"], "*": "bool"}})
        );
    }

    #[test]
    fn a_trace_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let trace = Trace {
            expected: "the page has a list",
            page: "/nasa/followers",
            seen: BTreeMap::from([("cells", 0)]),
            request: None,
            status: None,
            shape: None,
        };
        let below = folder.path().join("traces");
        let path = trace.save(Some(&below), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("the page has a list") && !text.contains("shape"),
            "{text}"
        );
        assert!(trace.save(None, Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn only_the_newest_traces_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let trace = Trace {
            expected: "the page has a list",
            page: "/nasa/followers",
            seen: BTreeMap::new(),
            request: None,
            status: None,
            shape: None,
        };
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let save = |second| {
            let at = start + jiff::SignedDuration::from_secs(second);
            trace.save(Some(folder.path()), at).unwrap()
        };
        let paths: Vec<PathBuf> = (0..105).map(save).collect();
        let (old, new) = paths.split_at(5);
        assert!(old.iter().all(|path| !path.exists()) && new.iter().all(|path| path.exists()));
    }
}
