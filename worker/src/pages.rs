//! Reads page objects, and believes nothing: each has to be what the ledger says it is.

use followlytics_core::{
    page::{self, Page},
    platform::Seek,
    scan::range::NEWEST,
};
use followlytics_store::{
    ledger::{MergeInput, PageRow},
    objects::Objects,
};

use crate::WorkerError;

/// Reads a page. One that is not what the ledger says it is cannot be made again.
pub(crate) async fn read(
    objects: &Objects,
    scan: &str,
    input: &MergeInput,
    row: &PageRow,
) -> Result<Page, WorkerError> {
    let damaged = |detail: String| WorkerError::Damaged {
        key: row.key.clone(),
        detail,
    };
    let bytes = objects.get(&row.key).await?;
    let found = page::sha256(&bytes);
    if found != row.sha256 {
        return Err(damaged(format!(
            "its SHA-256 is {found} ({} bytes), the ledger says {}: it was changed or cut off",
            bytes.len(),
            row.sha256
        )));
    }
    let page = page::decode(&bytes).map_err(|source| WorkerError::Page {
        key: row.key.clone(),
        source,
    })?;
    let header = &page.header;
    // The hash vouches for the bytes; this is for a row that names the wrong object.
    let ours = (scan, input.account_id.as_str(), row.range, row.epoch, row.seq);
    let its = (
        header.scan.as_str(),
        header.account_id.as_str(),
        header.range,
        header.epoch,
        header.seq,
    );
    if ours != its {
        return Err(damaged(format!("it is page {its:?}, the ledger says {ours:?}")));
    }
    if i64::try_from(page.lines.len()) != Ok(row.lines) {
        return Err(damaged(format!(
            "it has {} lines, the ledger says {}",
            page.lines.len(),
            row.lines
        )));
    }
    Ok(page)
}

/// Between which times, in microseconds, the followers of a page followed, where positions are times. Nobody on a
/// page followed after it was read, even where the page was asked for from the newest end.
pub(crate) fn bounds_of(page: &Page, row: &PageRow, seek: Seek) -> Option<(i64, i64)> {
    let (from, to) = (page.header.input.position, page.header.output.position);
    let known = |position: i64| {
        if position == NEWEST {
            row.seen_at.as_microsecond()
        } else {
            position
        }
    };
    (seek == Seek::Time).then(|| (known(from.min(to)), known(from.max(to))))
}
