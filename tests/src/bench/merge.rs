//! The merge of sorted runs into a result: this program beside `DuckDB`, on the same shards.
#![expect(clippy::cast_precision_loss, reason = "figures for people have three digits")]

mod ours;
mod peer;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use followlytics_core::platform::Ids;
use serde::{Deserialize, Serialize};

use super::{
    python,
    report::{Bar, Section},
};

pub use ours::child;

/// The peer, pinned.
const DUCKDB: &str = "duckdb==2.0.0";
/// Sorted runs: as many as one merge reads.
const RUNS: u64 = 64;
/// Of a hundred rows, those of a follower that another row is of, too.
const DUPLICATES: u64 = 5;
/// How many rows; a hundred million is what the bar is about.
const ROWS: &str = "FOLLOWLYTICS_BENCH_MERGE_ROWS";
const USUAL_ROWS: u64 = 10_000_000;
/// Memory limits of the peer, separated by commas; its best run counts. The smaller ones spill many times the runs'
/// size to the disk.
const LIMITS: &str = "FOLLOWLYTICS_BENCH_MERGE_LIMITS";
const USUAL_LIMITS: &str = "2GB,4GB,8GB,none";

/// What one merge came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Wall seconds, without starting the process.
    pub seconds: f64,
    /// Processor seconds.
    pub cpu: f64,
    /// Most memory at once, in bytes.
    pub rss: u64,
    /// Rows of the output.
    pub rows: u64,
    /// Bytes of the output.
    pub bytes: u64,
}

/// The bench.
pub fn section() -> Result<Section> {
    let rows = match std::env::var(ROWS) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{ROWS} is no number of rows"))?,
        Err(_) => USUAL_ROWS,
    };
    let mut section = Section {
        name: "merge",
        title: "Sorted runs to one result, beside DuckDB",
        head: vec!["ids", "program", "wall s", "CPU s", "peak MiB", "bytes a row", "rows out"],
        notes: vec![
            format!(
                "{rows} made-up rows in the product's schema (`{ROWS}` sets how many) in {RUNS} sorted Parquet runs, \
                 {DUPLICATES} in a hundred of a follower that another row is of; one row a follower with the greatest \
                 sighting, sorted by id, zstd Parquet out. Both have as many threads as there are cores."
            ),
            "This program reads the shards through its ledger and object store, checks the SHA-256 of every row group, \
             flushes every part to the disk and records it. DuckDB writes one file and does none of that."
                .to_owned(),
            "DuckDB's query is the quickest of three (`row_number`, `arg_max` of a struct, and joining away the few \
             rows that lose), found on a sixteenth of the runs."
                .to_owned(),
            format!("Memory limits tried for DuckDB: {USUAL_LIMITS}, or what `{LIMITS}` names."),
            "Compaction sorts what pages hold into runs while a scan goes on; it is given apart.".to_owned(),
        ],
        ..Section::default()
    };
    let python = python::with(DUCKDB)?;
    for ids in [Ids::Integer, Ids::Text] {
        measure(&mut section, &python, ids, rows)?;
    }
    let (compaction, seconds) = ours::compaction()?;
    section.notes.push(format!(
        "Pages to runs, one thread: {:.0} rows a second ({compaction} rows of pages of 1,000 rows in {seconds:.1} s).",
        compaction as f64 / seconds
    ));
    Ok(section)
}

fn measure(section: &mut Section, python: &Path, ids: Ids, rows: u64) -> Result<()> {
    let name = match ids {
        Ids::Integer => "integer",
        Ids::Text => "text",
    };
    let folder = tempfile::tempdir()?;
    ours::prepare(folder.path(), ids, rows)?;
    let our = ours::run(folder.path())?;
    section.rows.push(row(name, "followlytics", &our));
    std::fs::remove_dir_all(folder.path().join("objects/results"))?;
    let peer = peer::Peer {
        python,
        folder: folder.path(),
        keys: name,
    };
    let query = peer.quickest()?;
    let mut best: Option<Run> = None;
    let limits = std::env::var(LIMITS).unwrap_or_else(|_| USUAL_LIMITS.to_owned());
    for limit in limits.split(',') {
        let program = format!("DuckDB `{query}`, memory_limit {limit}");
        let run = match peer.run(query, limit, "*") {
            Ok(run) => run,
            Err(error) => {
                // Too little memory for it: the other limits count.
                section
                    .notes
                    .push(format!("{name}: {program} failed: {error:#}."));
                continue;
            }
        };
        ensure!(
            run.rows == our.rows,
            "{program}: {} rows, ours {}",
            run.rows,
            our.rows
        );
        section.rows.push(row(name, &program, &run));
        if best.as_ref().is_none_or(|best| run.seconds < best.seconds) {
            best = Some(run);
        }
    }
    let best = best.context("DuckDB never succeeded")?;
    let of = format!("{name} ids, {} million rows", rows / 1_000_000);
    let wall = format!("{of}: wall ÷ DuckDB's best");
    section
        .bars
        .push(Bar::at_most(wall, our.seconds / best.seconds, 1.0));
    let gib = our.rss as f64 / f64::from(1 << 30);
    section
        .bars
        .push(Bar::at_most(format!("{of}: peak memory, GiB"), gib, 2.0));
    Ok(())
}

fn row(ids: &str, program: &str, run: &Run) -> Vec<String> {
    vec![
        ids.to_owned(),
        program.to_owned(),
        format!("{:.1}", run.seconds),
        format!("{:.1}", run.cpu),
        (run.rss >> 20).to_string(),
        format!("{:.1}", run.bytes as f64 / run.rows.max(1) as f64),
        run.rows.to_string(),
    ]
}
