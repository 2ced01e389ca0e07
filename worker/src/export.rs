//! A result as one file: Parquet, CSV, or a line of JSON a follower.

use std::{io::Write, str::FromStr, sync::Arc};

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch},
    csv,
    datatypes::{Schema, TimestampMicrosecondType},
    error::ArrowError,
    json,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{
    WorkerError,
    read::Rows,
    rows::{Shape, schema},
};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet, zstd.
    Parquet,
    /// Comma-separated values with a header (RFC 4180); what is not known is empty.
    Csv,
    /// A line of JSON a follower; what is not known is left out.
    Ndjson,
}

/// A text that names no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write parquet, csv or ndjson")]
pub struct NoFormat;

impl FromStr for Format {
    type Err = NoFormat;

    fn from_str(text: &str) -> Result<Self, NoFormat> {
        match text.to_ascii_lowercase().as_str() {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            _ => Err(NoFormat),
        }
    }
}

/// Writes all rows; returns how many there were. In memory is one batch, and a row group of a Parquet file.
pub async fn export(rows: &mut Rows, format: Format, mut out: impl Write + Send) -> Result<u64, WorkerError> {
    let mut written = 0;
    match format {
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut out);
            while let Some(batch) = rows.next().await? {
                writer.write(&shown(&batch)?)?;
                written += batch.num_rows() as u64;
            }
        }
        Format::Ndjson => {
            let mut writer = json::LineDelimitedWriter::new(&mut out);
            while let Some(batch) = rows.next().await? {
                writer.write(&shown(&batch)?)?;
                written += batch.num_rows() as u64;
            }
            writer.finish()?;
        }
        Format::Parquet => {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .build();
            let mut writer = ArrowWriter::try_new(&mut out, schema(Shape::Plain), Some(properties))?;
            while let Some(batch) = rows.next().await? {
                writer.write(&batch)?;
                written += batch.num_rows() as u64;
            }
            writer.close()?;
        }
    }
    out.flush().map_err(ArrowError::from)?;
    Ok(written)
}

/// The same rows with UTC written as an offset: texts of named zones would take a table of all the world's.
fn shown(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let column: ArrayRef = match column.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(times) => Arc::new(times.clone().with_timezone("+00:00")),
            None => Arc::clone(column),
        };
        fields.push(field.as_ref().clone().with_data_type(column.data_type().clone()));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
