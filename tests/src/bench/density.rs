//! Four runners on lists whose rows lie unevenly, and nobody knows where: how well they share the work, and what probes,
//! cuts and proofs of ends cost. In virtual time.

use anyhow::Result;
use followlytics_core::account::Platform;
use followlytics_simulator::Growth;

use super::{
    report::{Bar, Section},
    runners::PAGE_MS,
    world::{Listing, Setup, Shape, run},
};

const FOLLOWERS: u64 = 100_000;
const RUNNERS: u32 = 4;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// What one list took.
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    /// Listing requests, probes among them.
    pub requests: u64,
    /// Requests without which the list cannot be read.
    pub necessary: u64,
    /// Requests in flight on average, from the first to the last of them.
    pub concurrency: f64,
    /// Ranges at the end.
    pub ranges: i64,
}

impl Shared {
    /// Requests ÷ necessary ones.
    pub fn ratio(&self) -> f64 {
        ratio(self.requests, self.necessary)
    }
}

/// The lists: name, how they came about, and the account's age in days.
pub fn lists() -> [(&'static str, Growth, i64); 7] {
    let burst = |seconds, ago| Growth::Burst { seconds, ago };
    [
        ("uniform, 90 days", Growth::Steady, 90),
        ("uniform, 3.5 years", Growth::Steady, 1_278),
        ("accelerating, 3.5 years", Growth::Accelerating, 1_278),
        ("viral: half in 1 % of 4 years", Growth::Viral, 1_461),
        ("90 % in the last week", burst(7 * DAY, 0), 1_278),
        ("90 % in the last hour", burst(HOUR, 0), 1_278),
        ("90 % in an hour two years ago", burst(HOUR, 730 * DAY), 1_278),
    ]
}

/// Reads one list.
pub fn measure(platform: Platform, followers: u64, shape: Shape) -> Result<Shared> {
    let listing = Listing {
        platform,
        followers,
        runners: RUNNERS,
        rows_per_range: 10_000,
        after_seconds: 0,
    };
    let facts = run(Setup {
        page_ms: PAGE_MS,
        shape: Some(shape),
        ..Setup::of(vec![listing])
    })?;
    let busy = PAGE_MS * i64::try_from(facts.listing_requests)?;
    let elapsed = i64::try_from(facts.listing.as_millis())?;
    Ok(Shared {
        requests: facts.listing_requests,
        necessary: followers.div_ceil(u64::from(platform.facts().page_rows)),
        concurrency: ratio(busy.try_into()?, elapsed.try_into()?),
        ranges: facts.scans.first().map_or(0, |scan| scan.ranges),
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures of a report")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

/// The bench.
pub fn section() -> Result<Section> {
    let mut section = Section {
        name: "density",
        title: "Four runners on lists of uneven density, in virtual time",
        head: vec![
            "list",
            "creation date",
            "concurrency",
            "requests",
            "requests ÷ pages",
            "ranges",
        ],
        notes: vec![format!(
            "{FOLLOWERS} followers on Bluesky, {PAGE_MS} ms a page, 2 ms a message to the broker. Concurrency: listing requests \
             times {PAGE_MS} ms, over the time from the start of the first to the end of the last, probes among them. Requests \
             count probes, pages that cross a cut, ranges without rows and proofs of the end."
        )],
        ..Section::default()
    };
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for (name, growth, days) in lists() {
        for is_age_known in [true, false] {
            let shape = Shape {
                growth,
                days,
                is_age_known,
            };
            let shared = measure(Platform::Bluesky, FOLLOWERS, shape)?;
            section.rows.push(vec![
                name.to_owned(),
                if is_age_known { "known" } else { "unknown" }.to_owned(),
                format!("{:.2}", shared.concurrency),
                shared.requests.to_string(),
                format!("{:.3}", shared.ratio()),
                shared.ranges.to_string(),
            ]);
            least = least.min(shared.concurrency);
            most = most.max(shared.ratio());
        }
    }
    section.bars.push(Bar::at_least(
        "average concurrency of four, worst list",
        least,
        3.6,
    ));
    section
        .bars
        .push(Bar::at_most("requests ÷ pages, worst list", most, 1.04));
    Ok(section)
}
