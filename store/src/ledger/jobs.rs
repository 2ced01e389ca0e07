//! Jobs: background work on a scan, done by one worker at a time.
//!
//! A job is leased like a range: each claim raises its epoch, and every later write names the epoch in the
//! statement that changes the row, so that a worker that froze and woke again changes nothing. Knows no kind's
//! work; what a job reads and publishes is in [`super::results`].

use followlytics_core::scan::{
    range::{Range, RangeId, State},
    summary::{Hold, Stage},
};
use jiff::{SignedDuration, Timestamp};
use strum::{Display, EnumString, IntoStaticStr};

use super::{Ledger, LedgerError, ScanRow, ranges, scans};
use crate::{
    db::{Row, Scope, Tx},
    params,
};

/// How long a worker keeps a job without extending it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// First delay after a failure; it doubles from try to try.
const DELAY: SignedDuration = SignedDuration::from_secs(1);
/// Longest delay: a full disk that was emptied is noticed within it.
const LONGEST: SignedDuration = SignedDuration::from_secs(300);
/// Holders in a row that may die over a job before it is given up: it may well be what kills them.
const MOST_LOST: u32 = 10;
/// After so many pages of a range they are sorted.
pub(super) const RUN_PAGES: u32 = 256;
/// The published reason of a scan that waits for, or was ended by, its objects.
const STORAGE_UNAVAILABLE: &str = "StorageUnavailable";

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
pub enum JobKind {
    /// Makes the result of a scan from its pages, or from the runs that they were sorted into.
    Merge,
    /// Sorts the pages of one range into runs, while the scan goes on.
    Compact,
}

/// A worker's right to one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// Uid of the scan.
    pub scan: String,
    /// The range whose pages it sorts.
    pub range: Option<RangeId>,
    /// The worker that holds it.
    pub holder: String,
    /// Grows with every claim; an older one changes nothing.
    pub epoch: u64,
    /// Failed tries in a row before this one.
    pub attempts: u32,
    pub(super) lost: u32,
}

/// Whether a failed job is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After a delay that doubles from 1 s to 5 minutes, until it succeeds.
    Later,
    /// Never: the scan ends without a result.
    Never,
}

/// Puts the merge of a scan on the list. Idempotent: a scan has one merge, whatever became of it.
pub(crate) async fn enqueue_merge(tx: &mut Tx, scan: &str, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO jobs (id, kind, scan, state, not_before, created_at) VALUES ($1, $2, $3, 'Queued', $4, $4) \
         ON CONFLICT (id) DO NOTHING",
        params![format!("merge-{scan}"), <&str>::from(JobKind::Merge), scan, now],
    )
    .await?;
    Ok(())
}

/// Puts the sorting of a range on the list, once it has so many pages more or is at its end. Hardly any commit writes
/// anything for it; what is not sorted when the scan ends, its merge sorts.
pub(super) async fn after_page(
    tx: &mut Tx,
    scan: &ScanRow,
    range: &Range,
    seq: u32,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let due = seq % RUN_PAGES == RUN_PAGES - 1 || range.state == State::Done;
    if !due || scan.stage != Stage::Scanning {
        return Ok(());
    }
    let uid = &scan.request.uid;
    // A job that is queued or under way finds the pages by itself.
    tx.execute(
        "INSERT INTO jobs (id, kind, scan, range_id, state, not_before, created_at) \
         VALUES ($1, $2, $3, $4, 'Queued', $5, $5) \
         ON CONFLICT (id) DO UPDATE SET state = 'Queued', not_before = $5, attempts = 0, lost = 0 \
         WHERE jobs.state = 'Done'",
        params![
            format!("compact-{uid}-{:06}", range.id),
            <&str>::from(JobKind::Compact),
            uid,
            range.id,
            now
        ],
    )
    .await?;
    Ok(())
}

impl Ledger {
    /// Gives the worker the job that has waited longest, for 30 seconds; `None` when nothing is due.
    ///
    /// A job whose lease ran out counts as waiting: its holder died, or is told so by its next write.
    pub async fn claim_job(&self, worker: &str) -> Result<Option<Job>, LedgerError> {
        if !self.is_job_due(worker).await? {
            return Ok(None);
        }
        let mut tx = self.db.begin().await?;
        let now = self.now_in(&tx);
        while let Some(job) = find_due(&mut tx, worker, now).await? {
            if job.lost > MOST_LOST {
                let error = format!(
                    "{} workers in a row died over it, most likely for want of memory: give the worker more of it \
                     and scan again",
                    MOST_LOST + 1
                );
                // In the name of the last of them: nobody holds the epoch that this claim would have given.
                let last = Job {
                    epoch: job.epoch - 1,
                    ..job
                };
                fail(&mut tx, &last, &error, Retry::Never, now).await?;
                continue;
            }
            let taken = tx
                .execute(
                    "UPDATE jobs SET state = 'Running', holder = $3, epoch = $4, lease_until = $5, lost = $6 \
                     WHERE id = $1 AND epoch = $2",
                    params![
                        &job.id,
                        epoch(&job)? - 1,
                        worker,
                        epoch(&job)?,
                        until(now),
                        job.lost
                    ],
                )
                .await?;
            if taken == 1 {
                tx.commit().await?;
                return Ok(Some(job));
            }
        }
        tx.commit().await?;
        Ok(None)
    }

    /// Frees what a worker of this name held: one that starts holds nothing, so its namesake is dead.
    pub async fn abandon_jobs(&self, worker: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let sql =
            "UPDATE jobs SET lease_until = $2 WHERE holder = $1 AND state = 'Running' AND lease_until > $2";
        tx.execute(sql, params![worker, now]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Workers ask often: without a job for them the ledger is not locked.
    async fn is_job_due(&self, worker: &str) -> Result<bool, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        Ok(find_due(&mut tx, worker, now).await?.is_some())
    }

    /// Keeps the job for another 30 seconds; `false` when it belongs to somebody else by now.
    pub async fn extend_job(&self, job: &Job) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let sql = "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND epoch = $2 AND state = 'Running'";
        let changed = tx.execute(sql, params![&job.id, epoch(job)?, until(now)]).await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Gives the job back undone, for a worker that stops; `false` when it belongs to somebody else by now.
    pub async fn release_job(&self, job: &Job) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let sql = "UPDATE jobs SET state = 'Queued', holder = NULL, lease_until = NULL, lost = 0 \
                   WHERE id = $1 AND epoch = $2 AND state = 'Running'";
        let changed = tx.execute(sql, params![&job.id, epoch(job)?]).await?;
        tx.commit().await?;
        self.notify();
        Ok(changed == 1)
    }

    /// Makes failed jobs due now, and removes the holds that say when they would have been: what they waited for is
    /// available again.
    pub async fn retry_jobs(&self) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        let now = self.now_in(&tx);
        let sql =
            "UPDATE jobs SET not_before = $1 WHERE state = 'Queued' AND attempts > 0 AND not_before > $1";
        let due = tx.execute(sql, params![now]).await?;
        if due == 0 {
            return Ok(());
        }
        // While a scan merges, nothing else holds it.
        let sql = "UPDATE scans SET hold = NULL WHERE stage = $1 AND hold IS NOT NULL";
        tx.execute(sql, params![<&str>::from(Stage::Merging)]).await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    /// Says that the job failed, and why, in a sentence with the remedy; the scan shows it. `false`, and
    /// nothing changed, when the job belongs to somebody else by now.
    pub async fn fail_job(&self, job: &Job, error: &str, retry: Retry) -> Result<bool, LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        let now = self.now_in(&tx);
        let changed = fail(&mut tx, job, error, retry, now).await?;
        tx.commit().await?;
        self.notify();
        Ok(changed)
    }
}

/// Whether the job is still this holder's.
pub(super) async fn is_held(tx: &mut Tx, job: &Job) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'Running'";
    Ok(tx.find(sql, params![&job.id, epoch(job)?]).await?.is_some())
}

/// Marks the job done; `false`, and nothing changed, when it belongs to somebody else by now. Saying so again
/// under the same epoch is fine: the first answer may have been lost.
pub(super) async fn finish(tx: &mut Tx, job: &Job) -> Result<bool, LedgerError> {
    let sql = "UPDATE jobs SET state = 'Done', holder = NULL, lease_until = NULL, error = NULL \
               WHERE id = $1 AND epoch = $2 AND state IN ('Running', 'Done')";
    Ok(tx.execute(sql, params![&job.id, epoch(job)?]).await? == 1)
}

/// The job that has waited longest, as it would be under this worker. An instant later than any that is written was
/// written by a clock that was set back since.
async fn find_due(tx: &mut Tx, worker: &str, now: Timestamp) -> Result<Option<Job>, LedgerError> {
    let sql = "SELECT id, kind, scan, epoch, attempts, lost, state, range_id FROM jobs \
               WHERE (state = 'Queued' AND (not_before <= $1 OR not_before > $2)) \
                 OR (state = 'Running' AND (lease_until <= $1 OR lease_until > $3)) \
               ORDER BY not_before, created_at, id LIMIT 1";
    let latest = |longest: SignedDuration| now.saturating_add(longest.saturating_mul(2)).unwrap_or(now);
    let row = tx.find(sql, params![now, latest(LONGEST), latest(LEASE)]).await?;
    row.map(|row| read(&row, worker)).transpose()
}

fn read(row: &Row, worker: &str) -> Result<Job, LedgerError> {
    let abandoned = row.get::<String>(6)? == "Running";
    Ok(Job {
        id: row.get(0)?,
        kind: ranges::parse("jobs.kind", &row.get::<String>(1)?)?,
        scan: row.get(2)?,
        range: row.get(7)?,
        holder: worker.to_owned(),
        epoch: row.get::<u64>(3)? + 1,
        attempts: row.get(4)?,
        lost: row.get::<u32>(5)? + u32::from(abandoned),
    })
}

async fn fail(
    tx: &mut Tx,
    job: &Job,
    error: &str,
    retry: Retry,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let not_before = now.saturating_add(delay(job.attempts)).unwrap_or(now);
    let state = match retry {
        Retry::Later => "Queued",
        Retry::Never => "Failed",
    };
    let changed = tx
        .execute(
            "UPDATE jobs SET state = $3, holder = NULL, lease_until = NULL, not_before = $4, attempts = $5, lost = 0, \
               error = $6 WHERE id = $1 AND epoch = $2 AND state = 'Running'",
            params![&job.id, epoch(job)?, state, not_before, job.attempts.saturating_add(1), error],
        )
        .await?;
    // Sorting comes again with the next pages, or with the merge: the scan need not show that it failed.
    if changed == 1 && job.kind == JobKind::Merge {
        show(tx, job, error, retry, not_before, now).await?;
    }
    Ok(changed == 1)
}

/// Lets the scan say what its job waits for, or that it ended without a result.
async fn show(
    tx: &mut Tx,
    job: &Job,
    error: &str,
    retry: Retry,
    not_before: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let until = match retry {
        Retry::Later => Some(not_before),
        Retry::Never => None,
    };
    let hold = scans::json(&Hold {
        reason: STORAGE_UNAVAILABLE.to_owned(),
        message: error.to_owned(),
        until,
    })?;
    match retry {
        Retry::Later => {
            let sql = "UPDATE scans SET hold = $2 WHERE uid = $1 AND stage = $3";
            tx.execute(sql, params![&job.scan, hold, <&str>::from(Stage::Merging)])
                .await?;
        }
        Retry::Never => {
            let sql = "UPDATE scans SET stage = $3, failure = $2, hold = NULL, ended_at = $5 WHERE uid = $1 AND stage = $4";
            let (ended, merging) = (<&str>::from(Stage::Ended), <&str>::from(Stage::Merging));
            tx.execute(sql, params![&job.scan, hold, ended, merging, now])
                .await?;
        }
    }
    Ok(())
}

/// The delay after so many failures before this one.
fn delay(attempts: u32) -> SignedDuration {
    DELAY.saturating_mul(1 << attempts.min(16)).min(LONGEST)
}

fn until(now: Timestamp) -> Timestamp {
    now.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}

pub(super) fn epoch(job: &Job) -> Result<i64, LedgerError> {
    i64::try_from(job.epoch).map_err(|error| LedgerError::stored("jobs.epoch", error))
}

#[cfg(test)]
pub(super) mod tests;
