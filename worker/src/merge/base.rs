//! The result that a scan goes on from: its parts are one more sorted run of the merge.

use followlytics_core::scan::since::Base;
use followlytics_store::ledger::{Run, Shard};

use crate::{WorkerError, read::read_manifest, work::Work};

/// The run that the base's parts are; none where the scan read its whole list. Found anew by whoever goes on with the
/// merge: a result never changes.
pub(super) async fn run(work: &Work<'_>) -> Result<Option<Run>, WorkerError> {
    let input = &work.input;
    let Some(Base { version, rows, .. }) = input.since else {
        return Ok(None);
    };
    let record = work
        .ledger
        .get_result(&input.tenant, input.platform, &input.account, version)
        .await?;
    let manifest = read_manifest(work.objects, &record).await?;
    let mut shards = Vec::with_capacity(manifest.parts.len());
    for (part, piece) in manifest.parts.into_iter().zip(0..) {
        let Some(tail) = part.tail else {
            let detail = format!("result {version} is of a release that no scan can go on from");
            return Err(WorkerError::Damaged {
                key: part.key,
                detail,
            });
        };
        shards.push(Shard {
            lane: 0,
            piece,
            is_last: false,
            key: part.key,
            sha256: part.sha256,
            bytes: part.bytes,
            tail_sha256: tail.sha256,
            tail_bytes: tail.bytes,
            rows: part.rows,
            trimmed: 0,
            // Its row groups say the same.
            min_id: String::new(),
            max_id: String::new(),
        });
    }
    Ok(Some(Run {
        number: 0,
        level: 0,
        span: None,
        lines: 0,
        unread: 0,
        rows,
        shards,
    }))
}
