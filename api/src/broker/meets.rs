//! Whether a page meets what is known already, so that its range ends with it.

use followlytics_core::{
    page::{self, Header, Page},
    scan::{
        meeting::{self, KEPT},
        overlap::Known,
        range::{RangeId, Walk},
        seam,
        since::{self, Base, Head, Target},
    },
};
use followlytics_store::ledger::{Meeting, Sandbox, Sides};

use super::{Broker, BrokerError};

/// Pages behind a seam whose rows end it; more only read more of the seam.
const BEHIND: u32 = 20;
/// Pages of a finished range that are searched for its rows; the rest of a longer one is met page by page.
const PAGES: u32 = 2_000;
/// Pages before this one that an overlap may have begun on; more only read more of the list.
const BEFORE: u32 = 20;

/// Looks for what the page's range may meet. Asked again for the same page it finds the same.
pub(super) async fn meets(
    broker: &Broker,
    sandbox: &Sandbox,
    header: &Header,
    object: &[u8],
) -> Result<Met, BrokerError> {
    let met = match broker.ledger.meeting(&sandbox.scan, header.range).await? {
        Meeting::Nobody => false,
        Meeting::Behind { walk, ranges } => {
            meets_ranges(broker, sandbox, (walk, &ranges), &page::decode(object)?).await?
        }
        Meeting::Base {
            base,
            is_keyed,
            page_rows,
        } => {
            let page = page::decode(object)?;
            let before = 2 * since::run(page_rows);
            match target(broker, &base, is_keyed, page_rows).await? {
                Target::Key(reached) => page.header.output.position <= reached,
                Target::Rows(known) => {
                    let rows = rows_up_to(broker, sandbox, &page, before).await?;
                    known.overlap(rows.iter().map(String::as_str))
                }
            }
        }
        Meeting::Region(sides) => {
            return meets_region(broker, sandbox, &sides, &page::decode(object)?).await;
        }
    };
    Ok(Met { met, again: 0 })
}

/// What a page meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met {
    /// Whether the range ends with it.
    pub(super) met: bool,
    /// Its rows that were read before, from the other end.
    pub(super) again: i64,
}

/// After a range of a browser was read to its end: whether what was finished from the oldest end now holds what the
/// chain read last, so that the chain needs no further request.
///
/// A range may hold any number of rows, and the chain may end in the middle of it: all that is new in the region is
/// compared. What was there before was compared when it came.
pub(super) async fn meet_from_below(
    broker: &Broker,
    sandbox: &Sandbox,
    done: RangeId,
) -> Result<(), BrokerError> {
    let Some(sides) = broker.ledger.sides(&sandbox.scan).await? else {
        return Ok(());
    };
    let Some(place) = sides.finished.iter().position(|range| *range == done) else {
        return Ok(());
    };
    let last = last_rows(broker, sandbox, sides.chain, KEPT).await?;
    if last.is_empty() {
        return Ok(());
    }
    let new = sides.finished.get(..=place).unwrap_or_default();
    let rows = newest_rows(broker, sandbox, new, usize::MAX).await?;
    if meeting::all_known(rows).overlap(last.iter().map(String::as_str)) {
        broker.ledger.record_meeting(&sandbox.scan, &sides).await?;
    }
    Ok(())
}

/// For a page of a chain: whether it and the rows before it touch what was finished from the oldest end.
async fn meets_region(
    broker: &Broker,
    sandbox: &Sandbox,
    sides: &Sides,
    page: &Page,
) -> Result<Met, BrokerError> {
    let rows = rows_up_to(broker, sandbox, page, KEPT).await?;
    let known = region(broker, sandbox, sides).await?;
    let met = known.overlap(rows.iter().map(String::as_str));
    let again = page.rows().filter(|row| known.has(&row.id)).count();
    Ok(Met {
        met,
        again: if met {
            i64::try_from(again).unwrap_or(i64::MAX)
        } else {
            0
        },
    })
}

/// The newest rows of what was finished from the oldest end.
async fn region(broker: &Broker, sandbox: &Sandbox, sides: &Sides) -> Result<Known, BrokerError> {
    let newest = newest_rows(broker, sandbox, &sides.finished, KEPT).await?;
    Ok(meeting::known(newest))
}

/// At least so many of the newest rows of these ranges, where they have as many; the newest range comes first.
async fn newest_rows(
    broker: &Broker,
    sandbox: &Sandbox,
    ranges: &[RangeId],
    least: usize,
) -> Result<Vec<String>, BrokerError> {
    let mut newest = Vec::new();
    for range in ranges {
        for key in broker
            .ledger
            .first_page_keys(&sandbox.scan, *range, PAGES)
            .await?
        {
            if newest.len() >= least {
                return Ok(newest);
            }
            newest.extend(ids(&page::decode(&broker.objects.get(&key).await?)?));
        }
    }
    Ok(newest)
}

/// The last rows of a range: those of its last page, and so many before them.
async fn last_rows(
    broker: &Broker,
    sandbox: &Sandbox,
    range: RangeId,
    before: usize,
) -> Result<Vec<String>, BrokerError> {
    let keys = broker.ledger.last_page_keys(&sandbox.scan, range, BEFORE).await?;
    let Some((key, earlier)) = keys.split_first() else {
        return Ok(Vec::new());
    };
    let last = page::decode(&broker.objects.get(key).await?)?;
    Ok(pages_after(broker, earlier, &last, before).await?.concat())
}

/// For a page of a seam: whether it and the pages before it overlap what the ranges behind the seam had read.
///
/// An index list names its rows in order of position; `walk` is the direction in which its pages are read.
async fn meets_ranges(
    broker: &Broker,
    sandbox: &Sandbox,
    (walk, behind): (Walk, &[RangeId]),
    page: &Page,
) -> Result<bool, BrokerError> {
    let mut known = Vec::new();
    let mut pages = 0;
    for range in behind {
        for key in broker
            .ledger
            .first_page_keys(&sandbox.scan, *range, BEHIND - pages)
            .await?
        {
            pages += 1;
            let read = page::decode(&broker.objects.get(&key).await?)?;
            known.extend(seam::along(walk, ids(&read)));
        }
        if pages >= BEHIND {
            break;
        }
    }
    let mut rows = Vec::new();
    for page in pages_up_to(broker, sandbox, page, 2 * seam::RUN).await? {
        rows.extend(seam::along(walk, page));
    }
    Ok(Known::new(known, seam::RUN).overlap(rows.iter().map(String::as_str)))
}

/// What a list that goes on from a result is read down to.
async fn target(broker: &Broker, base: &Base, is_keyed: bool, page_rows: u32) -> Result<Target, BrokerError> {
    let head = Head::decode(&broker.objects.get(&base.head).await?)
        .map_err(|error| BrokerError::Invalid(format!("the head of result {}: {error}", base.version)))?;
    Ok(head.into_target(is_keyed, page_rows))
}

/// The rows of a page, after at least `before` of those that were read before it.
async fn rows_up_to(
    broker: &Broker,
    sandbox: &Sandbox,
    page: &Page,
    before: usize,
) -> Result<Vec<String>, BrokerError> {
    Ok(pages_up_to(broker, sandbox, page, before).await?.concat())
}

/// The same, page by page.
async fn pages_up_to(
    broker: &Broker,
    sandbox: &Sandbox,
    page: &Page,
    before: usize,
) -> Result<Vec<Vec<String>>, BrokerError> {
    let range = page.header.range;
    let keys = broker.ledger.last_page_keys(&sandbox.scan, range, BEFORE).await?;
    pages_after(broker, &keys, page, before).await
}

/// The same, where the pages before it are known, the last one first.
async fn pages_after(
    broker: &Broker,
    earlier: &[String],
    page: &Page,
    before: usize,
) -> Result<Vec<Vec<String>>, BrokerError> {
    let mut pages = vec![ids(page)];
    let mut rows = 0;
    for key in earlier {
        if rows >= before {
            break;
        }
        let earlier = page::decode(&broker.objects.get(key).await?)?;
        // A page that was committed already is asked about again where its answer was lost.
        if earlier.header.seq < page.header.seq {
            rows += earlier.lines.len();
            pages.push(ids(&earlier));
        }
    }
    pages.reverse();
    Ok(pages)
}

fn ids(page: &Page) -> Vec<String> {
    page.rows().map(|row| row.id.clone()).collect()
}
