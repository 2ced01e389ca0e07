//! Runs and shards as rows.

use followlytics_core::scan::range::RangeId;
use jiff::Timestamp;

use super::{PagesOfRange, Run, Shard, Span};
use crate::{
    db::{Row, Tx},
    ledger::{LedgerError, erasures},
    params,
};

/// The number of a scan's next run.
pub(super) async fn next(tx: &mut Tx, scan: &str) -> Result<i64, LedgerError> {
    let sql = "SELECT COALESCE(MAX(run), 0) + 1 FROM runs WHERE scan = $1";
    let row = tx.find(sql, params![scan]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(1))
}

/// The first page of a range that no run holds.
pub(super) async fn sorted_to(tx: &mut Tx, scan: &str, range: RangeId) -> Result<u32, LedgerError> {
    let sql =
        "SELECT COALESCE(MAX(last_seq) + 1, 0) FROM runs WHERE scan = $1 AND range_id = $2 AND level = 0";
    let row = tx.find(sql, params![scan, range]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

/// Committed pages of a span, and their lines.
pub(super) async fn pages(tx: &mut Tx, scan: &str, of: Span) -> Result<(i64, i64), LedgerError> {
    let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(lines), 0) AS BIGINT) FROM pages \
               WHERE scan = $1 AND range_id = $2 AND seq >= $3 AND seq <= $4";
    let row = tx.find(sql, params![scan, of.range, of.first, of.last]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Pages that no run holds.
pub(super) async fn unsorted(
    tx: &mut Tx,
    scan: &str,
    range: Option<RangeId>,
) -> Result<Vec<PagesOfRange>, LedgerError> {
    let rows = if let Some(range) = range {
        let sql =
            "SELECT range_id, MAX(seq) + 1 FROM pages WHERE scan = $1 AND range_id = $2 GROUP BY range_id";
        tx.query(sql, params![scan, range]).await?
    } else {
        let sql =
            "SELECT range_id, MAX(seq) + 1 FROM pages WHERE scan = $1 GROUP BY range_id ORDER BY range_id";
        tx.query(sql, params![scan]).await?
    };
    let mut left = Vec::new();
    for row in rows {
        let (range, to) = (row.get(0)?, row.get(1)?);
        let from = sorted_to(tx, scan, range).await?;
        if from < to {
            left.push(PagesOfRange { range, from, to });
        }
    }
    Ok(left)
}

/// The runs that a merge of the scan reads.
pub(super) async fn live(tx: &mut Tx, scan: &str) -> Result<Vec<Run>, LedgerError> {
    let sql = "SELECT run, level, range_id, first_seq, last_seq, lines, unread, line_rows FROM runs \
               WHERE scan = $1 AND state = 'Live' ORDER BY run";
    let rows = tx.query(sql, params![scan]).await?;
    let mut runs: Vec<Run> = rows.iter().map(read_run).collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT {COLUMNS}, run FROM shards WHERE scan = $1 AND run IN \
           (SELECT run FROM runs WHERE scan = $1 AND state = 'Live') ORDER BY run, lane, piece"
    );
    for row in tx.query(&sql, params![scan]).await? {
        let (number, shard): (i64, Shard) = (row.get(12)?, read(&row)?);
        if let Some(run) = runs.iter_mut().find(|run| run.number == number) {
            run.shards.push(shard);
        }
    }
    Ok(runs)
}

fn read_run(row: &Row) -> Result<Run, LedgerError> {
    let range: Option<RangeId> = row.get(2)?;
    let span = match range {
        Some(range) => Some(Span {
            range,
            first: row.get(3)?,
            last: row.get(4)?,
        }),
        None => None,
    };
    Ok(Run {
        number: row.get(0)?,
        level: row.get(1)?,
        span,
        lines: row.get(5)?,
        unread: row.get(6)?,
        rows: row.get(7)?,
        shards: Vec::new(),
    })
}

const COLUMNS: &str =
    "lane, piece, is_last, key, sha256, bytes, tail_sha256, tail_bytes, line_rows, trimmed, min_id, max_id";

/// The objects of one run, in order of ids.
pub(super) async fn of_run(tx: &mut Tx, scan: &str, run: i64) -> Result<Vec<Shard>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM shards WHERE scan = $1 AND run = $2 ORDER BY lane, piece");
    tx.query(&sql, params![scan, run])
        .await?
        .iter()
        .map(read)
        .collect()
}

fn read(row: &Row) -> Result<Shard, LedgerError> {
    Ok(Shard {
        lane: row.get(0)?,
        piece: row.get(1)?,
        is_last: row.get(2)?,
        key: row.get(3)?,
        sha256: row.get(4)?,
        bytes: row.get(5)?,
        tail_sha256: row.get(6)?,
        tail_bytes: row.get(7)?,
        rows: row.get(8)?,
        trimmed: row.get(9)?,
        min_id: row.get(10)?,
        max_id: row.get(11)?,
    })
}

/// Writes an object's row. One that is there already stays: whoever repeats the work has made the same rows.
pub(super) async fn put(tx: &mut Tx, scan: &str, run: i64, shard: &Shard) -> Result<(), LedgerError> {
    let length = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO shards (scan, run, lane, piece, is_last, key, sha256, bytes, tail_sha256, tail_bytes, line_rows, \
           trimmed, min_id, max_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (scan, run, lane, piece) DO NOTHING",
        params![
            scan,
            run,
            shard.lane,
            shard.piece,
            shard.is_last,
            &shard.key,
            &shard.sha256,
            length(shard.bytes),
            &shard.tail_sha256,
            length(shard.tail_bytes),
            shard.rows,
            shard.trimmed,
            &shard.min_id,
            &shard.max_id,
        ],
    )
    .await?;
    Ok(())
}

/// Deletes the rows of a run's objects, and names the objects to be deleted after them.
pub(super) async fn erase(tx: &mut Tx, scan: &str, run: i64, now: Timestamp) -> Result<(), LedgerError> {
    let sql = "DELETE FROM shards WHERE scan = $1 AND run = $2 RETURNING key";
    for row in tx.query(sql, params![scan, run]).await? {
        erasures::ask(tx, &row.get::<String>(0)?, now).await?;
    }
    Ok(())
}
