//! The head: the ids of a result's newest rows, by which a later scan recognises what is known.

use std::collections::BTreeSet;

use followlytics_core::{
    layout,
    scan::{
        range::{Kind, NEWEST, Range},
        since::{HEAD, Head, can_stop, is_keyed},
    },
};

use super::prefix;
use crate::{
    WorkerError, pages,
    work::{Work, put},
};

/// Pages listed at once.
const PAGES: u32 = 64;

/// Writes the head; none for a list that is not read newest first.
pub(super) async fn write(work: &mut Work<'_>) -> Result<Option<String>, WorkerError> {
    if !can_stop(work.input.seek) {
        return Ok(None);
    }
    let mut head = Newest::default();
    let mut ranges: Vec<Range> = work.input.ranges.clone();
    ranges.retain(|range| range.kind == Kind::Listing && range.span.is_none_or(|span| !span.is_empty()));
    ranges.sort_by_key(|range| std::cmp::Reverse(range.span.map_or(NEWEST, |span| span.hi)));
    for range in ranges {
        if head.is_full() {
            break;
        }
        read(work, &range, &mut head).await?;
    }
    // Behind the overlap the list goes on as it did.
    if let Some(base) = work.input.since.clone() {
        let bytes = work.objects.get(&base.head).await?;
        let known = Head::decode(&bytes).map_err(|source| WorkerError::Manifest {
            key: base.head,
            source,
        })?;
        for id in &known.newest {
            head.add(id);
        }
        head.reached = head.reached.or(known.reached);
    }
    let key = layout::result_head(&prefix(work), work.job.epoch);
    let head = Head {
        newest: head.newest,
        reached: head.reached,
    };
    let bytes = serde_json::to_vec(&head).map_err(|source| WorkerError::Manifest {
        key: key.clone(),
        source,
    })?;
    put(work.objects, &key, bytes.into()).await?;
    Ok(Some(key))
}

async fn read(work: &mut Work<'_>, range: &Range, head: &mut Newest) -> Result<(), WorkerError> {
    let mut from = 0;
    while !head.is_full() {
        let rows = work
            .ledger
            .list_pages(&work.job.scan, range.id, from, PAGES)
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            if head.is_full() {
                break;
            }
            let page = pages::read(work.objects, &work.job.scan, &work.input, row).await?;
            if row.seq == 0 && head.newest.is_empty() && is_keyed(work.input.seek) {
                // Below the range's end others read; a page may reach past it.
                let end = range.span.map(|span| page.header.output.position.max(span.lo));
                head.reached = head.reached.or(end);
            }
            for follower in page.rows() {
                head.add(&follower.id);
            }
            from = row.seq + 1;
        }
        work.heartbeat.beat().await?;
    }
    Ok(())
}

/// Ids in the order in which they were first read.
#[derive(Default)]
struct Newest {
    newest: Vec<String>,
    /// Position that the newest page reached.
    reached: Option<i64>,
    seen: BTreeSet<String>,
}

impl Newest {
    fn is_full(&self) -> bool {
        self.newest.len() >= HEAD
    }

    fn add(&mut self, id: &str) {
        if !self.is_full() && self.seen.insert(id.to_owned()) {
            self.newest.push(id.to_owned());
        }
    }
}
