//! Opens sealed objects, and believes nothing that was not vouched for.

use std::{io::Cursor, ops::Range, sync::Arc};

use bytes::Bytes;
use followlytics_core::page::sha256;
use followlytics_store::objects::ObjectsError;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::ParquetMetaDataReader,
        reader::{ChunkReader, Length},
    },
};

use super::{
    io::Io,
    schema::{Shape, schema},
    seal::{GROUPS, Group, Tail},
};
use crate::WorkerError;

/// A sealed object whose tail was read and vouched for.
pub(crate) struct Opened {
    pub(crate) key: String,
    pub(crate) groups: Vec<Group>,
    metadata: ArrowReaderMetadata,
}

/// Reads and checks the tail of an object of this size.
pub(crate) async fn open(
    io: &Io,
    key: &str,
    size: u64,
    tail: &Tail,
    shape: Shape,
) -> Result<Opened, WorkerError> {
    let bytes = io
        .read(key, size.saturating_sub(tail.bytes)..size)
        .await
        .map_err(|error| missing(key, error))?;
    vouch(key, "its footer", &bytes, tail.bytes, &tail.sha256)?;
    let thrift = bytes.get(..bytes.len().saturating_sub(8)).unwrap_or_default();
    let metadata = Arc::new(ParquetMetaDataReader::decode_metadata(thrift)?);
    let entries = metadata.file_metadata().key_value_metadata();
    let index = entries.and_then(|entries| entries.iter().find(|entry| entry.key == GROUPS));
    let index = index.and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    let groups = serde_json::from_str(index).map_err(|source| WorkerError::Manifest {
        key: key.to_owned(),
        source,
    })?;
    let options = ArrowReaderOptions::new().with_schema(schema(shape));
    Ok(Opened {
        key: key.to_owned(),
        groups,
        metadata: ArrowReaderMetadata::try_new(metadata, options)?,
    })
}

impl Opened {
    /// Reads row groups that lie side by side, and checks each.
    pub(crate) async fn fetch(&self, io: &Io, groups: Range<usize>) -> Result<Window, WorkerError> {
        let wanted = self.groups.get(groups.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
            return Ok(Window::default());
        };
        let bytes = io
            .read(&self.key, first.at..last.at + last.bytes)
            .await
            .map_err(|error| missing(&self.key, error))?;
        for (group, number) in wanted.iter().zip(groups) {
            let from = usize::try_from(group.at - first.at).unwrap_or(usize::MAX);
            let to = from.saturating_add(usize::try_from(group.bytes).unwrap_or(usize::MAX));
            let found = bytes.get(from..to.min(bytes.len())).unwrap_or_default();
            vouch(
                &self.key,
                &format!("its row group {number}"),
                found,
                group.bytes,
                &group.sha256,
            )?;
        }
        Ok(Window { at: first.at, bytes })
    }

    /// The rows of row groups that were fetched, in batches of at most so many; of all columns, or of those named.
    pub(crate) fn batches(
        &self,
        window: Window,
        groups: Range<usize>,
        rows: usize,
        columns: Option<&[&str]>,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(window, self.metadata.clone());
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        builder
            .with_row_groups(groups.collect())
            .with_batch_size(rows)
            .build()
    }
}

/// A stretch of an object.
#[derive(Clone, Default)]
pub(crate) struct Window {
    at: u64,
    bytes: Bytes,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let length = usize::try_from(self.len().saturating_sub(start)).unwrap_or(0);
        Ok(Cursor::new(self.get_bytes(start, length)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let from = start
            .checked_sub(self.at)
            .and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| Some(from..from.checked_add(length)?))
            .filter(|range| range.end <= self.bytes.len())
            .map(|range| self.bytes.slice(range))
            .ok_or_else(|| {
                ParquetError::EOF(format!(
                    "{length} bytes at {start} are not among those that were read"
                ))
            })
    }
}

fn vouch(key: &str, what: &str, bytes: &[u8], length: u64, expected: &str) -> Result<(), WorkerError> {
    let detail = if bytes.len() as u64 == length {
        let found = sha256(bytes);
        if found == expected {
            return Ok(());
        }
        format!("{what} has the SHA-256 {found}, it was written as {expected}: it was changed")
    } else {
        format!("{what} has {} of {length} bytes: it was cut off", bytes.len())
    };
    Err(WorkerError::Damaged {
        key: key.to_owned(),
        detail,
    })
}

/// An object that is gone is damaged like one that was changed.
fn missing(key: &str, error: ObjectsError) -> WorkerError {
    if matches!(error, ObjectsError::NotFound { .. }) {
        return WorkerError::Damaged {
            key: key.to_owned(),
            detail: "it is not there any more".to_owned(),
        };
    }
    error.into()
}
