//! Reads results back, and believes nothing: the record vouches for the manifest, the manifest for its parts.

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    error::ArrowError,
};
use bytes::Bytes;
use followlytics_core::{page::sha256, scan::summary::ResultRecord};
use followlytics_store::objects::Objects;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
};

use crate::{
    Manifest, Part, WorkerError,
    rows::{Io, Opened, Shape, open, schema},
};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The manifest of a result.
pub async fn read_manifest(objects: &Objects, record: &ResultRecord) -> Result<Manifest, WorkerError> {
    let bytes = verified(objects, &record.manifest, &record.sha256).await?;
    Manifest::decode(&record.manifest, &bytes)
}

/// The bytes of a part of a result: a whole Parquet file.
pub async fn read_part(objects: &Objects, part: &Part) -> Result<Bytes, WorkerError> {
    verified(objects, &part.key, &part.sha256).await
}

/// The ids of all followers of a result, in its order.
pub async fn result_ids(objects: &Objects, record: &ResultRecord) -> Result<Vec<String>, WorkerError> {
    let mut ids = Vec::new();
    let mut rows = columns(objects, record, &["id"]).await?;
    while let Some(batch) = rows.next().await? {
        let column = batch
            .column_by_name("id")
            .and_then(|column| column.as_string_view_opt());
        let column =
            column.ok_or_else(|| ArrowError::SchemaError("column id is missing or no text".to_owned()))?;
        debug_assert_eq!(column.null_count(), 0);
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}

/// All rows of a result, in order of their ids: numbers first, as numbers, then texts, byte by byte.
pub async fn rows(objects: &Objects, record: &ResultRecord) -> Result<Rows, WorkerError> {
    let manifest = read_manifest(objects, record).await?;
    Ok(Rows::new(objects, manifest, None))
}

/// The same rows with these columns only, in the order of the row schema.
pub async fn columns(
    objects: &Objects,
    record: &ResultRecord,
    columns: &[&str],
) -> Result<Rows, WorkerError> {
    let manifest = read_manifest(objects, record).await?;
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Ok(Rows::new(objects, manifest, Some(columns)))
}

/// The rows of a result as a stream of batches; texts are `Utf8View`. In memory are one row group (131,072 rows,
/// about ten megabytes) and one batch of at most 8,192 rows.
pub struct Rows {
    objects: Objects,
    manifest: Manifest,
    columns: Option<Vec<String>>,
    /// The part that is read, how many there were before it, and its next row group.
    part: Option<Opened>,
    parts: usize,
    group: usize,
    reader: Option<ParquetRecordBatchReader>,
}

impl Rows {
    fn new(objects: &Objects, manifest: Manifest, columns: Option<Vec<String>>) -> Self {
        Self {
            objects: objects.clone(),
            manifest,
            columns,
            part: None,
            parts: 0,
            group: 0,
            reader: None,
        }
    }

    /// The manifest of the result.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The next rows; none only at the end. An error names the object that is damaged; rows before it were right.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, WorkerError> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                let batch = batch?;
                if batch.num_rows() > 0 {
                    return Ok(Some(batch));
                }
                continue;
            }
            self.reader = None;
            if !self.advance().await? {
                return Ok(None);
            }
        }
    }

    async fn advance(&mut self) -> Result<bool, WorkerError> {
        let io = Io::Here(self.objects.clone());
        if let Some(part) = &self.part
            && self.group < part.groups.len()
        {
            let groups = self.group..self.group + 1;
            let window = part.fetch(&io, groups.clone()).await?;
            let columns: Option<Vec<&str>> = self
                .columns
                .as_ref()
                .map(|all| all.iter().map(String::as_str).collect());
            self.reader = Some(part.batches(window, groups, BATCH_ROWS, columns.as_deref())?);
            self.group += 1;
            return Ok(true);
        }
        let Some(part) = self.manifest.parts.get(self.parts) else {
            return Ok(false);
        };
        self.parts += 1;
        self.group = 0;
        self.part = if let Some(tail) = &part.tail {
            Some(open(&io, &part.key, part.bytes, tail, Shape::Plain).await?)
        } else {
            // The first release's parts are vouched for only as a whole.
            let bytes = read_part(&self.objects, part).await?;
            self.reader = Some(whole(bytes, self.columns.as_deref())?);
            None
        };
        Ok(true)
    }
}

fn whole(bytes: Bytes, columns: Option<&[String]>) -> Result<ParquetRecordBatchReader, WorkerError> {
    let options = ArrowReaderOptions::new().with_schema(schema(Shape::Plain));
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?;
    if let Some(columns) = columns {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().map(String::as_str));
        builder = builder.with_projection(mask);
    }
    Ok(builder.with_batch_size(BATCH_ROWS).build()?)
}

async fn verified(objects: &Objects, key: &str, expected: &str) -> Result<Bytes, WorkerError> {
    let bytes = objects.get(key).await?;
    let found = sha256(&bytes);
    if found != expected {
        let detail = format!("its SHA-256 is {found}, it was written as {expected}");
        return Err(WorkerError::Damaged {
            key: key.to_owned(),
            detail,
        });
    }
    Ok(bytes)
}
