//! The head: the ids of a result's newest rows, by which a later scan recognises what is known.

use std::collections::BTreeSet;

use followlytics_core::{
    layout,
    scan::{
        range::{Kind, NEWEST, Range, RangeId},
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
        newest: head.ids,
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
            if is_keyed(work.input.seek) && head.is_newest(range) {
                head.reach(range, page.header.output.position);
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
    ids: Vec<String>,
    /// The newest range with a page.
    range: Option<RangeId>,
    /// Position that its first page with a readable position reached.
    reached: Option<i64>,
    seen: BTreeSet<String>,
}

impl Newest {
    fn is_full(&self) -> bool {
        self.ids.len() >= HEAD
    }

    fn is_newest(&mut self, range: &Range) -> bool {
        *self.range.get_or_insert(range.id) == range.id
    }

    /// Below the range's end others read, and a page may reach past it. A page whose cursor could not be read keeps the
    /// position it began at.
    fn reach(&mut self, range: &Range, position: i64) {
        let span = range.span.filter(|span| position < span.hi);
        self.reached = self.reached.or(span.map(|span| position.max(span.lo)));
    }

    fn add(&mut self, id: &str) {
        if !self.is_full() && self.seen.insert(id.to_owned()) {
            self.ids.push(id.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use followlytics_core::scan::range::{Span, Walk};

    use super::*;

    #[test]
    fn a_head_keeps_the_first_position_of_the_newest_range() {
        let range = |id, lo, hi| Range::new(id, Kind::Listing, Some(Span { lo, hi }), Walk::Down, 0);
        let (newest, older) = (range(7, 50, NEWEST), range(3, 0, 50));
        let mut head = Newest::default();
        assert!(head.is_newest(&newest) && !head.is_newest(&older));
        head.reach(&newest, NEWEST);
        assert_eq!(head.reached, None, "a cursor that could not be read");
        head.reach(&newest, 80);
        head.reach(&newest, 60);
        assert_eq!(head.reached, Some(80));
        let mut short = Newest::default();
        short.reach(&newest, 20);
        assert_eq!(short.reached, Some(50), "others read below it");
    }
}
