//! What goes to standard output: aligned columns, JSON, YAML.

use std::io::{self, Write as _};

use anyhow::Context as _;
use serde::Serialize;

use crate::{args::Output, exit::Failure};

/// Writes text as it is. A reader that went away ended the command's work, which is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(anyhow::Error::from(error)
            .context("failed to write to standard output")
            .into()),
        _ => Ok(()),
    }
}

/// Writes a value as JSON or YAML.
pub(crate) fn print_value(output: Output, value: &impl Serialize) -> Result<(), Failure> {
    if output == Output::Yaml {
        let text = serde_saphyr::to_string(value).context("failed to write YAML")?;
        return print(&format!("{}\n", text.trim_end()));
    }
    let text = serde_json::to_string_pretty(value).context("failed to write JSON")?;
    print(&format!("{text}\n"))
}

/// Rows as columns, each as wide as its widest cell, two blanks apart.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["NAME".to_owned(), "AGE".to_owned()],
            vec!["a-long-one".to_owned(), "5s".to_owned()],
        ];
        assert_eq!(columns(&rows), "NAME        AGE\na-long-one  5s\n");
    }
}
