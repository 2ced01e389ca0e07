//! Lists that a page for people shows: positions are the numbers of its cursors, which hold the time of the follow.

use jiff::Timestamp;

use super::{AccountReport, Plan, Planned, Space, Wishes, keyed, range_count, window_ms};
use crate::{
    account::Platform,
    money::Usd,
    platform::Seek,
    scan::{
        fallback::Thresholds,
        range::{NEWEST, Span},
        source::{Choice, Source},
        window::Rule,
    },
};

/// Positions a millisecond: a cursor is the milliseconds since 1970, and a number within the millisecond.
const PER_MS: i64 = 1 << 20;
/// Cuts fall on whole seconds: finer ones say more of the follower than of the list.
const UNIT: i64 = 1_000 * PER_MS;
/// Where two sides come towards each other the region grows by whole ranges: this many rows in each.
const MEETING_ROWS: i64 = 500;
/// Most ranges of such a plan.
const MEETING_RANGES: i64 = 200;

/// The position of everything older than `at`.
pub fn position(at: Timestamp) -> i64 {
    at.as_millisecond().max(0).saturating_mul(PER_MS)
}

/// The time of a position, in microseconds since 1970.
pub const fn time_of(position: i64) -> i64 {
    position / PER_MS * 1_000
}

/// What a browser's part of a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Sharing<'a> {
    /// The platform.
    pub platform: Platform,
    /// The account.
    pub report: &'a AccountReport,
    /// What the user allows.
    pub wishes: &'a Wishes,
    /// The limits of the web session.
    pub rules: &'a [Rule],
    /// What was spent to look the account up.
    pub spent: Usd,
    /// The time now.
    pub now: Timestamp,
}

impl Plan {
    /// Whether the list may be read from both ends. A scan that goes on from a result has nothing to meet but that, and
    /// the first rows lie at one end.
    pub const fn can_meet(&self) -> bool {
        self.since.is_none() && self.row_cap == 0
    }

    /// The same scan, read from these sources.
    #[must_use]
    pub fn shared_out(self, choice: Choice, sharing: &Sharing<'_>) -> Self {
        let Sharing {
            report, wishes, now, ..
        } = *sharing;
        let Some(web) = sharing.platform.web() else {
            return self;
        };
        let thresholds = Some(Thresholds::new(sharing.rules));
        let both = choice == Choice::Both && self.can_meet();
        if !both && choice != Choice::Only(Source::Browser) {
            return Self { thresholds, ..self };
        }
        let rows = self.rows;
        let shared = |ranges: Vec<Planned>, plan: Self| Self {
            root: Some(Span { lo: 0, hi: NEWEST }),
            runners: wishes
                .max_runners
                .min(u32::try_from(ranges.len()).unwrap_or(u32::MAX))
                .max(1),
            ranges,
            thresholds,
            ..plan
        };
        if both {
            let count = ((rows + MEETING_ROWS - 1) / MEETING_ROWS).clamp(2, MEETING_RANGES);
            let mut ranges = self.ranges.clone();
            ranges.extend(web_ranges(report, rows, count, now));
            return shared(ranges, self);
        }
        let count = if self.row_cap > 0 || self.since.is_some() {
            // Only the first rows are wanted: one reader goes from the newest on.
            1
        } else {
            range_count(rows, wishes)
        };
        let pages = (rows + i64::from(web.page_rows) - 1) / i64::from(web.page_rows);
        let made = self.requests - self.pages();
        let alone = Self {
            seek: Seek::Id,
            page_rows: web.page_rows,
            requests: made + pages.max(1) + count - 1,
            price: sharing.spent,
            window_ms: window_ms(pages, sharing.rules),
            ..self
        };
        shared(web_ranges(report, rows, count, now), alone)
    }
}

/// Equal stretches of time since the account was created: nobody probed how its followers came.
fn web_ranges(report: &AccountReport, rows: i64, count: i64, now: Timestamp) -> Vec<Planned> {
    let newest = position(now);
    let oldest = report.created.map_or(0, position).clamp(0, newest);
    let space = Space {
        end: 0,
        oldest,
        newest,
        unit: UNIT,
    };
    let mut ranges = keyed::ranges(space, &[], rows, count);
    for range in &mut ranges {
        range.source = Source::Browser;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{plan::plan, range::tiles};

    fn planned(choice: Choice, rows: i64) -> Plan {
        let report = AccountReport {
            id: "1".into(),
            handle: "h".into(),
            followers: rows,
            created: Some(Timestamp::from_second(1_500_000_000).unwrap()),
        };
        let wishes = Wishes {
            max_runners: 4,
            rows_per_range: 2_500,
            max_rows: 0,
            since: None,
            sweeps: 1,
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let sharing = Sharing {
            platform: Platform::X,
            report: &report,
            wishes: &wishes,
            rules: &[],
            spent: Usd::ZERO,
            now,
        };
        plan(Platform::X, &report, &[], &wishes, &[], now).shared_out(choice, &sharing)
    }

    fn web_spans(plan: &Plan) -> Vec<Span> {
        let web = plan.ranges.iter().filter(|range| range.source == Source::Browser);
        web.filter_map(|range| range.span).collect()
    }

    #[test]
    fn a_browser_alone_reads_ranges_that_tile_the_list_and_costs_nothing() {
        let plan = planned(Choice::Only(Source::Browser), 10_000);
        assert_eq!((plan.ranges.len(), plan.seek, plan.page_rows), (4, Seek::Id, 20));
        assert!(tiles(plan.root.unwrap(), &web_spans(&plan)));
        assert_eq!(plan.price, Usd::ZERO);
        assert!(plan.is_splittable());
    }

    #[test]
    fn both_are_a_chain_and_small_ranges_below_it() {
        let plan = planned(Choice::Both, 10_000);
        assert_eq!((plan.ranges.len(), plan.seek), (21, Seek::Chain));
        assert_eq!(plan.ranges[0].span, None);
        assert!(tiles(plan.root.unwrap(), &web_spans(&plan)));
        assert!(!plan.is_splittable());
    }

    #[test]
    fn the_api_alone_is_planned_as_ever() {
        let plan = planned(Choice::Only(Source::Api), 10_000);
        assert_eq!((plan.ranges.len(), plan.root), (1, None));
    }
}
