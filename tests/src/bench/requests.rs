//! Requests ÷ necessary: every request a platform saw, against those without which the list cannot be read.

use anyhow::{Result, ensure};
use followlytics_core::{account::Platform, platform::Seek};

use super::{
    report::{Bar, Section},
    world::{Facts, Listed, Listing, Setup, run},
};

/// A list to read.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Where.
    pub platform: Platform,
    /// Followers.
    pub followers: u64,
    /// Runners at once.
    pub runners: u32,
    /// Rows a range aims at.
    pub rows_per_range: u32,
    /// Runners killed in the middle of their work.
    pub kills: u32,
}

impl Case {
    /// Nobody is killed.
    pub const fn calm(platform: Platform, followers: u64, runners: u32, rows_per_range: u32) -> Self {
        Self {
            platform,
            followers,
            runners,
            rows_per_range,
            kills: 0,
        }
    }
}

/// A list that was read.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    /// What was read.
    pub case: Case,
    /// Requests in the platform's log.
    pub requests: i64,
    /// Look-ups, probes, full pages, seam pages and one page for each further range of a list sought by time.
    pub necessary: i64,
    /// Requests that prove the end of a list that does not tell, the last row's key and what follows it: in no count of pages,
    /// yet not to be saved.
    pub end: i64,
    /// Pages of a list read without a fault, to compare kills with.
    pub pages: i64,
}

impl Ratio {
    /// Requests ÷ necessary.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub fn ratio(&self) -> f64 {
        self.requests as f64 / self.necessary as f64
    }

    /// The same with the end's proof among the necessary.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub fn ratio_with_end(&self) -> f64 {
        self.requests as f64 / (self.necessary + self.end) as f64
    }

    /// 1 + one request in flight for each kill ÷ pages.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub fn bound(&self) -> f64 {
        1.0 + f64::from(self.case.kills) / self.pages as f64
    }
}

/// Reads a list and counts.
pub fn measure(case: Case) -> Result<Ratio> {
    let listing = Listing {
        platform: case.platform,
        followers: case.followers,
        runners: case.runners,
        rows_per_range: case.rows_per_range,
        after_seconds: 0,
    };
    let facts = run(Setup {
        kills: case.kills,
        kill_every_ms: 1_700,
        ..Setup::of(vec![listing])
    })?;
    count(case, &facts)
}

fn count(case: Case, facts: &Facts) -> Result<Ratio> {
    let [Listed { summary, ranges, .. }] = facts.scans.as_slice() else {
        anyhow::bail!("not one scan")
    };
    ensure!(
        facts.kills == case.kills,
        "{} of {} kills found a runner at work",
        facts.kills,
        case.kills
    );
    let plan = summary.plan.as_ref();
    let rows = i64::try_from(case.followers)?;
    let page_rows = i64::from(plan.map_or(1, |plan| plan.page_rows));
    let by_time = plan.is_some_and(|plan| plan.seek == Seek::Time);
    let tally = &summary.requests;
    // Keys of a list by time are not unique: each page but the first repeats the last row before it.
    let pages = if by_time {
        1 + ((rows - page_rows).max(0) + page_rows - 2) / (page_rows - 1)
    } else {
        ((rows + page_rows - 1) / page_rows).max(1)
    };
    let seams = tally.seam_pages + if by_time { ranges - 1 } else { 0 };
    Ok(Ratio {
        case,
        requests: i64::try_from(facts.requests)?,
        necessary: tally.lookups + tally.probes + pages + seams,
        end: if by_time && rows > 0 { 2 } else { 0 },
        pages,
    })
}

/// The sizes that are reported.
fn cases() -> Vec<Case> {
    use Platform::{Bluesky, Gitea, X};
    vec![
        Case::calm(X, 0, 1, 10_000),
        Case::calm(X, 1_000, 1, 10_000),
        Case::calm(X, 250_500, 1, 10_000),
        Case::calm(Gitea, 49, 1, 10_000),
        Case::calm(Gitea, 5_000, 4, 1_000),
        Case::calm(Gitea, 60_000, 8, 5_000),
        Case::calm(Bluesky, 250, 1, 10_000),
        Case::calm(Bluesky, 5_050, 4, 1_000),
        Case::calm(Bluesky, 60_000, 8, 5_000),
        Case::calm(Bluesky, 100_000, 4, 10_000),
        Case {
            kills: 20,
            ..Case::calm(X, 250_500, 1, 10_000)
        },
        Case {
            kills: 20,
            ..Case::calm(Gitea, 60_000, 4, 5_000)
        },
        Case {
            kills: 20,
            ..Case::calm(Bluesky, 100_000, 4, 10_000)
        },
    ]
}

/// The bench.
pub fn section() -> Result<Section> {
    let mut section = Section {
        name: "requests",
        title: "Requests ÷ necessary",
        head: vec!["list", "followers", "runners", "kills", "requests", "necessary", "ratio", "bound", "with the end's proof"],
        notes: vec![
            "Necessary: look-ups, probes, followers ÷ rows of a page (rounded up), pages of seams, and one page for each \
             further range of a list sought by time, whose ranges do not end where pages do. Below 1 a range did end there."
                .to_owned(),
            "A list of Bluesky does not say which page is its last: its cursor is there until a page is empty. That last, \
             empty page is no page of followers, so the formula does not count it, and nothing proves the end without it: \
             a short page does not (rows of accounts that are hidden are left out of pages), nor does the profile's count \
             (it lags, and counts hidden ones). In lists of several ranges it hides in what the ranges save."
                .to_owned(),
            "Each kill drops one runner in the middle of a request or a post. The bound is one request in flight for each kill."
                .to_owned(),
        ],
        ..Section::default()
    };
    let mut worst: Vec<(&str, f64)> = Vec::new();
    for case in cases() {
        let found = measure(case)?;
        let name: &str = case.platform.into();
        section.rows.push(vec![
            name.to_owned(),
            case.followers.to_string(),
            case.runners.to_string(),
            case.kills.to_string(),
            found.requests.to_string(),
            found.necessary.to_string(),
            format!("{:.4}", found.ratio()),
            format!("{:.4}", found.bound()),
            format!("{:.4}", found.ratio_with_end()),
        ]);
        if case.kills > 0 {
            let what = format!("{name}, {} kills: requests ÷ necessary", case.kills);
            section
                .bars
                .push(Bar::at_most(what, found.ratio(), found.bound()));
        } else {
            match worst.iter_mut().find(|(platform, _)| *platform == name) {
                Some((_, ratio)) => *ratio = ratio.max(found.ratio()),
                None => worst.push((name, found.ratio())),
            }
        }
    }
    let calm = worst.into_iter().map(|(name, ratio)| {
        Bar::at_most(
            format!("{name}, no faults: worst requests ÷ necessary"),
            ratio,
            1.0,
        )
    });
    section.bars.splice(0..0, calm);
    Ok(section)
}
