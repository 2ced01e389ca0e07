//! Two passes over a list: which accounts only one of them saw. Reads the pages of both again, ids only.

use followlytics_core::scan::{
    range::Kind,
    sweep::{Sweeps, key},
};

use crate::{WorkerError, pages, work::Work};

/// Pages listed at once.
const PAGES: u32 = 64;

/// Compares the passes; `None` for a list that was read once.
pub(super) async fn compare(work: &mut Work<'_>) -> Result<Option<Sweeps>, WorkerError> {
    let ranges = work.input.ranges.clone();
    if ranges.iter().all(|range| range.kind != Kind::Sweep) {
        return Ok(None);
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for range in ranges {
        let seen = match range.kind {
            Kind::Resolve => continue,
            Kind::Listing | Kind::Seam => &mut first,
            Kind::Sweep => &mut second,
        };
        let mut from = 0;
        loop {
            let rows = work
                .ledger
                .list_pages(&work.job.scan, range.id, from, PAGES)
                .await?;
            let Some(last) = rows.last() else { break };
            from = last.seq + 1;
            for row in &rows {
                let page = pages::read(work.objects, &work.job.scan, &work.input, row).await?;
                seen.extend(page.rows().map(|follower| key(&follower.id)));
            }
            work.heartbeat.beat().await?;
        }
    }
    let total = work.input.observed.totals.map(|totals| totals.last);
    Ok(Some(Sweeps::compare(&mut [first, second], total)))
}
