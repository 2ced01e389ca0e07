//! Where finished objects go: into the store, and then into the ledger.

use followlytics_core::{layout, page::sha256};
use followlytics_store::{
    ledger::{Job, Ledger, Shard},
    objects::Objects,
};

use super::Made;
use crate::{WorkerError, work::put};

/// How objects are called.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// Those of a run that is merged of runs.
    Shards { scan: String, run: i64, epoch: u64 },
    /// Those of a result.
    Parts { prefix: String, epoch: u64 },
}

/// The open run that objects become part of.
pub(crate) struct Sink<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) objects: &'a Objects,
    pub(crate) job: &'a Job,
    pub(crate) run: i64,
    pub(crate) names: Names,
}

impl Sink<'_> {
    /// Stores an object and records it. From then on nobody makes it again.
    pub(super) async fn take(&self, made: Made) -> Result<(), WorkerError> {
        let names = &self.names;
        let (lane, piece) = (made.lane, made.piece);
        let shard = store(self.objects, made, |hash| names.key(lane, piece, hash)).await?;
        Ok(self.ledger.add_shard(self.job, self.run, &shard).await?)
    }
}

impl Names {
    fn key(&self, lane: u32, piece: u32, hash: &str) -> String {
        match self {
            Self::Shards { scan, run, epoch } => {
                let name = format!("m{run:06}-{lane:02}");
                layout::shard(scan, &name, *epoch, piece, hash)
            }
            Self::Parts { prefix, epoch } => {
                layout::result_part(prefix, *epoch, lane.saturating_mul(1000).saturating_add(piece))
            }
        }
    }
}

/// Stores an object and says what its row says.
pub(crate) async fn store(
    objects: &Objects,
    made: Made,
    key: impl FnOnce(&str) -> String,
) -> Result<Shard, WorkerError> {
    let hash = sha256(&made.sealed.bytes);
    let key = key(&hash);
    let shard = Shard {
        lane: made.lane,
        piece: made.piece,
        is_last: made.last,
        sha256: hash,
        bytes: made.sealed.bytes.len() as u64,
        tail_sha256: made.sealed.tail.sha256,
        tail_bytes: made.sealed.tail.bytes,
        rows: count(made.sealed.rows),
        trimmed: count(made.trimmed),
        min_id: made.sealed.first,
        max_id: made.sealed.last,
        key,
    };
    put(objects, &shard.key, made.sealed.bytes.into()).await?;
    Ok(shard)
}

fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
