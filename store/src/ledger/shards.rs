//! Sorted runs and their objects, the shards: what the pages of a scan become on their way into its result.
//!
//! A run's row is its visibility point: its objects are durable before it. Every write names the job and its epoch,
//! and is alone in the scan. A run of pages goes on where the one before it in its range ended, so each page is in
//! one run however often and by however many workers the sorting is tried; committed pages never change, so neither
//! does what was sorted. A run that is merged from others is *open* while its objects are added one by one: each is
//! kept whoever goes on with it.

mod open;
mod rows;

use followlytics_core::{layout, scan::range::RangeId};
use jiff::Timestamp;

use super::{
    Job, JobKind, Ledger, LedgerError, erasures,
    jobs::{self, RUN_PAGES},
};
use crate::{db::Tx, params};

/// Pages of one range, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The range.
    pub range: RangeId,
    /// The first page's number.
    pub first: u32,
    /// The last page's number.
    pub last: u32,
}

/// An object of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The stretch of ids it lies in.
    pub lane: u32,
    /// Its number there.
    pub piece: u32,
    /// Whether it is the last one there.
    pub is_last: bool,
    /// Its key.
    pub key: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its tail, which vouches for all of it.
    pub tail_sha256: String,
    /// Length of its tail.
    pub tail_bytes: u64,
    /// Its rows.
    pub rows: i64,
    /// Followers that a row cap left out on the way to it.
    pub trimmed: i64,
    /// Its first id.
    pub min_id: String,
    /// Its last id.
    pub max_id: String,
}

/// A run of pages that was sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// The pages.
    pub span: Span,
    /// Their lines.
    pub lines: i64,
    /// Those that are no rows.
    pub unread: i64,
    /// Its objects.
    pub shards: Vec<Shard>,
}

/// A run that a merge reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number within the scan.
    pub number: i64,
    /// 0 of pages, more of runs.
    pub level: i64,
    /// Of pages: which.
    pub span: Option<Span>,
    /// Lines of its pages.
    pub lines: i64,
    /// Those that are no rows.
    pub unread: i64,
    /// Its followers.
    pub rows: i64,
    /// Its objects, in order of ids. None where it has no rows, or where they have to be made again.
    pub shards: Vec<Shard>,
}

/// A run that is being merged from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Its number within the scan.
    pub number: i64,
    /// Of what and how it is merged: JSON of whoever began it.
    pub plan: String,
    /// The objects that are done, in order of ids.
    pub shards: Vec<Shard>,
    /// Whether another job goes on with it now.
    pub is_busy: bool,
}

/// Pages of a range that no run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagesOfRange {
    /// The range.
    pub range: RangeId,
    /// The first of them.
    pub from: u32,
    /// Behind the last of them.
    pub to: u32,
}

impl Ledger {
    /// Pages that no run holds: of one range, or of all.
    pub async fn unsorted_pages(
        &self,
        scan: &str,
        range: Option<RangeId>,
    ) -> Result<Vec<PagesOfRange>, LedgerError> {
        let mut tx = self.db.read().await?;
        rows::unsorted(&mut tx, scan, range).await
    }

    /// Makes a run of pages visible and answers its number. It has to begin where its range's runs end; `None` where
    /// it does not, because somebody else has sorted these pages.
    pub async fn add_run(&self, job: &Job, run: &NewRun) -> Result<Option<i64>, LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        check(&mut tx, job).await?;
        let span = run.span;
        if rows::sorted_to(&mut tx, &job.scan, span.range).await? != span.first {
            return Ok(None);
        }
        let (count, lines) = rows::pages(&mut tx, &job.scan, span).await?;
        if count != i64::from(span.last) - i64::from(span.first) + 1 || lines != run.lines {
            return Err(LedgerError::invalid(format!(
                "pages {} to {} of range {}: {} lines were sorted, the ledger has {count} pages of {lines} lines",
                span.first, span.last, span.range, run.lines
            )));
        }
        let number = rows::next(&mut tx, &job.scan).await?;
        tx.execute(
            "INSERT INTO runs (scan, run, level, state, range_id, first_seq, last_seq, lines, unread, line_rows, \
               owner, owner_epoch) VALUES ($1, $2, 0, 'Live', $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                &job.scan,
                number,
                span.range,
                span.first,
                span.last,
                run.lines,
                run.unread,
                run.shards.iter().map(|shard| shard.rows).sum::<i64>(),
                &job.id,
                jobs::epoch(job)?,
            ],
        )
        .await?;
        for shard in &run.shards {
            rows::put(&mut tx, &job.scan, number, shard).await?;
        }
        tx.commit().await?;
        Ok(Some(number))
    }

    /// The runs that are merged into nothing yet, in order of their numbers.
    pub async fn list_runs(&self, scan: &str) -> Result<Vec<Run>, LedgerError> {
        let mut tx = self.db.read().await?;
        rows::live(&mut tx, scan).await
    }

    /// Puts new objects in the place of those of a run of pages, which are damaged; a run of runs is given up, and
    /// the runs it was merged of are live again.
    pub async fn replace_shards(&self, job: &Job, run: &Run, shards: &[Shard]) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        let now = self.now_in(&tx);
        check(&mut tx, job).await?;
        rows::erase(&mut tx, &job.scan, run.number, now).await?;
        if run.span.is_some() {
            for shard in shards {
                rows::put(&mut tx, &job.scan, run.number, shard).await?;
            }
        } else {
            let sql =
                "UPDATE runs SET state = 'Live', merged_into = NULL WHERE scan = $1 AND merged_into = $2";
            tx.execute(sql, params![&job.scan, run.number]).await?;
            let sql = "DELETE FROM runs WHERE scan = $1 AND run = $2";
            tx.execute(sql, params![&job.scan, run.number]).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends a job that sorts pages. While a run's worth of its range's pages is left it is queued again instead.
    pub async fn finish_compact(&self, job: &Job) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        if !jobs::finish(&mut tx, job).await? {
            return Err(LedgerError::Fenced);
        }
        let left = rows::unsorted(&mut tx, &job.scan, job.range).await?;
        if left.iter().any(|pages| pages.to - pages.from >= RUN_PAGES) {
            let sql = "UPDATE jobs SET state = 'Queued' WHERE id = $1";
            tx.execute(sql, params![&job.id]).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// The job has to be this holder's.
async fn check(tx: &mut Tx, job: &Job) -> Result<(), LedgerError> {
    if jobs::is_held(tx, job).await? {
        return Ok(());
    }
    Err(LedgerError::Fenced)
}

/// Once a result is there: its runs, their objects, and the jobs that made them are over.
pub(super) async fn forget(tx: &mut Tx, scan: &str, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM shards WHERE scan = $1", params![scan])
        .await?;
    tx.execute("DELETE FROM runs WHERE scan = $1", params![scan])
        .await?;
    let sql =
        "UPDATE jobs SET state = 'Done', holder = NULL, lease_until = NULL WHERE scan = $1 AND kind = $2";
    tx.execute(sql, params![scan, <&str>::from(JobKind::Compact)])
        .await?;
    erasures::ask(tx, &layout::shards_of_scan(scan), now).await
}

#[cfg(test)]
mod tests;
