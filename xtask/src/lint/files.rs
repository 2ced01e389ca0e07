//! Habits that can be read off the files: no path of one machine, nothing left over, no file too long.

use std::path::Path;

use anyhow::Result;

use super::report;
use crate::checkout::Checkout;

/// Lines a Rust file may have.
const LONGEST: usize = 600;

/// Folders of one person's machine. Written in two parts, or this file would be its own finding.
const MACHINE_PATHS: [&str; 2] = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// What is not left in Rust code: an unfinished branch, a debug print, a test that nobody runs.
const LEFT_OVERS: [&str; 5] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
    concat!("FIX", "ME"),
    concat!("#[ig", "nore"),
];

pub(super) fn check(checkout: &Checkout) -> Result<()> {
    let mut findings = Vec::new();
    for file in checkout.files()? {
        findings.extend(read(&file, &checkout.read(&file)?));
    }
    report(&findings)
}

fn read(file: &Path, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    for (number, line) in (1..).zip(text.lines()) {
        for path in MACHINE_PATHS {
            if line.contains(path) {
                findings.push(format!(
                    "{}:{number} names {path}, a folder of one machine",
                    file.display()
                ));
            }
        }
        for left_over in LEFT_OVERS.iter().filter(|_| is_rust) {
            if line.contains(left_over) {
                findings.push(format!("{}:{number} still has {left_over}", file.display()));
            }
        }
    }
    let lines = text.lines().count();
    if is_rust && lines > LONGEST {
        findings.push(format!(
            "{} has {lines} lines, over {LONGEST}: two names are clearer than one",
            file.display()
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_and_machine_paths_are_found_with_their_line() {
        let text = format!(
            "fn a() {{\n    {}\n    let home = \"{}me\";\n}}\n",
            LEFT_OVERS[0], MACHINE_PATHS[0]
        );
        let findings = read(Path::new("x/src/lib.rs"), &text);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].starts_with("x/src/lib.rs:2 "), "{findings:?}");
        assert!(findings[1].starts_with("x/src/lib.rs:3 "), "{findings:?}");
    }

    #[test]
    fn prose_may_speak_of_left_overs_but_not_of_machine_paths() {
        assert!(read(Path::new("CONTRIBUTING.md"), LEFT_OVERS[3]).is_empty());
        assert_eq!(read(Path::new("CONTRIBUTING.md"), MACHINE_PATHS[1]).len(), 1);
    }

    #[test]
    fn the_longest_file_allowed_is_not_a_finding() {
        assert!(read(Path::new("a.rs"), &"x\n".repeat(LONGEST)).is_empty());
        assert_eq!(read(Path::new("a.rs"), &"x\n".repeat(LONGEST + 1)).len(), 1);
        assert!(read(Path::new("a.md"), &"x\n".repeat(LONGEST + 1)).is_empty());
    }
}
