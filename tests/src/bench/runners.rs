//! More runners on one list that can be sought: how much faster, and what a slow one costs. In virtual time.

use anyhow::{Context as _, Result};
use followlytics_core::account::Platform;

use super::{
    report::{Bar, Section},
    world::{Listing, Setup, run},
};

/// A list and its runners.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Where.
    pub platform: Platform,
    /// Followers.
    pub followers: u64,
    /// Runners.
    pub runners: u32,
    /// The requests of the runner with this number (from 1) take so many times as long.
    pub slow: (u32, i64),
}

/// Milliseconds a page takes.
pub const PAGE_MS: i64 = 50;

/// Seconds from the request for the scan to its last page.
pub fn measure(case: Case) -> Result<f64> {
    let listing = Listing {
        platform: case.platform,
        followers: case.followers,
        runners: case.runners,
        rows_per_range: 10_000,
        after_seconds: 0,
    };
    let facts = run(Setup {
        page_ms: PAGE_MS,
        slow: case.slow,
        ..Setup::of(vec![listing])
    })?;
    Ok(facts.scans.first().context("no scan")?.took.as_secs_f64())
}

/// Times of the same list with different runners.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// One runner.
    pub one: f64,
    /// Four.
    pub four: f64,
    /// Four, one of them ten times slower.
    pub lame: f64,
    /// Three.
    pub three: f64,
}

/// What one runner in four that is ten times slower leaves of four: 3.1.
const CAPACITY: f64 = 3.1;

impl Times {
    /// Measures them with a function of how many runners there are, and how many times slower the last one is.
    pub fn of(mut measure: impl FnMut(u32, i64) -> Result<f64>) -> Result<Self> {
        Ok(Self {
            one: measure(1, 1)?,
            three: measure(3, 1)?,
            four: measure(4, 1)?,
            lame: measure(4, 10)?,
        })
    }

    /// Their figures, as a row behind the list's name.
    pub fn row(&self, name: String) -> Vec<String> {
        let seconds = |time: f64| format!("{time:.1} s");
        vec![
            name,
            seconds(self.one),
            seconds(self.three),
            seconds(self.four),
            seconds(self.lame),
            format!("{:.2}", self.one / self.four),
            format!("{:.3}", self.over_capacity()),
            format!("{:.3}", self.lame / self.three),
        ]
    }

    /// The head of such rows.
    pub fn head() -> Vec<&'static str> {
        vec![
            "list",
            "1 runner",
            "3 runners",
            "4 runners",
            "4, one 10× slower",
            "1 ÷ 4",
            "slow one ÷ 3.1 runners' time",
            "slow one ÷ 3 runners",
        ]
    }

    /// The bars on them.
    pub fn bars(&self, name: &str) -> [Bar; 2] {
        [
            Bar::at_least(format!("{name}: four runners ÷ one"), self.one / self.four, 3.7),
            Bar::at_most(
                format!("{name}: cost of one slow runner in four"),
                self.over_capacity(),
                1.15,
            ),
        ]
    }

    /// Time with a slow runner ÷ what the work left in four would take if nothing were lost.
    pub fn over_capacity(&self) -> f64 {
        self.lame / (self.four * 4.0 / CAPACITY)
    }
}

/// What the columns mean.
pub const NOTE: &str = "Three fast runners and one ten times slower can do the work of 3.1: the cost of the slow one is the \
     time beyond that, for waiting on its pages and for handing its range to others. Beside it, the time compared with the \
     three fast ones alone: below 1 the slow one was of use.";

/// The bench.
pub fn section() -> Result<Section> {
    let mut section = Section {
        name: "runners",
        title: "Four runners on one list, in virtual time",
        head: Times::head(),
        notes: vec![format!(
            "{PAGE_MS} ms a page, 2 ms a message to the broker. {NOTE}"
        )],
        ..Section::default()
    };
    for (platform, followers) in [(Platform::Gitea, 100_000), (Platform::Bluesky, 200_000)] {
        let time = |runners, slow| {
            measure(Case {
                platform,
                followers,
                runners,
                slow,
            })
        };
        let times = Times::of(|runners, slowness| time(runners, (4, slowness)))?;
        let first = time(4, (1, 10))?;
        section
            .rows
            .push(times.row(format!("{platform}, {followers} followers")));
        section.notes.push(format!(
            "{platform}, the slow one being the first to come, who looks the account up and probes its list alone: {first:.1} s."
        ));
        section.bars.extend(times.bars(&platform.to_string()));
    }
    Ok(section)
}
