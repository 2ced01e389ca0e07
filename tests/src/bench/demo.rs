//! `followlytics demo`, started as a person starts it.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use followlytics_platforms::clock::{Clock as _, SystemClock};

use super::{
    processes::program,
    report::{Bar, Limit, Section},
};

/// The bench.
pub fn section() -> Result<Section> {
    let mut section = Section {
        name: "demo",
        title: "The demo, from its start to its table",
        notes: vec![
            "Warm: the program is built, its data directory is new. Cold: a fresh clone with the crates to be downloaded; a \
             bench cannot do that from within, so it is measured by hand."
                .to_owned(),
        ],
        ..Section::default()
    };
    section.bars.push(Bar {
        what: "cold `cargo run --release -- demo`, minutes".to_owned(),
        measured: None,
        limit: Limit::AtMost(15.0),
    });
    let warm = program().ok().map(time).transpose()?;
    if warm.is_none() {
        let note = "The program was not built (`cargo build --release`).".to_owned();
        section.notes.push(note);
    }
    section.bars.push(Bar {
        what: "warm start to table, seconds".to_owned(),
        measured: warm,
        limit: Limit::AtMost(30.0),
    });
    Ok(section)
}

fn time(program: PathBuf) -> Result<f64> {
    let data = tempfile::tempdir()?;
    let began = SystemClock.now();
    let output = Command::new(program)
        .args(["demo", "-o", "json", "--out"])
        .arg(data.path().join("results"))
        .env("FOLLOWLYTICS_DATA", data.path().join("data"))
        .output()
        .context("the demo did not start")?;
    let took = SystemClock.now().duration_since(began);
    anyhow::ensure!(
        output.status.success(),
        "the demo ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(took.as_secs_f64())
}
