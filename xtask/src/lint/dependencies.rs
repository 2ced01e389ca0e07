//! Every dependency of the workspace has its row in docs/dependencies.md, with the same version.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::report;
use crate::checkout::Checkout;

const DOCUMENT: &str = "docs/dependencies.md";

/// Version requirements by crate name.
type Versions = BTreeMap<String, String>;

pub(super) fn check(checkout: &Checkout) -> Result<()> {
    report(&compare(
        &declared(&checkout.read("Cargo.toml")?)?,
        &documented(&checkout.read(DOCUMENT)?),
    ))
}

fn compare(declared: &Versions, documented: &Versions) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, version) in declared {
        match documented.get(name) {
            None => findings.push(format!(
                "{DOCUMENT} has no row for {name}: add `{name}`, `{version}` and why"
            )),
            Some(written) if written != version => {
                findings.push(format!(
                    "{DOCUMENT} gives {name} as `{written}`, Cargo.toml as `{version}`"
                ));
            }
            Some(_) => {}
        }
    }
    for name in documented.keys().filter(|name| !declared.contains_key(*name)) {
        findings.push(format!(
            "{DOCUMENT} has a row for {name}, which is no dependency of the workspace"
        ));
    }
    findings
}

/// The foreign crates of `[workspace.dependencies]`. One entry a line is this workspace's habit; an entry that
/// is written otherwise is an error, so that none is overlooked.
fn declared(manifest: &str) -> Result<Versions> {
    let section = manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let mut versions = Versions::new();
    for line in section {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("followlytics-") {
            continue;
        }
        let (name, value) = line
            .split_once(" = ")
            .with_context(|| format!("failed to read `{line}` in Cargo.toml"))?;
        if name.contains('.') {
            bail!("`{name}` in Cargo.toml: write the entry as `name = \"version\"` or as one inline table");
        }
        let version = if let Some(plain) = value.strip_prefix('"') {
            plain.split('"').next()
        } else {
            value
                .split_once("version = \"")
                .and_then(|(_, rest)| rest.split('"').next())
        };
        let version =
            version.with_context(|| format!("failed to find the version of {name} in Cargo.toml"))?;
        versions.insert(name.to_owned(), version.to_owned());
    }
    if versions.is_empty() {
        bail!("failed to find [workspace.dependencies] in Cargo.toml");
    }
    Ok(versions)
}

/// Rows of the form ``| `name` | `version` | why |`` with a reason.
fn documented(document: &str) -> Versions {
    let ticked = |cell: &str| {
        cell.trim()
            .strip_prefix('`')?
            .strip_suffix('`')
            .map(str::to_owned)
    };
    document
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|');
            let (name, version, why) = (ticked(cells.next()?)?, ticked(cells.next()?)?, cells.next()?);
            (!why.trim().is_empty()).then_some((name, version))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace]\nmembers = []\n\n[workspace.dependencies]\nfollowlytics-core = { path = \"core\" }\n\
        anyhow = \"=1.0.104\"\naxum = { version = \"=0.8.9\", default-features = false }\n\n[profile.release]\nlto = \"off\"\n";

    #[test]
    fn plain_and_detailed_entries_are_read_and_own_crates_left_out() {
        let versions = declared(MANIFEST).unwrap();
        let expected = [("anyhow", "=1.0.104"), ("axum", "=0.8.9")];
        assert_eq!(
            versions,
            expected
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .into()
        );
    }

    #[test]
    fn an_entry_in_another_form_is_an_error() {
        assert!(declared("[workspace.dependencies]\nanyhow.version = \"1\"\n").is_err());
        assert!(declared("[workspace.dependencies]\nx = { git = \"u\" }\n").is_err());
    }

    #[test]
    fn missing_differing_and_left_over_rows_are_found() {
        let document = "| crate | version | why |\n|---|---|---|\n| `axum` | `=0.8.8` | routes |\n| `gone` | `1` | was here |\n";
        let findings = compare(&declared(MANIFEST).unwrap(), &documented(document));
        assert_eq!(findings.len(), 3);
        assert!(findings[0].contains("no row for anyhow"));
        assert!(findings[1].contains("axum as `=0.8.8`"));
        assert!(findings[2].contains("row for gone"));
    }

    #[test]
    fn a_row_without_a_reason_is_no_row() {
        assert!(documented("| `axum` | `=0.8.9` |  |").is_empty());
    }
}
