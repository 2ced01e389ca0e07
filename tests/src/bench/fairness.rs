//! A hundred mixed scans on one credential: how early they end, and whether one of them is left behind.

use anyhow::{Context as _, Result};
use followlytics_core::account::Platform;
use jiff::SignedDuration;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{
    report::{Bar, Section},
    world::{Listing, Setup, run},
};

/// Scans on one credential.
#[derive(Debug, Clone)]
pub struct Case {
    /// Seconds after the beginning, and pages, of each.
    pub scans: Vec<(i64, i64)>,
    /// Requests a window.
    pub requests: i64,
    /// Length of a window in milliseconds.
    pub window_ms: i64,
    /// Milliseconds a page takes.
    pub page_ms: i64,
}

/// What it came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Mean time from a scan's request to its last page.
    pub mean: SignedDuration,
    /// The smallest mean that any order has, where all come at once.
    pub bound: SignedDuration,
    /// The largest time ÷ what the scan would take if every slot were dealt out evenly.
    pub slowest: f64,
    /// The same in whole windows: who comes when a window is used up waits for the next one, whatever the share.
    pub slowest_in_windows: f64,
}

impl Case {
    /// Six in ten short, three middling, one long; all at once, or one every so many seconds.
    pub fn mixed(seed: u64, scans: i64, every_seconds: i64, long: i64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let scans = (0..scans)
            .map(|n| {
                let pages = match chance.random_range(0..10) {
                    0..6 => chance.random_range(1..8),
                    6..9 => chance.random_range(8..long / 6),
                    _ => chance.random_range(long / 6..=long),
                };
                (n * every_seconds, pages)
            })
            .collect();
        Self {
            scans,
            requests: 300,
            window_ms: 900_000,
            page_ms: 300,
        }
    }

    /// Pages in all.
    pub fn pages(&self) -> i64 {
        self.scans.iter().map(|(_, pages)| pages).sum()
    }
}

/// Runs the scans.
pub fn measure(case: &Case) -> Result<Measured> {
    let listings = case
        .scans
        .iter()
        .map(|(after_seconds, pages)| Listing {
            platform: Platform::X,
            followers: pages.unsigned_abs() * 1_000,
            runners: 1,
            rows_per_range: 10_000,
            after_seconds: *after_seconds,
        })
        .collect();
    let window = Some((case.requests, case.window_ms));
    let facts = run(Setup {
        window,
        page_ms: case.page_ms,
        ..Setup::of(listings)
    })?;
    let took: Vec<i64> = facts
        .scans
        .iter()
        .map(|scan| i64::try_from(scan.took.as_millis()))
        .collect::<Result<_, _>>()?;
    let count = i64::try_from(took.len())?;
    let fair = evenly(case);
    let slowest = |unit: i64| {
        let slowdown = |(took, fair): (&i64, &i64)| ratio(*took, (fair + unit - 1) / unit * unit);
        took.iter()
            .zip(&fair)
            .map(slowdown)
            .reduce(f64::max)
            .context("no scan")
    };
    Ok(Measured {
        mean: SignedDuration::from_millis(took.iter().sum::<i64>() / count),
        bound: SignedDuration::from_millis(shortest_first(case) / count),
        slowest: slowest(1)?,
        slowest_in_windows: slowest(case.window_ms)?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
fn ratio(took: i64, fair: i64) -> f64 {
    took as f64 / fair as f64
}

/// Sum of the times if all came at once and the shortest went first: the n-th to end cannot end before the n
/// shortest are read, nor before its own pages are, one after another.
fn shortest_first(case: &Case) -> i64 {
    let mut pages: Vec<i64> = case.scans.iter().map(|(_, pages)| *pages).collect();
    pages.sort_unstable();
    let mut sum = 0;
    pages
        .iter()
        .map(|pages| {
            sum += pages;
            ((sum - 1) / case.requests * case.window_ms + case.page_ms).max(pages * case.page_ms)
        })
        .sum()
}

/// Each scan's time if every slot went to whom was served least lately.
fn evenly(case: &Case) -> Vec<i64> {
    struct Reader {
        came: i64,
        left: i64,
        /// Number of the slot it had last; its arrival counts as one.
        served: i64,
        ended: i64,
    }
    let mut readers: Vec<Reader> = case
        .scans
        .iter()
        // Its look-up comes before its first page.
        .map(|(came, pages)| Reader {
            came: came * 1_000 + case.page_ms,
            left: *pages,
            served: -1,
            ended: 0,
        })
        .collect();
    let (mut now, mut used, mut reset, mut slot) = (0, 0, None, 0);
    while readers.iter().any(|reader| reader.left > 0) {
        if reset.is_some_and(|reset| reset <= now) {
            (used, reset) = (0, None);
        }
        let mut active: Vec<&mut Reader> = readers
            .iter_mut()
            .filter(|reader| reader.came <= now && reader.left > 0)
            .collect();
        for reader in active.iter_mut().filter(|reader| reader.served < 0) {
            reader.served = slot;
        }
        active.sort_by_key(|reader| reader.served);
        for reader in active {
            if used == case.requests {
                break;
            }
            (used, slot) = (used + 1, slot + 1);
            reset.get_or_insert(now + case.window_ms);
            (reader.left, reader.served, reader.ended) = (reader.left - 1, slot, now + case.page_ms);
        }
        // A full window is slept through in one step; steps stay whole pages.
        let full = reset
            .filter(|_| used == case.requests)
            .map_or(0, |reset| (reset - now) / case.page_ms);
        now += full.max(1) * case.page_ms;
    }
    readers
        .iter()
        .map(|reader| reader.ended - reader.came + case.page_ms)
        .collect()
}

/// The bench.
pub fn section() -> Result<Section> {
    let mut section = Section {
        name: "fairness",
        title: "A hundred mixed scans on one credential",
        head: vec![
            "arrivals",
            "pages",
            "mean",
            "shortest-first bound",
            "mean ÷ bound",
            "slowest ÷ its fair share",
            "… in whole windows",
        ],
        notes: vec![
            "X: 300 pages a window of 900 s, 0.3 s a page, in virtual time. Six in ten scans have under 8 pages, three \
             under 66, one up to 400."
                .to_owned(),
            "Bound: the n-th scan to end cannot end before the pages of the n shortest are read, nor before its own are, one \
             after another. It knows no arrivals, so it is given for scans that come at once only."
                .to_owned(),
            "Fair share: what a scan would take if every slot went to the scan that was served least lately. Scans that come \
             one by one are compared in whole windows: one that finds a window used up waits for the next, and whether it \
             finds it so is a matter of seconds."
                .to_owned(),
        ],
        ..Section::default()
    };
    for (name, every) in [("all at once", 0), ("one every 127 s", 127)] {
        let case = Case::mixed(11, 100, every, 400);
        let measured = measure(&case)?;
        let mean = ratio(
            i64::try_from(measured.mean.as_millis())?,
            i64::try_from(measured.bound.as_millis())?,
        );
        let (bound, of_bound) = match every {
            0 => (
                format!("{:.0} s", measured.bound.as_secs_f64()),
                format!("{mean:.3}"),
            ),
            _ => ("–".to_owned(), "–".to_owned()),
        };
        section.rows.push(vec![
            name.to_owned(),
            case.pages().to_string(),
            format!("{:.0} s", measured.mean.as_secs_f64()),
            bound,
            of_bound,
            if every == 0 {
                format!("{:.3}", measured.slowest)
            } else {
                "–".to_owned()
            },
            format!("{:.3}", measured.slowest_in_windows),
        ]);
        let slowest = if every == 0 {
            measured.slowest
        } else {
            measured.slowest_in_windows
        };
        if every == 0 {
            section.bars.push(Bar::at_most(
                format!("{name}: mean ÷ shortest-first bound"),
                mean,
                1.3,
            ));
        }
        section.bars.push(Bar::at_most(
            format!("{name}: slowest ÷ its fair share"),
            slowest,
            2.0,
        ));
    }
    Ok(section)
}
