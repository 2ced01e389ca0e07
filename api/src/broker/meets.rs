//! Whether a page meets what is known already, so that its range ends with it.

use std::collections::BTreeSet;

use followlytics_core::{
    page::{self, Header, Page},
    scan::{
        range::RangeId,
        since::{Base, Known, OVERLAP},
    },
};
use followlytics_store::ledger::{Meeting, Sandbox};

use super::{Broker, BrokerError};

/// Pages of the range behind a seam that are searched for its rows; more only read more of the seam.
const BEHIND: u32 = 20;
/// Pages before this one that an overlap may have begun on; more only read more of the list.
const BEFORE: u32 = 5;

/// Looks for what the page's range may meet. Asked again for the same page it finds the same.
pub(super) async fn meets(
    broker: &Broker,
    sandbox: &Sandbox,
    header: &Header,
    object: &[u8],
) -> Result<bool, BrokerError> {
    match broker.ledger.meeting(&sandbox.scan, header.range).await? {
        Meeting::Nobody => Ok(false),
        Meeting::Range(behind) => meets_range(broker, sandbox, behind, &page::decode(object)?).await,
        Meeting::Base(base) => meets_base(broker, sandbox, &base, &page::decode(object)?).await,
    }
}

/// For a page of a seam: whether one of its rows was read by the range behind the seam itself.
async fn meets_range(
    broker: &Broker,
    sandbox: &Sandbox,
    behind: RangeId,
    page: &Page,
) -> Result<bool, BrokerError> {
    let ids: BTreeSet<&str> = page.rows().map(|row| row.id.as_str()).collect();
    for key in broker
        .ledger
        .first_page_keys(&sandbox.scan, behind, BEHIND)
        .await?
    {
        let read = page::decode(&broker.objects.get(&key).await?)?;
        if read.rows().any(|row| ids.contains(row.id.as_str())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// For a page of a list that goes on from a result: whether it and the pages before it hold the overlap.
async fn meets_base(
    broker: &Broker,
    sandbox: &Sandbox,
    base: &Base,
    page: &Page,
) -> Result<bool, BrokerError> {
    let head: Vec<String> = serde_json::from_slice(&broker.objects.get(&base.head).await?)
        .map_err(|error| BrokerError::Invalid(format!("the head of result {}: {error}", base.version)))?;
    let mut rows = ids(page);
    for key in broker
        .ledger
        .last_page_keys(&sandbox.scan, page.header.range, BEFORE)
        .await?
    {
        if rows.len() >= page.lines.len() + OVERLAP {
            break;
        }
        let before = page::decode(&broker.objects.get(&key).await?)?;
        // A page that was committed already is asked about again where its answer was lost.
        if before.header.seq < page.header.seq {
            rows.splice(0..0, ids(&before));
        }
    }
    Ok(Known::new(head).meets(rows.iter().map(String::as_str)))
}

fn ids(page: &Page) -> Vec<String> {
    page.rows().map(|row| row.id.clone()).collect()
}
