//! This program's merge, with a ledger and objects on the disk, in a process of its own.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};
use followlytics_core::{
    account::AccountRef,
    layout,
    page::{self, Header},
    platform::Ids,
    row::Line,
    scan::{plan::AccountReport, range::Place},
};
use followlytics_platforms::clock::{Clock as _, SystemClock};
use followlytics_store::{
    db::Db,
    ledger::{Ledger, ScanRequest},
    objects::Objects,
    params,
};
use followlytics_worker::{Settings, run_one_with, synthetic::Synthetic};
use jiff::Timestamp;

use super::{DUPLICATES, RUNS, Run};
use crate::{bench::chain, toolkit::Process};

/// Uid of the scan.
const SCAN: &str = "bench";
/// Rows of a row group of a run, as the worker writes them.
const GROUP_ROWS: usize = 16 * 1024;
/// Pages that are sorted, of a thousand rows.
const PAGES: u32 = 1024;

/// Writes the runs and the rows that name them.
pub(super) fn prepare(folder: &Path, ids: Ids, rows: u64) -> Result<()> {
    let runtime = runtime()?;
    let (ledger, db) = ledger(folder)?;
    runtime.block_on(scan(&ledger, &db, ids))?;
    let made = Synthetic {
        rows,
        runs: RUNS,
        duplicates: DUPLICATES,
        ids,
    };
    std::fs::create_dir_all(folder.join("objects/shards").join(SCAN))?;
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= RUNS {
                        return;
                    }
                    if let Err(error) = write(folder, &db, &made, number) {
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .map_or(Ok(()), Err)
}

/// One run: its objects, then its rows.
fn write(folder: &Path, db: &Db, made: &Synthetic, number: u64) -> Result<()> {
    let mut rows = 0;
    let mut shards = Vec::new();
    let pieces = made.run(number, GROUP_ROWS)?;
    let last = pieces.len().saturating_sub(1);
    for (piece, index) in pieces.into_iter().zip(0..) {
        let key = format!("shards/{SCAN}/{number:03}-{index:02}.parquet");
        std::fs::write(folder.join("objects").join(&key), &piece.bytes)?;
        rows += piece.rows;
        shards.push((key, piece, index));
    }
    let run = i64::try_from(number + 1)?;
    runtime()?.block_on(async {
        let mut tx = db.begin().await?;
        tx.execute(
            "INSERT INTO runs (scan, run, level, state, range_id, first_seq, last_seq, lines, unread, line_rows, owner, \
               owner_epoch) VALUES ($1, $2, 0, 'Live', 1, $2, $2, $3, 0, $3, '', 0)",
            params![SCAN, run, i64::try_from(rows)?],
        )
        .await?;
        for (key, piece, index) in shards {
            tx.execute(
                "INSERT INTO shards (scan, run, lane, piece, is_last, key, sha256, bytes, tail_sha256, tail_bytes, \
                   line_rows, trimmed, min_id, max_id) \
                 VALUES ($1, $2, 0, $3, $4, $5, '', $6, $7, $8, $9, 0, $10, $11)",
                params![
                    SCAN,
                    run,
                    i64::try_from(index)?,
                    index == last,
                    key,
                    i64::try_from(piece.bytes.len())?,
                    piece.tail.sha256,
                    i64::try_from(piece.tail.bytes)?,
                    i64::try_from(piece.rows)?,
                    piece.first,
                    piece.last
                ],
            )
            .await?;
        }
        Ok(tx.commit().await?)
    })
}

/// Merges in a process of its own.
pub(super) fn run(folder: &Path) -> Result<Run> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--merge-child")
        .arg(folder)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("the child's answer is no JSON")
}

/// What the process does: one job, and says what it took.
pub fn child(folder: &Path) -> Result<()> {
    let runtime = runtime()?;
    let (ledger, _) = ledger(folder)?;
    let objects = Objects::files(&folder.join("objects"))?;
    let settings = Settings::of_machine();
    let began = SystemClock.now();
    ensure!(
        runtime.block_on(run_one_with(&ledger, &objects, "bench", &settings))?,
        "no job"
    );
    let seconds = SystemClock.now().duration_since(began).as_secs_f64();
    let summary = runtime.block_on(ledger.summary(SCAN))?.context("no scan")?;
    let result = summary
        .result
        .with_context(|| format!("no result: {:?} {:?}", summary.failure, summary.hold))?;
    let bytes = result
        .parts
        .iter()
        .map(|part| std::fs::metadata(folder.join("objects").join(part)));
    let (cpu, rss) = used()?;
    let run = Run {
        seconds,
        cpu,
        rss,
        rows: u64::try_from(result.rows)?,
        bytes: bytes.map(|part| Ok(part?.len())).sum::<Result<u64>>()?,
    };
    println!("{}", serde_json::to_string(&run)?);
    Ok(())
}

/// Processor seconds of this process, and the most memory it had, in bytes.
fn used() -> Result<(f64, u64)> {
    let own = Process::of(i32::try_from(std::process::id())?).context("/proc does not show this process")?;
    let kib = own.peak_kib().context("no VmHWM")?;
    Ok((own.cpu, u64::from(kib) * 1024))
}

/// Sorts pages into runs, and says how many rows there were and how long it took.
pub(super) fn compaction() -> Result<(u64, f64)> {
    let folder = tempfile::tempdir()?;
    let runtime = runtime()?;
    let (ledger, db) = ledger(folder.path())?;
    let objects = Objects::files(&folder.path().join("objects"))?;
    let made = Synthetic {
        rows: u64::from(PAGES) * 1000,
        runs: 1,
        duplicates: DUPLICATES,
        ids: Ids::Integer,
    };
    runtime.block_on(async {
        scan(&ledger, &db, Ids::Integer).await?;
        for seq in 0..PAGES {
            commit(&db, &objects, &made, seq).await?;
        }
        let mut tx = db.begin().await?;
        let sql = "UPDATE jobs SET kind = 'Compact', range_id = 1 WHERE scan = $1";
        tx.execute(sql, params![SCAN]).await?;
        tx.commit().await?;
        let began = SystemClock.now();
        ensure!(
            run_one_with(&ledger, &objects, "bench", &Settings::default()).await?,
            "no job"
        );
        let seconds = SystemClock.now().duration_since(began).as_secs_f64();
        let runs = ledger.list_runs(SCAN).await?;
        let lines: i64 = runs.iter().map(|run| run.lines).sum();
        ensure!(
            u64::try_from(lines)? == made.rows,
            "{lines} lines of {} were sorted",
            made.rows
        );
        Ok((made.rows, seconds))
    })
}

async fn commit(db: &Db, objects: &Objects, made: &Synthetic, seq: u32) -> Result<()> {
    let seen_at = Timestamp::from_second(1_790_000_000 + i64::from(seq))?;
    let header = Header {
        format: Header::FORMAT,
        scan: SCAN.into(),
        platform: followlytics_core::account::Platform::X,
        account_id: "783214".into(),
        range: 1,
        epoch: 1,
        seq,
        input: Place::at(i64::from(seq)),
        output: Place::at(i64::from(seq) + 1),
        exhausted: false,
        permit: format!("permit-{seq}"),
        seen_at,
        price_version: 0,
        source: followlytics_core::scan::source::Source::Api,
        returned: 1000,
        total: None,
        anomalies: Vec::new(),
    };
    let first = u64::from(seq) * 1000;
    let lines: Vec<Line> = (first..first + 1000)
        .map(|line| Line::Row(made.row(line)))
        .collect();
    let object = page::encode(&header, &lines)?;
    let hash = page::sha256(&object);
    let key = layout::page(SCAN, 1, 1, seq, &hash);
    let bytes = i64::try_from(object.len())?;
    objects.create(&key, object).await?;
    let mut tx = db.begin().await?;
    tx.execute(
        "INSERT INTO pages (scan, range_id, seq, epoch, key, sha256, lines, bytes, input_position, output_position, \
           exhausted, permit, price, seen_at, committed_at) \
         VALUES ($1, 1, $2, 1, $3, $4, 1000, $5, $2, $2 + 1, 0, $6, 0, $7, 0)",
        params![SCAN, seq, key, hash, bytes, header.permit, seen_at],
    )
    .await?;
    Ok(tx.commit().await?)
}

/// A scan that has read everything, and whose merge is due.
async fn scan(ledger: &Ledger, db: &Db, ids: Ids) -> Result<()> {
    let account: AccountRef = match ids {
        Ids::Integer => "x:bench".parse()?,
        Ids::Text => "bluesky:bench.bsky.social".parse()?,
    };
    let report = AccountReport {
        id: "783214".into(),
        handle: account.handle.clone(),
        followers: 0,
        created: None,
    };
    let request = ScanRequest {
        uid: SCAN.into(),
        name: SCAN.into(),
        account,
        ..chain::scan(0)?
    };
    ledger.ensure_scan(&request).await?;
    let mut tx = db.begin().await?;
    let sql = "UPDATE scans SET stage = 'Merging', report = $2 WHERE uid = $1";
    tx.execute(sql, params![SCAN, serde_json::to_string(&report)?])
        .await?;
    tx.execute("UPDATE ranges SET state = 'Done' WHERE scan = $1", params![SCAN])
        .await?;
    tx.execute(
        "INSERT INTO jobs (id, kind, scan, state, not_before, created_at) VALUES ('merge', 'Merge', $1, 'Queued', 0, 0)",
        params![SCAN],
    )
    .await?;
    Ok(tx.commit().await?)
}

fn ledger(folder: &Path) -> Result<(Ledger, Db)> {
    let db = Db::open(&folder.join("ledger.db"))?;
    let ids = Arc::new(|| "bench".to_owned());
    Ok((Ledger::new(db.clone(), Arc::new(|| SystemClock.now()), ids), db))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
