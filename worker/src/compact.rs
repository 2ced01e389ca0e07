//! Compaction: the committed pages of a range, in order, become sorted runs, each follower once.
//!
//! A page object stays as it is: it is the log. A run can be made again from its pages at any time, with the same
//! rows.

use followlytics_core::{
    platform::Seek,
    row::Line,
    scan::{
        merge::{Id, Merge, Rank, Sighting},
        range::State,
        source::Source,
    },
};
use followlytics_store::ledger::{NewRun, PageRow, PagesOfRange, Shard, Span};

use crate::{
    WorkerError, combine,
    lanes::{Made, store},
    pages,
    repair::Repairs,
    rows::{Columns, Form, Seal},
    work::Work,
};

/// Rows written at once.
const BATCH_ROWS: usize = 8192;

/// Sorts the pages of the job's range, then merges runs once there are many.
pub(crate) async fn compact(work: &mut Work<'_>) -> Result<(), WorkerError> {
    for pages in work.ledger.unsorted_pages(&work.job.scan, work.job.range).await? {
        let ranges = &work.input.ranges;
        let goes_on = ranges
            .iter()
            .any(|range| range.id == pages.range && range.state == State::Open);
        sort(work, pages, !goes_on).await?;
    }
    let mut repairs = Repairs::default();
    while let Err(error) = combine::combine_some(work).await {
        repairs.after(work, error).await?;
    }
    Ok(work.ledger.finish_compact(work.job).await?)
}

/// Sorts pages of a range, a run's worth at a time; what is left is sorted too where nothing will follow it.
pub(crate) async fn sort(
    work: &mut Work<'_>,
    pages: PagesOfRange,
    to_the_end: bool,
) -> Result<(), WorkerError> {
    let mut from = pages.from;
    while from < pages.to {
        let most = work.settings.run_pages.min(pages.to - from);
        let listed = work
            .ledger
            .list_pages(&work.job.scan, pages.range, from, most)
            .await?;
        let (listed, is_full) = of_one_run(work, listed);
        let Some(last) = listed.last() else { return Ok(()) };
        if !is_full && !to_the_end {
            return Ok(());
        }
        let span = Span {
            range: pages.range,
            first: from,
            last: last.seq,
        };
        let run = sorted(work, span, &listed, "").await?;
        from = match work.ledger.add_run(work.job, &run).await? {
            Some(_) => span.last + 1,
            // Another job sorts this range, too: behind what it has done.
            None => next_page(work, pages).await?,
        };
    }
    Ok(())
}

/// The first page of a range that no run holds.
async fn next_page(work: &Work<'_>, pages: PagesOfRange) -> Result<u32, WorkerError> {
    let left = work
        .ledger
        .unsorted_pages(&work.job.scan, Some(pages.range))
        .await?;
    Ok(left.first().map_or(pages.to, |left| left.from))
}

/// Sorts the pages of a span again.
pub(crate) async fn sort_again(work: &mut Work<'_>, span: Span) -> Result<Vec<Shard>, WorkerError> {
    let most = span.last - span.first + 1;
    let listed = work
        .ledger
        .list_pages(&work.job.scan, span.range, span.first, most)
        .await?;
    // Not under the name of the damaged one, whose bytes stay where they are.
    Ok(sorted(work, span, &listed, "again-").await?.shards)
}

/// The pages of one run, and whether it is as large as a run gets.
fn of_one_run(work: &Work<'_>, mut listed: Vec<PageRow>) -> (Vec<PageRow>, bool) {
    let mut bytes = 0;
    let fits = listed.iter().take_while(|page| {
        let fits = bytes < work.settings.run_bytes;
        bytes += page.bytes;
        fits
    });
    let count = fits.count();
    listed.truncate(count);
    let is_full = count >= work.settings.run_pages as usize || bytes >= work.settings.run_bytes;
    (listed, is_full)
}

/// Reads pages and stores what they hold, in order of ids. The rows in memory are those of one run.
async fn sorted(
    work: &mut Work<'_>,
    span: Span,
    listed: &[PageRow],
    again: &str,
) -> Result<NewRun, WorkerError> {
    let mut gathered = Gathered::new(&work.input.account_id);
    for row in listed {
        let page = pages::read(work.objects, &work.job.scan, &work.input, row).await?;
        gathered.add(&page, row, work);
        work.heartbeat.beat().await?;
    }
    let Gathered {
        columns,
        merge,
        lines,
        unread,
    } = gathered;
    let order: Vec<(u32, Id, Rank)> = merge.finish().map(|row| (row.row, row.id, row.rank)).collect();
    let batch = columns.take(work.shape(), &order)?;
    drop(order);
    let mut shards = Vec::new();
    let mut from = 0;
    while from < batch.num_rows() {
        let mut seal = Seal::new(work.shape(), Form::of_run(work.settings))?;
        while from < batch.num_rows() && seal.bytes() < work.settings.piece_bytes {
            let rows = BATCH_ROWS.min(batch.num_rows() - from);
            seal.write(&batch.slice(from, rows))?;
            from += rows;
            work.heartbeat.beat().await?;
        }
        let piece = u32::try_from(shards.len()).unwrap_or(u32::MAX);
        let made = Made {
            lane: 0,
            piece,
            sealed: seal.finish()?,
            last: from == batch.num_rows(),
            trimmed: 0,
        };
        let name = format!("{again}{:06}-{:08}", span.range, span.first);
        let key =
            |hash: &str| followlytics_core::layout::shard(&work.job.scan, &name, work.job.epoch, piece, hash);
        shards.push(store(work.objects, made, key).await?);
    }
    Ok(NewRun {
        span,
        lines,
        unread,
        shards,
    })
}

/// The rows of some pages, in the order in which they came, and which of them are kept.
struct Gathered {
    columns: Columns,
    merge: Merge<u32>,
    lines: i64,
    unread: i64,
}

impl Gathered {
    fn new(account_id: &str) -> Self {
        Self {
            columns: Columns::new(account_id),
            merge: Merge::default(),
            lines: 0,
            unread: 0,
        }
    }

    fn add(&mut self, page: &followlytics_core::page::Page, row: &PageRow, work: &Work<'_>) {
        let seek = work.input.seek;
        let bounds = pages::bounds_of(page, row, seek);
        let (from, to) = (page.header.input.position, page.header.output.position);
        for (line, number) in page.lines.iter().zip(0u32..) {
            self.lines += 1;
            let Line::Row(follower) = line else {
                self.unread += 1;
                continue;
            };
            let sighting = Sighting {
                seen_at: row.seen_at,
                range: row.range,
                epoch: row.epoch,
                seq: row.seq,
                row: number,
            };
            // A browser's positions are its own, whatever the API's list is like.
            let seek = if page.header.source == Source::Browser {
                Seek::Id
            } else {
                seek
            };
            let rank = Rank::new(seek, from, to, &sighting);
            let id = Id::new(&follower.id, work.input.platform.facts().ids);
            let columns = &mut self.columns;
            self.merge.add(id.clone(), sighting, rank, || {
                columns.append(&id, follower, &sighting, (page.header.source, bounds))
            });
        }
    }
}
