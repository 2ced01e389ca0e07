//! The loop: claim a job, do it, say how it went.

use std::{future::Future, pin::pin, time::Duration};

use followlytics_store::{
    ledger::{Job, JobKind, Ledger, LedgerError},
    objects::Objects,
};
use jiff::SignedDuration;

use tokio::time::Instant;

use crate::{Settings, WorkerError, compact, erase, merge, sweep, work::Work};

/// How often a job is looked for. Changes made by other processes are not announced here.
const POLL: Duration = Duration::from_millis(200);
/// How long a worker waits after the ledger failed it.
const PAUSE: Duration = Duration::from_secs(1);
/// How often some worker looks for objects that no row names.
const SWEEP: SignedDuration = SignedDuration::from_hours(1);
/// How often a worker asks whether that is due.
const ASK: Duration = Duration::from_mins(10);

/// Does jobs under this name until `stop` is ready; a job under way is then given back for the next worker. Of one name
/// there is one worker at a time: it takes up at once what a dead one of its name had begun.
pub async fn run(ledger: &Ledger, objects: &Objects, worker: &str, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let settings = Settings::of_machine();
    let mut asked = None;
    let mut changes = ledger.changes();
    if let Err(error) = ledger.abandon_jobs(worker).await {
        tracing::warn!(%error, "failed to free the jobs of an earlier worker: their leases run out");
    }
    loop {
        let claimed = ledger.claim_job(worker).await.map_err(WorkerError::from);
        let pause = match claimed {
            Ok(None) => {
                let idle = tokio::select! {
                    biased;
                    () = &mut stop => return,
                    idle = tidy(ledger, objects, &mut asked) => idle,
                };
                match idle {
                    Ok(()) => POLL,
                    Err(error) => complain(&error),
                }
            }
            Ok(Some(job)) => {
                let done = tokio::select! {
                    biased;
                    () = &mut stop => {
                        // Nothing is lost if this fails: the lease runs out.
                        let _ = ledger.release_job(&job).await;
                        return;
                    }
                    done = work(ledger, objects, &job, &settings) => done,
                };
                match done {
                    Ok(()) => continue,
                    Err(error) => complain(&error),
                }
            }
            Err(error) => complain(&error),
        };
        tokio::select! {
            biased;
            () = &mut stop => return,
            _ = changes.changed(), if pause == POLL => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What is done while there is no job.
async fn tidy(ledger: &Ledger, objects: &Objects, asked: &mut Option<Instant>) -> Result<(), WorkerError> {
    erase(ledger, objects).await?;
    if asked.is_some_and(|asked| asked.elapsed() < ASK) {
        return Ok(());
    }
    *asked = Some(Instant::now());
    // The lock is left to run out: one sweep an hour, whoever makes it.
    if ledger.try_lock("sweep", SWEEP).await?.is_some() {
        let deleted = sweep(ledger, objects).await?;
        tracing::info!(deleted, "swept objects that no row names");
    }
    Ok(())
}

fn complain(error: &WorkerError) -> Duration {
    tracing::error!(error = error.chain(), "failed to reach the ledger");
    PAUSE
}

/// Does one job, if one is due; returns whether there was one. A job that fails says so in the ledger; an error
/// is returned only where the ledger itself fails.
pub async fn run_one(ledger: &Ledger, objects: &Objects, worker: &str) -> Result<bool, WorkerError> {
    run_one_with(ledger, objects, worker, &Settings::default()).await
}

/// Does one job, if one is due, with these settings.
pub async fn run_one_with(
    ledger: &Ledger,
    objects: &Objects,
    worker: &str,
    settings: &Settings,
) -> Result<bool, WorkerError> {
    let Some(job) = ledger.claim_job(worker).await? else {
        return Ok(false);
    };
    work(ledger, objects, &job, settings).await?;
    Ok(true)
}

async fn work(ledger: &Ledger, objects: &Objects, job: &Job, settings: &Settings) -> Result<(), WorkerError> {
    match act(ledger, objects, job, settings).await {
        Ok(()) => Ok(()),
        Err(WorkerError::Lost) => {
            tracing::warn!(job.id, scan.uid = job.scan, "lost the job to another worker");
            Ok(())
        }
        Err(error @ WorkerError::Ledger(LedgerError::Db(_))) => {
            let _ = ledger.release_job(job).await;
            Err(error)
        }
        Err(error) => {
            let text = error.chain();
            tracing::warn!(job.id, scan.uid = job.scan, error = text, "the job failed");
            ledger.fail_job(job, &text, error.retry()).await?;
            Ok(())
        }
    }
}

async fn act(ledger: &Ledger, objects: &Objects, job: &Job, settings: &Settings) -> Result<(), WorkerError> {
    let mut work = Work::new(ledger, objects, job, settings).await?;
    match job.kind {
        JobKind::Compact => compact::compact(&mut work).await?,
        JobKind::Merge => {
            let record = merge::merge(&mut work).await?;
            tracing::info!(
                job.id,
                scan.uid = job.scan,
                result.version = record.version,
                result.rows = record.rows,
                "merged"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
