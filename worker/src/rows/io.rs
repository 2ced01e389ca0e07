//! Reading objects from the thread that awaits them, or from one that only computes.

use std::ops::Range;

use bytes::Bytes;
use followlytics_store::objects::{Objects, ObjectsError};
use tokio::runtime::Handle;

/// How a merge reads objects.
#[derive(Clone)]
pub(crate) enum Io {
    /// On the thread that asks.
    Here(Objects),
    /// On the worker's own runtime: connections belong to the runtime that made them, and a thread that computes has
    /// none.
    There(Objects, Handle),
}

impl Io {
    /// The bytes of an object from `range.start` to before `range.end`, or those of them that are there.
    pub(crate) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectsError> {
        match self {
            Self::Here(objects) => objects.read_range(key, range).await,
            Self::There(objects, handle) => {
                let (objects, key) = (objects.clone(), key.to_owned());
                let read = handle.spawn(async move { objects.read_range(&key, range).await });
                // The runtime ends, and the worker with it: nobody waits for the answer.
                match read.await {
                    Ok(read) => read,
                    Err(_) => Ok(Bytes::new()),
                }
            }
        }
    }
}
