//! Writes sealed objects: Parquet whose tail vouches for each of its row groups.

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    error::ArrowError,
};
use followlytics_core::page::sha256;
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties, WriterVersion},
    },
    schema::types::ColumnPath,
};
use serde::{Deserialize, Serialize};

use super::schema::{Shape, schema};
use crate::{Settings, WorkerError};

/// Under which name the tail lists the row groups.
pub(super) const GROUPS: &str = "followlytics.groups";

/// How an object is cut and packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    group_rows: usize,
    codec: Compression,
}

impl Form {
    /// Of a result, which is kept: small.
    pub(crate) fn of_result(settings: &Settings) -> Self {
        Self {
            group_rows: settings.group_rows,
            codec: Compression::ZSTD(ZstdLevel::default()),
        }
    }

    /// Of a run, which is read once and then deleted: soon packed and soon unpacked.
    pub(crate) const fn of_run(settings: &Settings) -> Self {
        Self {
            group_rows: settings.run_group_rows,
            codec: Compression::LZ4_RAW,
        }
    }
}

/// A row group: all that is read at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Its rows.
    pub(crate) rows: u64,
    /// Its first id.
    pub(crate) first: String,
    /// Its last id.
    pub(crate) last: String,
    /// Where it begins.
    pub(crate) at: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// SHA-256 of its bytes.
    pub(crate) sha256: String,
}

/// What vouches for a sealed object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Its length: that of everything behind the last row group.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A sealed object.
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) tail: Tail,
    pub(crate) rows: u64,
    /// First and last id; empty where there are no rows.
    pub(crate) first: String,
    pub(crate) last: String,
}

/// A sealed object that is being written.
pub(crate) struct Seal {
    writer: ArrowWriter<Vec<u8>>,
    group_rows: usize,
    groups: Vec<Group>,
    /// Rows, first and last id of the row group under way.
    open: Option<(u64, String, String)>,
    rows: u64,
    at: usize,
}

impl Seal {
    /// Begins an object of this form.
    pub(crate) fn new(shape: Shape, form: Form) -> Result<Self, WorkerError> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties(form.codec))
            .with_skip_arrow_metadata(true);
        Ok(Self {
            writer: ArrowWriter::try_new_with_options(Vec::new(), schema(shape), options)?,
            group_rows: form.group_rows.max(1),
            groups: Vec::new(),
            open: None,
            rows: 0,
            // The magic number.
            at: 4,
        })
    }

    /// Adds rows, which follow those before them in order of ids.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), WorkerError> {
        let mut from = 0;
        while from < batch.num_rows() {
            let room = self.group_rows - self.writer.in_progress_rows();
            let rows = room.min(batch.num_rows() - from);
            let slice = batch.slice(from, rows);
            self.note(&slice)?;
            self.writer.write(&slice)?;
            from += rows;
            if self.writer.in_progress_rows() >= self.group_rows {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Rows so far.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes so far, about.
    pub(crate) fn bytes(&self) -> usize {
        self.at + self.writer.in_progress_size()
    }

    /// Ends the object.
    pub(crate) fn finish(mut self) -> Result<Sealed, WorkerError> {
        self.end_group()?;
        let index = serde_json::to_string(&self.groups).map_err(|source| WorkerError::Manifest {
            key: GROUPS.to_owned(),
            source,
        })?;
        self.writer
            .append_key_value_metadata(KeyValue::new(GROUPS.to_owned(), index));
        let bytes = self.writer.into_inner()?;
        let end = bytes.get(self.at..).unwrap_or_default();
        let tail = Tail {
            bytes: end.len() as u64,
            sha256: sha256(end),
        };
        let first = self.groups.first().map(|group| group.first.clone());
        let last = self.groups.last().map(|group| group.last.clone());
        Ok(Sealed {
            tail,
            rows: self.rows,
            first: first.unwrap_or_default(),
            last: last.unwrap_or_default(),
            bytes,
        })
    }

    fn note(&mut self, rows: &RecordBatch) -> Result<(), WorkerError> {
        let id = |row| id_at(rows, row);
        let count = rows.num_rows();
        let last = id(count.saturating_sub(1))?;
        match &mut self.open {
            Some((rows, _, open_last)) => {
                *rows += count as u64;
                *open_last = last;
            }
            None => self.open = Some((count as u64, id(0)?, last)),
        }
        self.rows += count as u64;
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), WorkerError> {
        let Some((rows, first, last)) = self.open.take() else {
            return Ok(());
        };
        self.writer.flush()?;
        self.writer.sync().map_err(parquet::errors::ParquetError::from)?;
        let bytes = self.writer.inner().get(self.at..).unwrap_or_default();
        self.groups.push(Group {
            rows,
            first,
            last,
            at: self.at as u64,
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        });
        self.at += bytes.len();
        Ok(())
    }
}

/// The id of a row.
pub(super) fn id_at(batch: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let ids = batch
        .column_by_name("id")
        .and_then(|column| column.as_string_view_opt());
    ids.filter(|ids| row < ids.len())
        .map(|ids| ids.value(row).to_owned())
        .ok_or_else(|| ArrowError::SchemaError("column id is missing or no text".to_owned()))
}

/// Nothing but the rows enters an object, neither a time nor a version of this program: the same rows give the same
/// bytes.
fn properties(codec: Compression) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("followlytics".to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(codec)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(4096)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true);
    // Values that hardly repeat: a dictionary would be built, found too large and thrown away.
    for name in [
        "id",
        "id_num",
        "handle",
        "name",
        "bio",
        "created",
        "followers",
        "following",
        "posts",
    ] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    // They rise: their differences are small.
    properties = properties.set_column_encoding(ColumnPath::from("id_num"), Encoding::DELTA_BINARY_PACKED);
    for name in ["id", "id_num"] {
        properties =
            properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::Chunk);
    }
    properties.build()
}
