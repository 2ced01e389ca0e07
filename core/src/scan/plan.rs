//! The plan: which ranges, at what price, in what time; decided once, from what the look-up and the probes
//! found.

mod ids;
mod keyed;
mod since;
mod web;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::keyed::Space;
pub use self::{
    ids::{floor, top},
    web::{Sharing, position, time_of},
};
use super::{
    entry::Entry,
    fallback::Thresholds,
    range::{NEWEST, OLDEST, Place, Span, Walk},
    since::{Base, Since},
    source::Source,
    window::Rule,
};
use crate::{
    account::Platform,
    money::Usd,
    mutants::{self, Mutant},
    platform::{Family, Seek},
};

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountReport {
    /// The account's id.
    pub id: String,
    /// The handle it has now.
    pub handle: String,
    /// Followers the platform counts.
    pub followers: i64,
    /// When the account was created; nobody can have followed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
}

/// One page's extent, without its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Where it was asked for.
    pub asked: Place,
    /// Rows it held.
    pub rows: i64,
    /// Where the next page would begin; `None` at the end of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Place>,
    /// Rows of the whole list, where the platform tells (`X-Total-Count`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

impl Probe {
    /// A probe that was given up: it shows nothing of the list.
    pub fn given_up(asked: Place) -> Self {
        Self {
            next: Some(Place::unread(asked.position, "")),
            asked,
            rows: 0,
            total: None,
        }
    }

    fn is_given_up(&self) -> bool {
        self.rows == 0 && self.next.as_ref().is_some_and(Place::is_end)
    }
}

/// What the user allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wishes {
    /// Runners at once.
    pub max_runners: u32,
    /// Rows a range aims at.
    pub rows_per_range: u32,
    /// 0 = all rows; n = the first n in the platform's order.
    pub max_rows: i64,
    /// Only what is new since this result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Passes over an index list: 1, or 2 for a second one in the other direction.
    #[serde(default = "one")]
    pub sweeps: u32,
}

const fn one() -> u32 {
    1
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// How the list is entered.
    pub seek: Seek,
    /// The whole position space; `None` for a chain.
    pub root: Option<Span>,
    /// Direction of reading.
    pub walk: Walk,
    /// The ranges, in order of position, with the rows expected in each; one without a span for a chain.
    pub ranges: Vec<Planned>,
    /// Rows a page holds on this server.
    pub page_rows: u32,
    /// Stop after so many rows; 0 = never.
    pub row_cap: i64,
    /// Rows expected.
    pub rows: i64,
    /// Requests expected, those already made among them.
    pub requests: i64,
    /// List price expected, that of requests already made among them.
    pub price: Usd,
    /// Milliseconds that rate limits impose at least.
    pub window_ms: i64,
    /// Runners wanted.
    pub runners: u32,
    /// How a browser enters its ranges.
    #[serde(default, skip_serializing_if = "Entry::is_computed")]
    pub entry: Entry,
    /// When a browser is too slow; `None` where none may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
    /// The result it goes on from: its reader stops where the list is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Base>,
    /// Passes over the list.
    #[serde(default = "one")]
    pub sweeps: u32,
}

impl Plan {
    /// Rows to read for the cap (0 = none) if the range has so many pages: a list by time may repeat a row on every page
    /// but the first, for its keys are not unique.
    pub fn row_cap_of(&self, pages: u32) -> i64 {
        if self.row_cap > 0 && self.seek == Seek::Time {
            self.row_cap.saturating_add(i64::from(pages.saturating_sub(1)))
        } else {
            self.row_cap
        }
    }

    /// Rows that all passes read.
    pub fn rows_to_read(&self) -> i64 {
        self.rows.saturating_mul(i64::from(self.sweeps.max(1)))
    }

    /// Whether a browser reads some of it.
    pub fn has_browser(&self) -> bool {
        self.ranges.iter().any(|range| range.source == Source::Browser)
    }

    /// Whether its ranges may be cut while they are read. Where only the list's beginning is wanted, and in an order
    /// that only reading shows, one reader goes from the first row on.
    pub fn is_splittable(&self) -> bool {
        let from_the_start = self.row_cap > 0 && self.seek != Seek::Index || self.since.is_some();
        self.seek != Seek::Chain && !from_the_start
    }
}

/// A range of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its interval; `None` for a chain.
    pub span: Option<Span>,
    /// Rows expected in it.
    pub rows: i64,
    /// Where its rows come from.
    #[serde(default, skip_serializing_if = "Source::is_api")]
    pub source: Source,
}

impl Planned {
    const fn of_api(span: Option<Span>, rows: i64) -> Self {
        Self {
            span,
            rows,
            source: Source::Api,
        }
    }
}

/// Cuts in time fall on the platform's own clock: whole milliseconds.
pub const TIME_UNIT: i64 = 1000;

/// Where the next probe of a list should look after these, or `None` once enough is known.
pub fn probe_at(
    platform: Platform,
    report: &AccountReport,
    wishes: &Wishes,
    probes: &[Probe],
    now: Timestamp,
) -> Option<Place> {
    if probes.iter().any(Probe::is_given_up) {
        return None;
    }
    let facts = platform.facts();
    let number = u32::try_from(probes.len()).unwrap_or(u32::MAX);
    match facts.seek {
        // The first page tells the page size of the server and the length of the list.
        Seek::Index => (number == 0 && report.followers > 0).then_some(Place::at(i64::from(facts.page_rows))),
        // A list that is capped, or goes on from a result, is read by one runner from its newest end.
        Seek::Time | Seek::Id
            if wishes.max_rows > 0 || wishes.since.is_some() && facts.seek == Seek::Time =>
        {
            None
        }
        Seek::Id => ids::probe_at(facts.page_rows, report, wishes, probes),
        Seek::Time => {
            let ranges = range_count(report.followers, wishes);
            keyed::probe_at(time_space(report, probes, now), probes, report.followers, ranges)
        }
        Seek::Chain => None,
    }
}

/// Makes the plan.
pub fn plan(
    platform: Platform,
    report: &AccountReport,
    probes: &[Probe],
    wishes: &Wishes,
    rules: &[Rule],
    now: Timestamp,
) -> Plan {
    let facts = platform.facts();
    let cap = wishes.max_rows.max(0);
    let counted = counted(platform, report, probes);
    let seek = match (facts.seek, ids::top(probes)) {
        // A list too short to be probed begins at its newest end, by number or not: its pages show which.
        (Seek::Id, None) if !probes.is_empty() => Seek::Chain,
        (Seek::Time, _) if !seeks(probes) => Seek::Chain,
        (seek, _) => seek,
    };
    let rows = if cap > 0 { counted.min(cap) } else { counted };
    let page_rows = page_rows(facts.page_rows, seek, probes, counted);
    let is_unknown = seek == Seek::Id && probes.is_empty();
    let count = if cap > 0 && seek != Seek::Index || is_unknown {
        1
    } else {
        range_count(rows, wishes)
    };
    let mut ranges = match seek {
        Seek::Chain => vec![Planned::of_api(None, rows)],
        Seek::Index => index_ranges(rows, i64::from(page_rows), count),
        Seek::Time => keyed::ranges(time_space(report, probes, now), probes, rows, count),
        Seek::Id => keyed::ranges(ids::space(probes), probes, rows, count),
    };
    let is_full = |probe: &Probe| probe.rows == counted || counted % i64::from(page_rows) == 0;
    let may_go_on = platform == Platform::Gitea && (1..report.followers).contains(&counted);
    // A total whose last page is full, or its only one, looks the same if it is too low: one page past the end shows it.
    let past_end = i64::from(may_go_on && cap == 0 && probes.iter().any(is_full));
    if let Some(span) = ranges.last_mut().and_then(|last| last.span.as_mut()) {
        span.hi += past_end * i64::from(page_rows);
    }
    let root = match (
        ranges.first().and_then(|r| r.span),
        ranges.last().and_then(|r| r.span),
    ) {
        (Some(first), Some(last)) => Some(Span {
            lo: first.lo,
            hi: last.hi,
        }),
        _ => None,
    };
    let made = 1 + i64::try_from(probes.len()).unwrap_or(0);
    let pages = (rows + i64::from(page_rows) - 1) / i64::from(page_rows);
    let seams = i64::try_from(ranges.len()).unwrap_or(1) - 1;
    let sweeps = if seek == Seek::Index {
        wishes.sweeps.max(1)
    } else {
        1
    };
    let listed = pages.max(1).saturating_mul(i64::from(sweeps)) + seams + past_end;
    let requests = made + listed;
    let price = platform
        .price(Family::Lookup, 1)
        .plus(platform.price(Family::Followers, rows));
    let open = ranges.len();
    Plan {
        seek,
        root,
        walk: if mutants::on(Mutant::WrongDirection) {
            Walk::Up
        } else {
            facts.walk
        },
        ranges,
        page_rows,
        row_cap: cap,
        rows,
        requests,
        price,
        window_ms: window_ms(listed, rules),
        runners: wishes
            .max_runners
            .min(u32::try_from(open).unwrap_or(u32::MAX))
            .max(1),
        entry: Entry::default(),
        thresholds: None,
        since: None,
        sweeps,
    }
}

/// The space of a list by time. Nobody follows an account before it exists, but follows can be backdated: the lowest
/// range has no end.
fn time_space(report: &AccountReport, probes: &[Probe], now: Timestamp) -> Space {
    let newest = now.as_microsecond();
    let created = report.created.map_or(0, Timestamp::as_microsecond);
    Space {
        end: if mutants::on(Mutant::ListEndsAt1970) {
            0
        } else {
            OLDEST
        },
        oldest: created.max(floor(probes)).min(newest),
        newest,
        unit: TIME_UNIT,
    }
}

/// Whether the server enters its list by a time, as far as the probes show. One odd row under one probe does not make a
/// list a chain; a server of cursors that show no time, or that begins at its newest row wherever it is asked, does.
fn seeks(probes: &[Probe]) -> bool {
    let entered = probes.iter().any(|probe| probe.asked.position != NEWEST);
    let mut shown = probes
        .iter()
        .filter(|probe| probe.asked.position != NEWEST || !entered)
        .map(|probe| probe.next.as_ref().is_none_or(|next| !next.is_unread()))
        .peekable();
    shown.peek().is_none() || shown.any(|shows| shows)
}

/// Rows of the whole list: as the list itself says, but where it counts whole pages only (GitHub's last page) the
/// account's own count is finer. A total that its own first page exceeds says nothing.
fn counted(platform: Platform, report: &AccountReport, probes: &[Probe]) -> i64 {
    let page_rows = i64::from(platform.facts().page_rows);
    let own = report.followers.max(0);
    let probe = probes.iter().find(|probe| probe.total.is_some());
    let listed = probe.and_then(|probe| probe.total.filter(|total| *total >= probe.rows));
    match listed {
        Some(total) if platform == Platform::GitHub && (total - page_rows + 1..=total).contains(&own) => own,
        Some(total) => total.max(0),
        None => own,
    }
}

/// Ranges aimed at for so many rows.
fn range_count(rows: i64, wishes: &Wishes) -> i64 {
    let size = i64::from(wishes.rows_per_range.max(1));
    ((rows + size - 1) / size).max(1)
}

/// The server's page size: its own limit may be under the platform's, and then the first page shows it.
fn page_rows(most: u32, seek: Seek, probes: &[Probe], counted: i64) -> u32 {
    let first = probes
        .first()
        .filter(|_| seek == Seek::Index)
        .map(|probe| probe.rows);
    match first.and_then(|rows| u32::try_from(rows).ok()) {
        Some(rows) if rows > 0 && i64::from(rows) < counted.min(i64::from(most)) => rows,
        _ => most,
    }
}

/// Equal numbers of whole pages; the last range ends at the end of its last page.
pub(super) fn index_ranges(rows: i64, page: i64, count: i64) -> Vec<Planned> {
    let pages = ((rows + page - 1) / page).max(1);
    let count = count.clamp(1, pages);
    (0..count)
        .map(|n| {
            let span = Span {
                lo: pages * n / count * page,
                hi: pages * (n + 1) / count * page,
            };
            Planned::of_api(Some(span), (rows.min(span.hi) - span.lo).max(0))
        })
        .collect()
}

/// The least time that the limits impose on so many pages: whole windows waited for.
fn window_ms(pages: i64, rules: &[Rule]) -> i64 {
    rules
        .iter()
        .filter(|rule| rule.family == Family::Followers && rule.requests > 0)
        .map(|rule| ((pages - 1).max(0) / rule.requests).saturating_mul(rule.window_ms))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
