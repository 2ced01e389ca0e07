//! Reads results back, and believes nothing: the record vouches for the manifest, the manifest for its parts.

use arrow::{
    array::{Array as _, AsArray as _},
    error::ArrowError,
};
use bytes::Bytes;
use followlytics_core::{page::sha256, scan::summary::ResultRecord};
use followlytics_store::objects::Objects;
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::{Manifest, Part, WorkerError};

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
    let manifest = read_manifest(objects, record).await?;
    let mut ids = Vec::new();
    for part in &manifest.parts {
        append_ids(read_part(objects, part).await?, &mut ids)?;
    }
    Ok(ids)
}

fn append_ids(part: Bytes, ids: &mut Vec<String>) -> Result<(), WorkerError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(part)?;
    let only_id = ProjectionMask::columns(builder.parquet_schema(), ["id"]);
    for batch in builder.with_projection(only_id).build()? {
        let batch = batch?;
        let column = batch
            .column_by_name("id")
            .and_then(|column| column.as_string_opt::<i32>());
        let column =
            column.ok_or_else(|| ArrowError::SchemaError("column id is missing or no text".to_owned()))?;
        debug_assert_eq!(column.null_count(), 0);
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(())
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
