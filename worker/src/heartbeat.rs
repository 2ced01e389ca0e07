//! Keeps a job while it is worked on.

use std::time::Duration;

use followlytics_store::ledger::{Job, Ledger};
use tokio::time::Instant;

use crate::WorkerError;

/// A sixth of the lease: five of these may fail to come before the job is lost.
const EVERY: Duration = Duration::from_secs(5);

/// The right to go on with one job.
pub(crate) struct Heartbeat<'a> {
    ledger: &'a Ledger,
    job: &'a Job,
    last: Instant,
}

impl<'a> Heartbeat<'a> {
    pub(crate) fn new(ledger: &'a Ledger, job: &'a Job) -> Self {
        Self {
            ledger,
            job,
            last: Instant::now(),
        }
    }

    /// Called between two steps of under a second each: lets others run, and extends the lease when it is time.
    pub(crate) async fn beat(&mut self) -> Result<(), WorkerError> {
        // The work between two beats is all computation: without this a stop would wait for the whole job.
        tokio::task::yield_now().await;
        if self.last.elapsed() >= EVERY {
            if !self.ledger.extend_job(self.job).await? {
                return Err(WorkerError::Lost);
            }
            self.last = Instant::now();
        }
        Ok(())
    }
}
