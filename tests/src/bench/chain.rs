//! A chain of X that never ends, for senders that fetch nothing: its scan, its account and what its pages say of
//! themselves.

use anyhow::Result;
use followlytics_core::{
    account::Platform,
    money::Usd,
    page::Header,
    scan::{plan::AccountReport, range::Place},
    wire::{Finding, Found, Held, Permit},
};
use followlytics_store::ledger::ScanRequest;

use super::world::{Listing, Setup, request};

/// Rows of a page; whole ones make an object of about 100 KB.
pub(super) const ROWS: u32 = 1000;
const FOLLOWERS: u64 = 1_000_000_000;

/// The scan of the chain with this number; its budget does not run out.
pub(super) fn scan(number: usize) -> Result<ScanRequest> {
    let listing = Listing {
        platform: Platform::X,
        followers: FOLLOWERS,
        runners: 1,
        rows_per_range: 10_000,
        after_seconds: 0,
    };
    let mut scan = request(&Setup::of(Vec::new()), &listing, number)?;
    scan.budget = Usd::from_nanos(i64::MAX / 4);
    Ok(scan)
}

/// What the look-up of the account with this id found.
pub(super) fn found(held: Held, permit: String, account: &str) -> Result<Found> {
    Ok(Found {
        held,
        permit,
        finding: Finding::Account(AccountReport {
            id: account.to_owned(),
            handle: "nasa".to_owned(),
            followers: i64::try_from(FOLLOWERS)?,
            created: None,
        }),
        told: None,
    })
}

/// The header of the page that a permit is for; the next page begins at `cursor`.
pub(super) fn header(scan: &str, account: &str, held: Held, permit: &Permit, cursor: String) -> Header {
    Header {
        format: Header::FORMAT,
        scan: scan.to_owned(),
        platform: Platform::X,
        account_id: account.to_owned(),
        range: held.range,
        epoch: held.epoch,
        seq: permit.seq,
        input: permit.place.clone(),
        output: Place {
            position: permit.place.position + 1,
            cursor: Some(cursor),
        },
        exhausted: false,
        permit: permit.id.clone(),
        seen_at: permit.seen_at,
        price_version: Platform::X.facts().price_version,
        source: followlytics_core::scan::source::Source::Api,
        returned: ROWS,
        total: None,
        anomalies: Vec::new(),
    }
}
