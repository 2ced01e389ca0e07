//! What a bench found, as a table, its bars and a page of Markdown.

use std::fmt::{self, Display, Write as _};

use anyhow::{Context as _, Result};

use super::machine::Machine;

/// What one bench found.
#[derive(Debug, Default)]
pub struct Section {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Head of the table.
    pub head: Vec<&'static str>,
    /// The table.
    pub rows: Vec<Vec<String>>,
    /// The bars, with what was measured.
    pub bars: Vec<Bar>,
    /// What to know about the figures.
    pub notes: Vec<String>,
}

/// A promise and its measured value.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What is promised.
    pub what: String,
    /// What was measured; `None` = not run.
    pub measured: Option<f64>,
    /// The promise.
    pub limit: Limit,
}

/// How a bar is met.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// By this or less.
    AtMost(f64),
    /// By this or more.
    AtLeast(f64),
}

impl Bar {
    /// A bar that is met by `limit` or less.
    pub fn at_most(what: impl Into<String>, measured: f64, limit: f64) -> Self {
        Self {
            what: what.into(),
            measured: Some(measured),
            limit: Limit::AtMost(limit),
        }
    }

    /// A bar that is met by `limit` or more.
    pub fn at_least(what: impl Into<String>, measured: f64, limit: f64) -> Self {
        Self {
            what: what.into(),
            measured: Some(measured),
            limit: Limit::AtLeast(limit),
        }
    }

    /// Whether it is met; `None` when it was not measured.
    pub fn is_met(&self) -> Option<bool> {
        // Ratios of counts are exact, but their decimals are not.
        const EXACT: f64 = 1e-9;
        self.measured.map(|measured| match self.limit {
            Limit::AtMost(limit) => measured <= limit + EXACT,
            Limit::AtLeast(limit) => measured >= limit - EXACT,
        })
    }
}

impl Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, limit) = match self.limit {
            Limit::AtMost(limit) => ("at most", limit),
            Limit::AtLeast(limit) => ("at least", limit),
        };
        let (measured, verdict) = match (self.measured, self.is_met()) {
            (Some(measured), Some(true)) => (format!("{measured:.3}"), "met"),
            (Some(measured), _) => (format!("{measured:.3}"), "**missed**"),
            (None, _) => ("*not run*".to_owned(), "–"),
        };
        let limit = format!("{limit:.3}");
        let limit = limit.trim_end_matches('0').trim_end_matches('.');
        write!(f, "| {} | {sign} {limit} | {measured} | {verdict} |", self.what)
    }
}

impl Section {
    /// The section as Markdown, without its heading.
    pub fn markdown(&self, machine: &Machine) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "Measured by `cargo xtask bench {}` on {machine}.\n",
            self.name
        );
        if !self.bars.is_empty() {
            text.push_str("| bar | promised | measured | |\n|---|---|---|---|\n");
            for bar in &self.bars {
                let _ = writeln!(text, "{bar}");
            }
            text.push('\n');
        }
        if !self.rows.is_empty() {
            let _ = writeln!(
                text,
                "| {} |\n|{}",
                self.head.join(" | "),
                "---|".repeat(self.head.len())
            );
            for row in &self.rows {
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "* {note}");
        }
        text.trim_end().to_owned()
    }

    /// Whether every bar that was measured is met.
    pub fn is_met(&self) -> bool {
        self.bars.iter().all(|bar| bar.is_met() != Some(false))
    }
}

/// Puts the sections into a page, each between its own marks; what is outside of them stays.
pub fn update(page: &str, sections: &[Section], machine: &Machine) -> Result<String> {
    let mut page = page.to_owned();
    for section in sections {
        let (open, close) = (
            format!("<!-- bench {} -->", section.name),
            format!("<!-- /bench {} -->", section.name),
        );
        let text = format!(
            "{open}\n## {}\n\n{}\n{close}",
            section.title,
            section.markdown(machine)
        );
        match page.find(&open) {
            None => {
                let _ = write!(page, "\n{text}\n");
            }
            Some(from) => {
                let rest = page.get(from..).unwrap_or_default();
                let length = rest
                    .find(&close)
                    .with_context(|| format!("the page has {open} without {close}"))?;
                page.replace_range(from..from + length + close.len(), &text);
            }
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(measured: f64) -> Section {
        Section {
            name: "one",
            title: "One",
            bars: vec![Bar::at_most("a ratio", measured, 1.01)],
            ..Section::default()
        }
    }

    #[test]
    fn a_section_is_replaced_between_its_marks_only() {
        let machine = Machine {
            cores: 2,
            memory_gib: 4,
        };
        let first = update("# Numbers\n", &[section(1.0)], &machine).unwrap();
        assert!(first.starts_with("# Numbers\n") && first.contains("| 1.000 | met |"));
        let second = update(&format!("{first}after\n"), &[section(2.0)], &machine).unwrap();
        assert!(second.contains("**missed**") && !second.contains("1.000") && second.ends_with("after\n"));
    }

    #[test]
    fn a_bar_that_was_not_run_is_neither_met_nor_missed() {
        let bar = Bar {
            measured: None,
            ..Bar::at_least("x", 0.0, 3.7)
        };
        assert_eq!(
            (bar.is_met(), bar.to_string().contains("*not run*")),
            (None, true)
        );
        assert_eq!(Bar::at_least("x", 3.6, 3.7).is_met(), Some(false));
    }
}
