//! Parquet parts: the merged rows in order of their ids, a million a part.
//!
//! Nothing but the rows enters a part, neither a time nor a version of this program: the same rows give the
//! same bytes.

mod columns;

use followlytics_core::{layout, page::sha256, scan::merge::Merged};
use followlytics_store::{ledger::MergeInput, objects::Objects};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};

use super::{collect::Collected, compact::Compact, count, manifest::Part, put};
use crate::{WorkerError, heartbeat::Heartbeat};
use columns::Columns;

/// Most rows of a part.
pub(super) const PART_ROWS: usize = 1_000_000;
/// Most rows of a row group: what a reader and this writer hold at once.
const GROUP_ROWS: usize = 128 * 1024;
/// Rows handed to the writer at once.
const BATCH_ROWS: usize = 8192;

/// Writes parts of at most `part_rows` rows, at least one: an empty result has its columns all the same.
pub(super) async fn write(
    objects: &Objects,
    prefix: &str,
    epoch: u64,
    input: &MergeInput,
    collected: Collected,
    part_rows: usize,
    heartbeat: &mut Heartbeat<'_>,
) -> Result<Vec<Part>, WorkerError> {
    let Collected { merge, bounds, .. } = collected;
    let mut columns = Columns::new(&input.account_id);
    let mut rows = merge.finish();
    let mut parts = Vec::new();
    let mut next = rows.next();
    loop {
        let mut left = part_rows;
        let mut writer = ArrowWriter::try_new(Vec::new(), columns.schema(), Some(properties()))?;
        while left > 0 && next.is_some() {
            let batch = left.min(BATCH_ROWS);
            for _ in 0..batch {
                let Some(row) = next.take() else { break };
                append(&mut columns, &row, &bounds);
                left -= 1;
                next = rows.next();
            }
            writer.write(&columns.take()?)?;
            heartbeat.beat().await?;
        }
        let bytes = writer.into_inner()?;
        let number = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let key = layout::result_part(prefix, epoch, number);
        let part = Part {
            key,
            sha256: sha256(&bytes),
            rows: count(part_rows - left),
            bytes: bytes.len() as u64,
        };
        put(objects, &part.key, bytes.into()).await?;
        parts.push(part);
        heartbeat.beat().await?;
        if next.is_none() {
            return Ok(parts);
        }
    }
}

fn append(columns: &mut Columns, row: &Merged<Compact>, bounds: &[Option<(i64, i64)>]) {
    let bounds = bounds.get(row.row.page as usize).copied().flatten();
    columns.append(row, bounds);
}

fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("followlytics".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    // Values that hardly repeat: a dictionary would be built, found too large and thrown away.
    for name in ["id", "id_num", "handle", "name", "bio", "created"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    properties.build()
}
