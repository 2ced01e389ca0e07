//! One sorted run as a stream of batches, of which little is in memory.

use std::{cmp::Ordering, ops::Range, sync::Arc};

use arrow::{
    array::{Array as _, RecordBatch, StringViewArray},
    error::ArrowError,
};
use followlytics_core::{platform::Ids, scan::merge::Id};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::{
    io::Io,
    key::{Keys, Place, texts},
    open::Opened,
};
use crate::WorkerError;

/// Which ids are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Between {
    /// Those behind this one.
    pub(crate) after: Option<Id>,
    /// Those up to and with this one.
    pub(crate) until: Option<Id>,
}

/// What a stream may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes read at once, if a single row group is not larger.
    pub(crate) fetch: u64,
    /// Rows of a batch.
    pub(crate) rows: usize,
}

/// Some rows, in order of their ids, with their keys.
pub(crate) struct Sorted {
    pub(crate) batch: RecordBatch,
    pub(crate) keys: Vec<u128>,
    pub(crate) ids: StringViewArray,
}

/// A sorted run, read once from one id to another.
pub(crate) struct Stream {
    pieces: Arc<Vec<Opened>>,
    columns: Option<&'static [&'static str]>,
    keys: Keys,
    ids: Ids,
    between: Between,
    bounds: Bounds,
    /// The piece and row group that are read next.
    piece: usize,
    group: usize,
    reader: Option<ParquetRecordBatchReader>,
    /// Whether a row at or before `after` may still come.
    skipping: bool,
}

impl Stream {
    /// A stream over the pieces of a run, which are in order of ids; of these columns, or of all.
    pub(crate) fn new(
        pieces: Arc<Vec<Opened>>,
        columns: Option<&'static [&'static str]>,
        (keys, ids): (Keys, Ids),
        between: Between,
        bounds: Bounds,
    ) -> Self {
        Self {
            pieces,
            columns,
            keys,
            ids,
            skipping: between.after.is_some(),
            between,
            bounds,
            piece: 0,
            group: 0,
            reader: None,
        }
    }

    /// The next rows; never an empty batch.
    pub(crate) async fn next(&mut self, io: &Io) -> Result<Option<Sorted>, WorkerError> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                let batch = self.cut(batch?)?;
                if batch.keys.is_empty() {
                    continue;
                }
                return Ok(Some(batch));
            }
            self.reader = None;
            if !self.advance(io).await? {
                return Ok(None);
            }
        }
    }

    /// Fetches the next row groups that hold ids that are wanted; `false` behind the last.
    async fn advance(&mut self, io: &Io) -> Result<bool, WorkerError> {
        let pieces = Arc::clone(&self.pieces);
        while let Some(piece) = pieces.get(self.piece) {
            let groups = self.groups(piece);
            if groups.is_empty() {
                self.piece += 1;
                self.group = 0;
                continue;
            }
            self.group = groups.end;
            let window = piece.fetch(io, groups.clone()).await?;
            self.reader = Some(piece.batches(window, groups, self.bounds.rows, self.columns)?);
            return Ok(true);
        }
        Ok(false)
    }

    /// The row groups of a piece that are read next.
    fn groups(&self, piece: &Opened) -> Range<usize> {
        let mut range: Option<Range<usize>> = None;
        let mut bytes = 0;
        for (number, group) in piece.groups.iter().enumerate().skip(self.group) {
            let id = |text: &str| Id::new(text, self.ids);
            let before = self
                .between
                .after
                .as_ref()
                .is_some_and(|after| id(&group.last) <= *after);
            if before && range.is_none() {
                continue;
            }
            let behind = self
                .between
                .until
                .as_ref()
                .is_some_and(|until| id(&group.first) > *until);
            bytes += group.bytes;
            if behind || (range.is_some() && bytes > self.bounds.fetch) {
                break;
            }
            range = Some(range.map_or(number, |range| range.start)..number + 1);
        }
        range.unwrap_or(0..0)
    }

    /// The rows of a batch that are wanted.
    fn cut(&mut self, batch: RecordBatch) -> Result<Sorted, ArrowError> {
        let mut ids = texts(&batch)?.clone();
        let mut keys = self.keys.of_batch(&batch)?;
        let (mut from, mut to) = (0, keys.len());
        if let Some(after) = self.between.after.as_ref().filter(|_| self.skipping) {
            from = self.behind(&keys, &ids, after);
            self.skipping = from == keys.len();
        }
        if let Some(until) = &self.between.until {
            to = self.behind(&keys, &ids, until).max(from);
        }
        if (from, to) == (0, keys.len()) {
            return Ok(Sorted { batch, keys, ids });
        }
        keys.truncate(to);
        keys.drain(..from);
        ids = ids.slice(from, to - from);
        Ok(Sorted {
            batch: batch.slice(from, to - from),
            keys,
            ids,
        })
    }

    /// The first row behind an id.
    fn behind(&self, keys: &[u128], ids: &StringViewArray, id: &Id) -> usize {
        let text = id.to_string();
        let bound = Place {
            key: self.keys.of(id),
            text: &text,
        };
        let (mut from, mut to) = (0, keys.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            let key = keys.get(middle).copied().unwrap_or(u128::MAX);
            let text = if middle < ids.len() { ids.value(middle) } else { "" };
            if self.keys.order(Place { key, text }, bound) == Ordering::Greater {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        from
    }
}
