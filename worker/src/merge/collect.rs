//! Reads a scan's pages one at a time and keeps one row per follower.

use followlytics_core::{
    page::{self, Page},
    platform::Seek,
    row::Line,
    scan::{
        merge::{Id, Merge, Rank, Sighting},
        range::NEWEST,
    },
};
use followlytics_store::{
    ledger::{MergeInput, PageRow},
    objects::Objects,
};

use super::compact::Compact;
use crate::{WorkerError, heartbeat::Heartbeat};

/// What the pages brought.
pub(super) struct Collected {
    /// One row per follower.
    pub(super) merge: Merge<Compact>,
    /// Between which times the followers of each page followed, in microseconds, where the positions are times.
    pub(super) bounds: Vec<Option<(i64, i64)>>,
    /// Lines of all pages.
    pub(super) scanned: i64,
    /// Lines that could not be read.
    pub(super) unread: i64,
}

/// Reads all pages. The first that is not what the ledger says it is ends the merge.
pub(super) async fn collect(
    objects: &Objects,
    scan: &str,
    input: &MergeInput,
    heartbeat: &mut Heartbeat<'_>,
) -> Result<Collected, WorkerError> {
    let bounds = Vec::with_capacity(input.pages.len());
    let mut collected = Collected {
        merge: Merge::default(),
        bounds,
        scanned: 0,
        unread: 0,
    };
    for (row, number) in input.pages.iter().zip(0u32..) {
        let page = read(objects, scan, input, row).await?;
        collected.bounds.push(bounds_of(&page, row, input.seek));
        collected.add(&page, row, number, input.seek);
        heartbeat.beat().await?;
    }
    Ok(collected)
}

impl Collected {
    fn add(&mut self, page: &Page, row: &PageRow, number: u32, seek: Seek) {
        let (from, to) = (page.header.input.position, page.header.output.position);
        for (line, index) in page.lines.iter().zip(0u32..) {
            self.scanned += 1;
            match line {
                Line::Unread { .. } => self.unread += 1,
                Line::Row(follower) => {
                    let PageRow {
                        seen_at,
                        range,
                        epoch,
                        seq,
                        ..
                    } = *row;
                    let sighting = Sighting {
                        seen_at,
                        range,
                        epoch,
                        seq,
                        row: index,
                    };
                    let rank = Rank::new(seek, from, to, &sighting);
                    self.merge.add(Id::new(&follower.id), sighting, rank, || {
                        Compact::new(follower, number)
                    });
                }
            }
        }
    }
}

async fn read(objects: &Objects, scan: &str, input: &MergeInput, row: &PageRow) -> Result<Page, WorkerError> {
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

/// Nobody on a page followed after it was read, even where the page was asked for from the newest end.
fn bounds_of(page: &Page, row: &PageRow, seek: Seek) -> Option<(i64, i64)> {
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
