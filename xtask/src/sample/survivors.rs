//! Changes that no test has to notice, with the reason: docs/survivors.md.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;

const DOCUMENT: &str = "docs/survivors.md";

/// Reasons by [`key`].
pub(super) fn read(checkout: &Checkout) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(checkout.root().join(DOCUMENT))
        .with_context(|| format!("failed to read {DOCUMENT}"))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.splitn(2, " | ");
        let change = cells.next()?.trim().trim_matches('`');
        let reason = cells.next()?.trim_end_matches('|').trim();
        Some((change.to_owned(), reason.to_owned()))
    });
    rows.collect()
}

/// The file and what changes in which function, without the line and column: those move.
pub(super) fn key(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(file), Some(change)) => format!("{file}:{change}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_is_known_wherever_its_line_is() {
        let known = parse(
            "# x\n\n| Change | Why |\n|---|---|\n| `core/src/a.rs: replace < with <= in f` | equal |\n",
        );
        let name = "core/src/a.rs:3:9: replace < with <= in f";
        assert_eq!(known.get(&key(name)).map(String::as_str), Some("equal"));
    }
}
