//! The merge of one scan: sorted runs in, Parquet parts and a manifest out, then one transaction that makes them
//! visible.
//!
//! The same pages give the same rows in the same order, in however many pieces and by however many workers they were
//! sorted. Parts are written under the job's own epoch: a worker that lost the job leaves garbage beside the result,
//! never in it.

mod base;
mod head;
pub(crate) mod manifest;
mod sweeps;

use followlytics_core::{
    layout,
    page::sha256,
    scan::{
        certificate::{Certificate, Evidence, issue},
        ends::has_ended,
        merge::Rank,
        summary::ResultRecord,
        sweep::{Sweeps, with_sweeps},
    },
};
use followlytics_store::ledger::{MergeInput, NewResult, OpenRun, Run, Shard};

use crate::{
    Tail, WorkerError,
    combine::{self, Plan, spread_of_result},
    compact,
    lanes::{Made, Names, find_cut, split, store},
    repair::{Repairs, restore},
    rows::{Form, Seal, Shape, Spread},
    work::{Work, put},
};
use manifest::{Manifest, Part};

/// Merges what the job's scan has brought and publishes the result.
pub(crate) async fn merge(work: &mut Work<'_>) -> Result<ResultRecord, WorkerError> {
    for pages in work.ledger.unsorted_pages(&work.job.scan, None).await? {
        compact::sort(work, pages, true).await?;
    }
    let mut repairs = Repairs::default();
    let (open, live) = loop {
        match merge_runs(work).await {
            Ok(merged) => break merged,
            Err(error) => repairs.after(work, error).await?,
        }
    };
    publish(work, &open, &live).await
}

/// The run that becomes the result, and the runs it was merged of.
async fn merge_runs(work: &mut Work<'_>) -> Result<(OpenRun, Vec<Run>), WorkerError> {
    restore(work).await?;
    loop {
        combine::combine_to_few(work).await?;
        let mut live = work.ledger.list_runs(&work.job.scan).await?;
        live.extend(base::run(work).await?);
        if let Some(open) = open_run(work, &live).await? {
            let open = result_run(work, &live, open).await?;
            return Ok((open, live));
        }
    }
}

/// The run that is to become the result; none where a last sorting job has begun another one meanwhile.
async fn open_run(work: &mut Work<'_>, live: &[Run]) -> Result<Option<OpenRun>, WorkerError> {
    match work.ledger.find_open_run(work.job).await? {
        Some(open) if combine::plan_of(&open)?.is_result => {
            let is_taken = work.ledger.take_run(work.job, open.number).await?;
            Ok(is_taken.then_some(open))
        }
        Some(_) => Ok(None),
        None => begin(work, live).await,
    }
}

/// The run that becomes the result, with all of its objects.
async fn result_run(work: &mut Work<'_>, live: &[Run], open: OpenRun) -> Result<OpenRun, WorkerError> {
    let plan = combine::plan_of(&open)?;
    let cut = plan.cut.map(|(position, range, seq, row)| Rank {
        position,
        range,
        seq,
        row,
    });
    let spread = spread_of_result(work.shape(), cut);
    let inputs = combine::open_runs(work, live.iter(), spread, Form::of_result(work.settings)).await?;
    let (prefix, epoch) = (prefix(work), work.job.epoch);
    let names = Names::Parts { prefix, epoch };
    combine::merge_lanes(work, inputs, &open, &plan, names).await?;
    let done = work.ledger.find_open_run(work.job).await?;
    done.filter(|done| done.number == open.number)
        .ok_or(WorkerError::Lost)
}

/// Decides where the lanes part and what the row cap leaves out, once for whoever goes on with it.
async fn begin(work: &mut Work<'_>, live: &[Run]) -> Result<Option<OpenRun>, WorkerError> {
    let shape = work.shape();
    let all = Spread {
        from: shape,
        to: shape,
        cut: None,
    };
    let inputs = combine::open_runs(work, live.iter(), all, Form::of_result(work.settings)).await?;
    let cap = u64::try_from(work.input.row_cap).unwrap_or(0);
    let io = work.io();
    let cut = find_cut(&inputs, &io, cap, &mut work.heartbeat).await?;
    let plan = Plan {
        is_result: true,
        inputs: Vec::new(),
        bounds: split(&inputs).iter().map(ToString::to_string).collect(),
        cut: cut.map(|rank| (rank.position, rank.range, rank.seq, rank.row)),
    };
    Ok(work
        .ledger
        .begin_run(work.job, -1, &combine::encode(&plan)?)
        .await?)
}

async fn publish(work: &mut Work<'_>, open: &OpenRun, live: &[Run]) -> Result<ResultRecord, WorkerError> {
    let mut shards: Vec<Shard> = open
        .shards
        .iter()
        .filter(|shard| shard.rows > 0)
        .cloned()
        .collect();
    for shard in &shards {
        // One that an earlier holder recorded may have gone since.
        if work.objects.size(&shard.key).await.ok() != Some(shard.bytes) {
            work.ledger.drop_run(work.job, open.number).await?;
            return Err(WorkerError::Unsteady {
                key: shard.key.clone(),
                detail: format!("it has not the {} bytes it was written with", shard.bytes),
            });
        }
        work.heartbeat.beat().await?;
    }
    if shards.is_empty() {
        shards.push(empty(work).await?);
    }
    let head = head::write(work).await?;
    let sweeps = sweeps::compare(work).await?;
    let manifest = manifest(work, open, live, shards, sweeps);
    let key = layout::manifest(&prefix(work), work.job.epoch);
    let bytes = manifest.encode(&key)?;
    let hash = sha256(&bytes);
    put(work.objects, &key, bytes.into()).await?;
    work.heartbeat.beat().await?;
    let result = NewResult {
        manifest: key,
        parts: manifest.parts.iter().map(|part| part.key.clone()).collect(),
        sha256: hash,
        rows: manifest.rows,
        duplicates: manifest.duplicates,
        unread: manifest.unread,
        certificate: manifest.certificate,
        head,
    };
    Ok(work.ledger.publish_result(work.job, &result).await?)
}

fn manifest(
    work: &Work<'_>,
    open: &OpenRun,
    live: &[Run],
    shards: Vec<Shard>,
    sweeps: Option<Sweeps>,
) -> Manifest {
    let input = &work.input;
    let (scanned, unread) = live.iter().fold((0, 0), |(lines, unread), run| {
        (lines + run.lines, unread + run.unread)
    });
    let rows: i64 = shards.iter().map(|shard| shard.rows).sum();
    let trimmed: i64 = open.shards.iter().map(|shard| shard.trimmed).sum();
    let unique = rows + trimmed;
    let known = input.since.as_ref().map_or(0, |base| base.rows);
    // Rows may have come twice: a list that was not read to its end was cut by the cap, however few are left.
    let is_cut = scanned >= input.row_cap && !has_ended(&input.ranges, &input.ended);
    let capped = input.row_cap > 0 && (unique >= input.row_cap || is_cut);
    Manifest {
        format: Manifest::FORMAT,
        scan: work.job.scan.clone(),
        tenant: input.tenant.clone(),
        platform: input.platform,
        account: input.account.clone(),
        rows,
        scanned,
        duplicates: scanned + known - unread - unique,
        since: input.since.as_ref().map(|base| base.version),
        trimmed,
        unread,
        certificate: with_sweeps(
            certificate(input, scanned, unread, rows, capped),
            sweeps.as_ref(),
            &input.ranges,
        ),
        sweeps,
        parts: shards.into_iter().map(part).collect(),
    }
}

fn part(shard: Shard) -> Part {
    Part {
        key: shard.key,
        sha256: shard.sha256,
        rows: shard.rows,
        bytes: shard.bytes,
        tail: Some(Tail {
            bytes: shard.tail_bytes,
            sha256: shard.tail_sha256,
        }),
    }
}

/// An empty result has its columns all the same.
async fn empty(work: &Work<'_>) -> Result<Shard, WorkerError> {
    let made = Made {
        lane: 0,
        piece: 0,
        sealed: Seal::new(Shape::Plain, Form::of_result(work.settings))?.finish()?,
        last: true,
        trimmed: 0,
    };
    let key = layout::result_part(&prefix(work), work.job.epoch, 0);
    store(work.objects, made, |_| key).await
}

fn certificate(input: &MergeInput, scanned: i64, unread: i64, unique: i64, capped: bool) -> Certificate {
    issue(&Evidence {
        since: input.since.as_ref(),
        seek: input.seek,
        list: input.list,
        server: input.server.as_ref(),
        root: input.root,
        ranges: &input.ranges,
        ended: &input.ended,
        observed: &input.observed,
        capped,
        scanned,
        unread,
        unique,
        platform_count: input.platform_count,
    })
}

fn prefix(work: &Work<'_>) -> String {
    let input = &work.input;
    layout::result_of_scan(&input.tenant, input.platform, &input.account, &work.job.scan)
}

#[cfg(test)]
mod tests;
