//! What a job works with.

use bytes::Bytes;
use followlytics_store::{
    ledger::{Job, Ledger, MergeInput, Shard},
    objects::{Created, Objects},
};

use crate::{
    Settings, Tail, WorkerError,
    heartbeat::Heartbeat,
    rows::{Io, Opened, Shape, open},
};

/// A job under way.
pub(crate) struct Work<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) objects: &'a Objects,
    pub(crate) job: &'a Job,
    pub(crate) settings: &'a Settings,
    pub(crate) heartbeat: Heartbeat<'a>,
    pub(crate) input: MergeInput,
}

impl<'a> Work<'a> {
    pub(crate) async fn new(
        ledger: &'a Ledger,
        objects: &'a Objects,
        job: &'a Job,
        settings: &'a Settings,
    ) -> Result<Self, WorkerError> {
        Ok(Self {
            ledger,
            objects,
            job,
            settings,
            heartbeat: Heartbeat::new(ledger, job),
            input: ledger.merge_input(&job.scan).await?,
        })
    }

    /// What the scan's runs carry: where a follower was first listed matters to a row cap only.
    pub(crate) const fn shape(&self) -> Shape {
        if self.input.row_cap > 0 {
            Shape::Ranked
        } else {
            Shape::Plain
        }
    }

    /// Reads objects from this thread.
    pub(crate) fn io(&self) -> Io {
        Io::Here(self.objects.clone())
    }

    /// Opens an object of a run.
    pub(crate) async fn open(&self, shard: &Shard) -> Result<Opened, WorkerError> {
        let tail = Tail {
            bytes: shard.tail_bytes,
            sha256: shard.tail_sha256.clone(),
        };
        open(&self.io(), &shard.key, shard.bytes, &tail, self.shape()).await
    }
}

/// Writes an object of a job. The key names job and epoch, so that one that exists counts only if it is the same:
/// after a restore from a backup an epoch may come again.
pub(crate) async fn put(objects: &Objects, key: &str, bytes: Bytes) -> Result<(), WorkerError> {
    if objects.create(key, bytes.clone()).await? == Created::Existed && objects.get(key).await? != bytes {
        return Err(WorkerError::Taken { key: key.to_owned() });
    }
    Ok(())
}
