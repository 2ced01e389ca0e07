//! The merge of one scan: pages in, Parquet parts and a manifest out, then one transaction that makes them
//! visible.
//!
//! The same pages give the same parts byte for byte, in whatever order they come. Objects are written under the
//! job's own epoch: a worker that lost the job leaves garbage beside the result, never in it.

mod collect;
mod compact;
pub(crate) mod manifest;
mod parts;

use bytes::Bytes;
use followlytics_core::{
    layout,
    page::sha256,
    scan::{
        certificate::{Certificate, Evidence, issue},
        merge::with_unread,
        summary::ResultRecord,
    },
};
use followlytics_store::{
    ledger::{Job, Ledger, MergeInput, NewResult},
    objects::{Created, Objects},
};

use crate::{WorkerError, heartbeat::Heartbeat};
use collect::{Collected, collect};
use manifest::Manifest;

/// Merges the pages of the job's scan and publishes the result.
pub(crate) async fn merge(
    ledger: &Ledger,
    objects: &Objects,
    job: &Job,
    heartbeat: &mut Heartbeat<'_>,
) -> Result<ResultRecord, WorkerError> {
    let input = ledger.merge_input(&job.scan).await?;
    let mut collected = collect(objects, &job.scan, &input, heartbeat).await?;
    let reached = input.row_cap > 0 && count(collected.merge.unique()) >= input.row_cap;
    let trimmed = count(collected.merge.trim(input.row_cap));
    let certificate = certificate(&input, &collected, reached);
    let duplicates = collected.merge.duplicates();
    let (scanned, unread) = (collected.scanned, collected.unread);
    let prefix = layout::result_of_scan(&input.tenant, input.platform, &input.account, &job.scan);
    let parts = parts::write(
        objects,
        &prefix,
        job.epoch,
        &input,
        collected,
        parts::PART_ROWS,
        heartbeat,
    )
    .await?;
    let rows: i64 = parts.iter().map(|part| part.rows).sum();
    let manifest = Manifest {
        format: Manifest::FORMAT,
        scan: job.scan.clone(),
        tenant: input.tenant,
        platform: input.platform,
        account: input.account,
        rows,
        scanned,
        duplicates,
        trimmed,
        unread,
        parts,
        certificate,
    };
    let key = layout::manifest(&prefix, job.epoch);
    let bytes = manifest.encode(&key)?;
    let hash = sha256(&bytes);
    put(objects, &key, bytes.into()).await?;
    heartbeat.beat().await?;
    let result = NewResult {
        manifest: key,
        parts: manifest.parts.into_iter().map(|part| part.key).collect(),
        sha256: hash,
        rows,
        duplicates,
        unread,
        certificate: manifest.certificate,
    };
    Ok(ledger.publish_result(job, &result).await?)
}

fn certificate(input: &MergeInput, collected: &Collected, capped: bool) -> Certificate {
    let certificate = issue(&Evidence {
        seek: input.seek,
        drift: input.drift,
        root: input.root,
        ranges: &input.ranges,
        capped,
        scanned: collected.scanned,
        unique: count(collected.merge.unique()),
        platform_count: input.platform_count,
    });
    with_unread(certificate, collected.unread)
}

/// Writes an object of this job. The key names job and epoch but not the bytes, so that one that exists counts
/// only if it is the same: after a restore from a backup an epoch may come again.
async fn put(objects: &Objects, key: &str, bytes: Bytes) -> Result<(), WorkerError> {
    if objects.create(key, bytes.clone()).await? == Created::Existed && objects.get(key).await? != bytes {
        return Err(WorkerError::Taken { key: key.to_owned() });
    }
    Ok(())
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
