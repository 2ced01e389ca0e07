//! Scan time ÷ the time that rate limits impose at least.

use anyhow::{Context as _, Result};
use followlytics_core::account::Platform;
use jiff::SignedDuration;

use super::{
    report::{Bar, Section},
    world::{Listing, Setup, run},
};

/// Scans of X on one credential.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Scans at once.
    pub scans: i64,
    /// Pages of all of them together.
    pub pages: i64,
    /// Requests a window.
    pub requests: i64,
    /// Length of a window in milliseconds.
    pub window_ms: i64,
    /// Milliseconds a page takes.
    pub page_ms: i64,
}

/// What it took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// From the first request for a scan to the last page of all.
    pub took: SignedDuration,
    /// What nothing can beat.
    pub bound: SignedDuration,
}

impl Measured {
    /// Time ÷ bound.
    pub fn ratio(&self) -> f64 {
        self.took.as_secs_f64() / self.bound.as_secs_f64()
    }
}

/// The least time for so many pages: whole windows waited for, then what is left, on so many chains at once.
pub fn bound(pages: i64, requests: i64, window_ms: i64, page_ms: i64, chains: i64) -> SignedDuration {
    let last = (pages - 1) % requests + 1;
    let deep = (last + chains - 1) / chains;
    SignedDuration::from_millis((pages - 1) / requests * window_ms + deep * page_ms)
}

/// Runs the scans.
pub fn measure(case: Case) -> Result<Measured> {
    let listings = (0..case.scans)
        .map(|n| Listing {
            platform: Platform::X,
            followers: (case.pages / case.scans + i64::from(n < case.pages % case.scans)).unsigned_abs()
                * 1_000,
            runners: 1,
            rows_per_range: 10_000,
            after_seconds: 0,
        })
        .collect();
    let window = Some((case.requests, case.window_ms));
    let facts = run(Setup {
        window,
        page_ms: case.page_ms,
        ..Setup::of(listings)
    })?;
    let took = facts
        .scans
        .iter()
        .map(|scan| scan.took)
        .max()
        .context("no scan")?;
    Ok(Measured {
        took,
        bound: bound(
            case.pages,
            case.requests,
            case.window_ms,
            case.page_ms,
            case.scans,
        ),
    })
}

/// The bench.
pub fn section() -> Result<Section> {
    let mut section = Section {
        name: "windows",
        title: "Scan time ÷ rate-limit bound",
        head: vec!["scans", "pages", "took", "bound", "ratio"],
        notes: vec![
            "X: 300 pages of 1,000 rows a window of 900 s, 0.3 s a page; real runners, broker and ledger in virtual time. \
             From the first request for a scan to its last page, look-ups included."
                .to_owned(),
            "Bound: ⌊(pages − 1) ÷ 300⌋ windows, and for the pages of the last one 0.3 s each, divided by the scans that can \
             read side by side."
                .to_owned(),
            "What is over it: the platform names its reset in whole seconds, and the look-up comes before the first page."
                .to_owned(),
        ],
        ..Section::default()
    };
    for scans in [1, 10, 100] {
        let case = Case {
            scans,
            pages: 1_530,
            requests: 300,
            window_ms: 900_000,
            page_ms: 300,
        };
        let measured = measure(case)?;
        section.rows.push(vec![
            scans.to_string(),
            case.pages.to_string(),
            format!("{:.1} s", measured.took.as_secs_f64()),
            format!("{:.1} s", measured.bound.as_secs_f64()),
            format!("{:.4}", measured.ratio()),
        ]);
        section.bars.push(Bar::at_most(
            format!("scans at once: {scans}; time ÷ bound"),
            measured.ratio(),
            1.01,
        ));
    }
    Ok(section)
}
