//! The loop: claim a job, do it, say how it went.

use std::{future::Future, pin::pin, time::Duration};

use followlytics_store::{
    ledger::{Job, JobKind, Ledger, LedgerError},
    objects::Objects,
};

use crate::{WorkerError, erase, heartbeat::Heartbeat, merge};

/// How often a job is looked for. Changes made by other processes are not announced here.
const POLL: Duration = Duration::from_millis(200);
/// How long a worker waits after the ledger failed it.
const PAUSE: Duration = Duration::from_secs(1);

/// Does jobs under this name until `stop` is ready; a job under way is then given back for the next worker.
pub async fn run(ledger: &Ledger, objects: &Objects, worker: &str, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut changes = ledger.changes();
    loop {
        let claimed = ledger.claim_job(worker).await.map_err(WorkerError::from);
        let pause = match claimed {
            Ok(None) => match erase(ledger, objects).await {
                Ok(_) => POLL,
                Err(error) => complain(&error),
            },
            Ok(Some(job)) => {
                let done = tokio::select! {
                    biased;
                    () = &mut stop => {
                        // Nothing is lost if this fails: the lease runs out.
                        let _ = ledger.release_job(&job).await;
                        return;
                    }
                    done = work(ledger, objects, &job) => done,
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

fn complain(error: &WorkerError) -> Duration {
    tracing::error!(error = error.chain(), "failed to reach the ledger");
    PAUSE
}

/// Does one job, if one is due; returns whether there was one. A job that fails says so in the ledger; an error
/// is returned only where the ledger itself fails.
pub async fn run_one(ledger: &Ledger, objects: &Objects, worker: &str) -> Result<bool, WorkerError> {
    let Some(job) = ledger.claim_job(worker).await? else {
        return Ok(false);
    };
    work(ledger, objects, &job).await?;
    Ok(true)
}

async fn work(ledger: &Ledger, objects: &Objects, job: &Job) -> Result<(), WorkerError> {
    let mut heartbeat = Heartbeat::new(ledger, job);
    let done = match job.kind {
        JobKind::Merge => merge::merge(ledger, objects, job, &mut heartbeat).await,
    };
    match done {
        Ok(record) => {
            tracing::info!(
                job.id,
                scan.uid = job.scan,
                result.version = record.version,
                result.rows = record.rows,
                "merged"
            );
            Ok(())
        }
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

#[cfg(test)]
mod tests;
