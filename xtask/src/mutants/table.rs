//! The table of deliberate bugs, `docs/mutants.md`: one row per variant of the enum in `core`, and what is wrong with it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

use crate::checkout::Checkout;

/// The table.
pub(super) const DOCUMENT: &str = "docs/mutants.md";
/// Where the variants are.
const SOURCE: &str = "core/src/mutants.rs";
const ENUM: &str = "pub enum Mutant {";

/// A deliberate bug and the test that has to catch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) mutant: String,
    pub(super) package: String,
    /// As the test program lists it.
    pub(super) test: String,
}

/// Reads the table and compares it with the enum.
pub(super) fn read(checkout: &Checkout) -> Result<Vec<Row>> {
    let (rows, mut findings) = parse(&checkout.read(DOCUMENT)?);
    findings.extend(compare(&rows, &variants(&checkout.read(SOURCE)?)?));
    if !findings.is_empty() {
        bail!("{DOCUMENT}:\n  {}", findings.join("\n  "));
    }
    Ok(rows)
}

/// The rows of every table in the document, and the lines that are not one.
fn parse(text: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut findings) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let is_head = line.starts_with("| Mutant |") || line.starts_with("|---");
        if !line.starts_with('|') || is_head {
            continue;
        }
        match row(line) {
            Some(row) => rows.push(row),
            None => findings.push(format!(
                "line {number} is not a row: write `mutant`, what it breaks, `package`, `test`"
            )),
        }
    }
    (rows, findings)
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line
        .trim_end()
        .strip_prefix('|')?
        .strip_suffix('|')?
        .split('|')
        .map(str::trim)
        .collect();
    let [mutant, breaks, package, test] = cells[..] else {
        return None;
    };
    Some(Row {
        mutant: name(mutant)?,
        package: name(package)?,
        test: name(test)?,
    })
    .filter(|_| !breaks.is_empty())
}

/// A cell that holds one name, as code.
fn name(cell: &str) -> Option<String> {
    let name = cell.strip_prefix('`')?.strip_suffix('`')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_owned())
}

/// The variants of the enum: one per line is this workspace's habit, and what rustfmt makes of it.
fn variants(source: &str) -> Result<Vec<String>> {
    let (_, body) = source
        .split_once(ENUM)
        .with_context(|| format!("failed to read {SOURCE}: `{ENUM}` not found"))?;
    let variants: Vec<String> = body
        .lines()
        .take_while(|line| *line != "}")
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric()))
        .map(str::to_owned)
        .collect();
    Ok(variants)
}

fn compare(rows: &[Row], variants: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(&row.mutant).or_default() += 1;
    }
    let mut findings = Vec::new();
    for (mutant, count) in &counts {
        if !variants.iter().any(|variant| variant == mutant) {
            findings.push(format!("{mutant} has a row and is not in {SOURCE}"));
        }
        if *count > 1 {
            findings.push(format!("{mutant} has {count} rows"));
        }
    }
    for variant in variants.iter().filter(|name| !counts.contains_key(name.as_str())) {
        findings.push(format!("{variant} is in {SOURCE} and has no row"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "# Mutants\n\n| Mutant | What it breaks | Package | Test that kills it |\n|---|---|---|---|\n";

    fn parsed(rows: &str) -> (Vec<Row>, Vec<String>) {
        parse(&format!("{HEAD}{rows}"))
    }

    #[test]
    fn a_row_names_a_mutant_a_package_and_a_test() {
        let (rows, findings) =
            parsed("| `SplitGap` | a split leaves a gap | `followlytics-core` | `scan::a_gap` |\n");
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!((rows[0].mutant.as_str(), rows.len()), ("SplitGap", 1));
        assert_eq!(
            (rows[0].package.as_str(), rows[0].test.as_str()),
            ("followlytics-core", "scan::a_gap")
        );
    }

    #[test]
    fn a_row_that_lacks_a_cell_or_a_name_is_named_by_its_line() {
        for bad in [
            "| `A` | b | `c` |",
            "| `A` |  | `c` | `d` |",
            "| A | b | `c` | `d` |",
            "| `A` | b | `c` | `` |",
            "| `A` | b | `c` | `d e` |",
            "| `A` | b | `c` | `d` | e |",
        ] {
            let (rows, findings) = parsed(bad);
            assert_eq!(rows, []);
            assert!(findings[0].starts_with("line 5 is not a row"), "{findings:?}");
        }
    }

    #[test]
    fn rows_and_variants_that_miss_each_other_and_duplicates_are_named() {
        let row = |name: &str| format!("| `{name}` | b | `c` | `d` |\n");
        let (rows, _) = parsed(&[row("A"), row("B"), row("B"), row("D")].concat());
        let source = "/// Bugs.\npub enum Mutant {\n    /// First, of all.\n    A,\n\n    B,\n    C,\n}\n\nfn x() {\n    y,\n}\n";
        let variants = variants(source).unwrap();
        assert_eq!(variants, ["A", "B", "C"]);
        assert_eq!(
            compare(&rows, &variants),
            [
                "B has 2 rows",
                "D has a row and is not in core/src/mutants.rs",
                "C is in core/src/mutants.rs and has no row"
            ]
        );
    }
}
