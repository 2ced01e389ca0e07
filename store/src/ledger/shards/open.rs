//! Runs that are merged from others, object by object.

use super::{OpenRun, Shard, check, rows};
use crate::{
    db::Tx,
    ledger::{Job, Ledger, LedgerError, jobs},
    params,
};

impl Ledger {
    /// The run of this scan that is being merged from others, if there is one.
    pub async fn find_open_run(&self, job: &Job) -> Result<Option<OpenRun>, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        let sql = "SELECT run, plan, (SELECT COUNT(*) FROM jobs WHERE id = runs.owner AND epoch = runs.owner_epoch \
                     AND state = 'Running' AND lease_until > $2 AND id <> $3) \
                   FROM runs WHERE scan = $1 AND state = 'Open'";
        let Some(row) = tx.find(sql, params![&job.scan, now, &job.id]).await? else {
            return Ok(None);
        };
        let number = row.get(0)?;
        Ok(Some(OpenRun {
            number,
            plan: row.get(1)?,
            is_busy: row.get::<i64>(2)? > 0,
            shards: rows::of_run(&mut tx, &job.scan, number).await?,
        }))
    }

    /// Begins a run that is merged from others; `None` where the scan has one already.
    pub async fn begin_run(&self, job: &Job, level: i64, plan: &str) -> Result<Option<OpenRun>, LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        check(&mut tx, job).await?;
        let sql = "SELECT 1 FROM runs WHERE scan = $1 AND state = 'Open'";
        if tx.find(sql, params![&job.scan]).await?.is_some() {
            return Ok(None);
        }
        let number = rows::next(&mut tx, &job.scan).await?;
        tx.execute(
            "INSERT INTO runs (scan, run, level, state, lines, unread, line_rows, plan, owner, owner_epoch) \
             VALUES ($1, $2, $3, 'Open', 0, 0, 0, $4, $5, $6)",
            params![&job.scan, number, level, plan, &job.id, jobs::epoch(job)?],
        )
        .await?;
        tx.commit().await?;
        Ok(Some(OpenRun {
            number,
            plan: plan.to_owned(),
            shards: Vec::new(),
            is_busy: false,
        }))
    }

    /// Goes on with a run that another job, or another holder of this one, has begun: they are fenced from here on.
    /// `false` where it is not open any more.
    pub async fn take_run(&self, job: &Job, run: i64) -> Result<bool, LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        check(&mut tx, job).await?;
        let sql =
            "UPDATE runs SET owner = $3, owner_epoch = $4 WHERE scan = $1 AND run = $2 AND state = 'Open'";
        let changed = tx
            .execute(sql, params![&job.scan, run, &job.id, jobs::epoch(job)?])
            .await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Makes an object of an open run durable progress. It is in the store already.
    pub async fn add_shard(&self, job: &Job, run: i64, shard: &Shard) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        check_owner(&mut tx, job, run).await?;
        rows::put(&mut tx, &job.scan, run, shard).await?;
        Ok(tx.commit().await?)
    }

    /// Lets an open run take the place of those it was merged of, whose objects are deleted after this.
    pub async fn finish_run(&self, job: &Job, run: i64, inputs: &[i64]) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        let now = self.now_in(&tx);
        check_owner(&mut tx, job, run).await?;
        let (mut lines, mut unread) = (0i64, 0i64);
        for input in inputs {
            let sql = "UPDATE runs SET state = 'Merged', merged_into = $3 WHERE scan = $1 AND run = $2 \
                         AND state = 'Live' RETURNING lines, unread";
            let row = tx.query(sql, params![&job.scan, *input, run]).await?;
            let row = row.first().ok_or(LedgerError::Fenced)?;
            lines += row.get::<i64>(0)?;
            unread += row.get::<i64>(1)?;
            rows::erase(&mut tx, &job.scan, *input, now).await?;
        }
        let sql = "UPDATE runs SET state = 'Live', plan = NULL, lines = $3, unread = $4, line_rows = \
                     (SELECT CAST(COALESCE(SUM(line_rows), 0) AS BIGINT) FROM shards WHERE scan = $1 AND run = $2) \
                   WHERE scan = $1 AND run = $2";
        tx.execute(sql, params![&job.scan, run, lines, unread]).await?;
        Ok(tx.commit().await?)
    }

    /// Gives an open run up; its objects are deleted after this.
    pub async fn drop_run(&self, job: &Job, run: i64) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&job.scan).await?;
        let now = self.now_in(&tx);
        check_owner(&mut tx, job, run).await?;
        rows::erase(&mut tx, &job.scan, run, now).await?;
        let sql = "DELETE FROM runs WHERE scan = $1 AND run = $2";
        tx.execute(sql, params![&job.scan, run]).await?;
        Ok(tx.commit().await?)
    }
}

/// The run has to be open, and this job's.
async fn check_owner(tx: &mut Tx, job: &Job, run: i64) -> Result<(), LedgerError> {
    check(tx, job).await?;
    let sql = "SELECT 1 FROM runs WHERE scan = $1 AND run = $2 AND state = 'Open' AND owner = $3 AND owner_epoch = $4";
    let params = params![&job.scan, run, &job.id, jobs::epoch(job)?];
    match tx.find(sql, params).await? {
        Some(_) => Ok(()),
        None => Err(LedgerError::Fenced),
    }
}
