//! `DuckDB`, by its Python package.

use std::{path::Path, process::Command, thread};

use anyhow::{Context as _, Result, ensure};

use super::Run;

/// The script, and the ways in which it can be asked.
const SCRIPT: &str = include_str!("peer.py");
const QUERIES: [&str; 3] = ["row_number", "arg_max", "losers"];
/// The first four of 64 runs.
const SIXTEENTH: &str = "00[0-3]*";

pub(super) struct Peer<'a> {
    pub(super) python: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) keys: &'a str,
}

impl Peer<'_> {
    /// The query that is quickest on a part of the shards.
    pub(super) fn quickest(&self) -> Result<&'static str> {
        let mut best: Option<(f64, &str)> = None;
        for query in QUERIES {
            let run = self.run(query, "none", SIXTEENTH)?;
            if best.is_none_or(|(seconds, _)| run.seconds < seconds) {
                best = Some((run.seconds, query));
            }
        }
        best.map(|(_, query)| query).context("no query")
    }

    /// Runs a query over the shards whose names match.
    pub(super) fn run(&self, query: &str, limit: &str, shards: &str) -> Result<Run> {
        let (scratch, out) = (self.folder.join("scratch"), self.folder.join("duckdb.parquet"));
        std::fs::create_dir_all(&scratch)?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let output = Command::new(self.python)
            .args(["-c", SCRIPT, query, limit, self.keys, &threads.to_string()])
            .arg(
                self.folder
                    .join("objects/shards/bench")
                    .join(format!("{shards}.parquet")),
            )
            .args([&scratch, &out])
            .output()
            .context("failed to start Python")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{}",
            said.lines().last().unwrap_or("it said nothing")
        );
        std::fs::remove_dir_all(&scratch)?;
        std::fs::remove_file(&out)?;
        serde_json::from_slice(&output.stdout).context("the script's answer is no JSON")
    }
}
