//! Repair: a shard that is damaged or gone is made again from its pages.

use followlytics_core::layout;
use followlytics_store::ledger::Run;

use crate::{WorkerError, compact, work::Work};

/// Shards repaired in one go; where more are damaged the store is, and the job tries again later.
const MOST: u32 = 1000;

/// How many shards were repaired in one go.
#[derive(Debug, Default)]
pub(crate) struct Repairs(u32);

impl Repairs {
    /// Makes the shard again that something failed over; the error itself where it is another, or a page's.
    pub(crate) async fn after(&mut self, work: &mut Work<'_>, error: WorkerError) -> Result<(), WorkerError> {
        let WorkerError::Damaged { key, detail } = error else {
            return Err(error);
        };
        if !key.starts_with(&layout::shards_of_scan(&work.job.scan)) {
            // A page: nothing it could be made again from.
            return Err(WorkerError::Damaged { key, detail });
        }
        if self.0 == MOST {
            return Err(WorkerError::Unsteady { key, detail });
        }
        self.0 += 1;
        let live = work.ledger.list_runs(&work.job.scan).await?;
        let Some(run) = live
            .iter()
            .find(|run| run.shards.iter().any(|shard| shard.key == key))
        else {
            // Another job has merged it into a larger one since the runs were listed.
            return Ok(());
        };
        tracing::warn!(
            job.id = work.job.id,
            key,
            detail,
            "a shard is damaged: it is made again from its pages"
        );
        replace(work, run).await
    }
}

/// Makes the objects of runs again that lost them, because the run they were merged into was damaged.
pub(crate) async fn restore(work: &mut Work<'_>) -> Result<(), WorkerError> {
    loop {
        let live = work.ledger.list_runs(&work.job.scan).await?;
        let Some(run) = live.iter().find(|run| run.rows > 0 && run.shards.is_empty()) else {
            return Ok(());
        };
        replace(work, run).await?;
    }
}

async fn replace(work: &mut Work<'_>, run: &Run) -> Result<(), WorkerError> {
    let shards = match run.span {
        Some(span) => compact::sort_again(work, span).await?,
        None => Vec::new(),
    };
    Ok(work.ledger.replace_shards(work.job, run, &shards).await?)
}
