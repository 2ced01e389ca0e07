//! Plans that go on from an earlier result.

use super::{Plan, Planned, window_ms};
use crate::{
    account::Platform,
    platform::{Family, Seek},
    scan::{
        since::{Base, can_stop, run},
        window::Rule,
    },
};

impl Plan {
    /// The plan of a scan that goes on from an earlier result: one reader, from the newest end to what is known.
    #[must_use]
    pub fn going_on_from(self, base: Base, platform: Platform, rules: &[Rule]) -> Self {
        if !can_stop(self.seek) {
            return self;
        }
        let page_rows = i64::from(self.page_rows);
        // What came, as far as the counts show, and what proves that the rest is known.
        let came = (self.rows - base.rows).max(0);
        let pages = if self.seek == Seek::Chain {
            let run = i64::try_from(run(self.page_rows)).unwrap_or(page_rows);
            (came + run + page_rows - 1) / page_rows
        } else {
            came / page_rows + 1
        };
        let rows = (pages * page_rows).min(self.rows);
        let made = self.requests - self.ranges.len().try_into().unwrap_or(0) + 1 - self.pages();
        Self {
            ranges: vec![Planned::of_api(self.root, rows)],
            rows,
            requests: made + pages,
            price: platform
                .price(Family::Lookup, 1)
                .plus(platform.price(Family::Followers, rows)),
            window_ms: window_ms(pages, rules),
            runners: 1,
            since: Some(base),
            ..self
        }
    }

    pub(super) fn pages(&self) -> i64 {
        let page_rows = i64::from(self.page_rows);
        ((self.rows + page_rows - 1) / page_rows).max(1)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        money::Usd,
        scan::{
            plan::{AccountReport, Wishes, plan},
            since::Since,
        },
    };

    fn planned(platform: Platform, followers: i64, rows: i64) -> (Plan, Plan) {
        let report = AccountReport {
            id: "1".into(),
            handle: "h".into(),
            followers,
            created: None,
        };
        let wishes = Wishes {
            max_runners: 4,
            rows_per_range: 10_000,
            max_rows: 0,
            since: Some(Since::Latest),
            sweeps: 1,
        };
        let whole = plan(
            platform,
            &report,
            &[],
            &wishes,
            &[],
            Timestamp::from_second(1_700_000_000).unwrap(),
        );
        let base = Base {
            version: 3,
            rows,
            head: "head".into(),
            complete: true,
        };
        (whole.clone(), whole.going_on_from(base, platform, &[]))
    }

    #[test]
    fn only_what_came_is_priced_and_the_page_that_proves_it() {
        let (_, plan) = planned(Platform::X, 1_002_501, 1_000_000);
        assert_eq!((plan.rows, plan.requests), (4_000, 5));
        let (_, plan) = planned(Platform::X, 1_002_500, 1_000_000);
        assert_eq!((plan.rows, plan.requests, plan.runners), (3_000, 4, 1));
        assert_eq!(plan.price, Usd::from_nanos(10_000_000).times(3_001));
        assert!(!plan.is_splittable());
    }

    #[test]
    fn a_list_that_can_be_sought_is_one_range_for_one_reader() {
        let (whole, plan) = planned(Platform::Bluesky, 100_000, 100_000);
        assert!(whole.ranges.len() > 1 && whole.is_splittable());
        assert_eq!((plan.ranges.len(), plan.root), (1, whole.root));
        assert!(!plan.is_splittable());
        assert_eq!((plan.rows, plan.requests), (100, 2));
    }

    #[test]
    fn a_shorter_list_costs_the_page_that_proves_it() {
        let (_, plan) = planned(Platform::X, 400, 90_000);
        assert_eq!((plan.rows, plan.requests), (400, 2));
    }

    #[test]
    fn an_index_is_read_whole() {
        let (whole, plan) = planned(Platform::Gitea, 5_000, 4_000);
        assert_eq!(plan, whole);
    }
}
