//! What the embedded server leaves out on purpose: a list with reasons, each of which must meet a difference.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::Result;
use serde::Deserialize;

use crate::{compare::Difference, script};

/// One thing left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Omission {
    /// `topic/step`; `*` is any text.
    step: String,
    /// JSON pointers into the answer; `*` is any text.
    parts: Vec<String>,
    /// Why, in one sentence that users read.
    reason: String,
}

/// The list, and what of it has been met.
pub(crate) struct Omissions {
    list: Vec<Omission>,
    /// Positions of the entry and of its part.
    met: BTreeSet<(usize, usize)>,
}

impl Omissions {
    pub(crate) fn read() -> Result<Self> {
        Ok(Self {
            list: script::read(&script::directory().join("omissions.yaml"))?,
            met: BTreeSet::new(),
        })
    }

    /// Whether a difference is one of those that are meant; notes that it was met.
    pub(crate) fn covers(&mut self, step: &str, difference: &Difference) -> bool {
        let mut covered = false;
        for (at, omission) in self
            .list
            .iter()
            .enumerate()
            .filter(|(_, omission)| fits(&omission.step, step))
        {
            for (part, pattern) in omission.parts.iter().enumerate() {
                if fits(pattern, &difference.pointer) {
                    self.met.insert((at, part));
                    covered = true;
                }
            }
        }
        covered
    }

    /// Entries nothing differs in: they hide a difference that may come.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let mut unmet = Vec::new();
        for (at, omission) in self.list.iter().enumerate() {
            for (part, pattern) in omission.parts.iter().enumerate() {
                if !self.met.contains(&(at, part)) {
                    unmet.push(format!("{} {pattern}", omission.step));
                }
            }
        }
        unmet
    }

    /// The list as the table of docs/decisions.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from("| step | part of the answer | why |\n|---|---|---|\n");
        for omission in &self.list {
            let parts: Vec<String> = omission.parts.iter().map(|part| shown(part)).collect();
            let _ = writeln!(
                table,
                "| `{}` | {} | {} |",
                omission.step,
                parts.join(", "),
                omission.reason
            );
        }
        table
    }
}

fn shown(part: &str) -> String {
    if part.is_empty() {
        "all of it".to_owned()
    } else {
        format!("`{part}`")
    }
}

/// Whether a text is what the pattern says, `*` being any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pattern
        .contains('*')
        .then(|| parts.next_back().unwrap_or_default())
    else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_text() {
        assert!(fits("crud/*", "crud/create: a"));
        assert!(fits(
            "*/metadata/managedFields*",
            "/body/items/0/metadata/managedFields/x Update"
        ));
        assert!(fits("/body", "/body"));
        assert!(!fits("/body", "/body/a"));
        assert!(!fits("*/a*b", "/c/a"));
    }
}
