//! Permits: a right to one request, paid for before it starts.

use jiff::{SignedDuration, Timestamp};

use super::{
    range::{Kind, NEWEST, Range, Walk},
    source::Source,
};
use crate::{
    account::Platform,
    money::Usd,
    mutants::{self, Mutant},
    platform::{Family, Seek},
};

/// Longest time between a permit and the start of its request.
pub const START: SignedDuration = SignedDuration::from_secs(10);
/// Longest request, and the time to report its outcome, after the start.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(45);

/// A scan's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// The most it may cost.
    pub budget: Usd,
    /// Settled.
    pub spent: Usd,
    /// Held by open permits.
    pub reserved: Usd,
    /// Perhaps charged.
    pub ambiguous: Usd,
    /// Charged above what permits had reserved, for rows that were not requested.
    pub surplus: Usd,
}

impl Purse {
    /// What may still be reserved. What is ambiguous counts as spent: the platform may have charged it. Negative once
    /// a surplus went beyond the budget.
    pub const fn left(&self) -> Usd {
        self.budget
            .minus(self.spent)
            .minus(self.reserved)
            .minus(self.ambiguous)
            .minus(self.surplus)
    }

    /// Adds the charge of a request that had reserved `reserved`.
    ///
    /// A platform may return and charge for more rows than requested. The budget limits what is requested:
    /// `spent + reserved + ambiguous` never exceeds it. The rest of the charge is the surplus, which is paid from the
    /// budget as long as something is left.
    pub fn charge(&mut self, reserved: Usd, charged: Usd) {
        let paid = if mutants::on(Mutant::SurplusAsSpent) {
            charged
        } else {
            charged.min(reserved)
        };
        self.spent = self.spent.plus(paid);
        self.surplus = self.surplus.plus(charged.minus(paid));
    }
}

/// Most rows that the platform may return for a request of at most `max_rows` rows: lists by row number are read in
/// whole pages.
pub fn most_rows(seek: Seek, max_rows: u32, page_rows: u32) -> i64 {
    i64::from(match seek {
        Seek::Index => max_rows.max(page_rows),
        Seek::Time | Seek::Id | Seek::Chain => max_rows,
    })
}

/// What the next request of a range would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// So many rows at most, for this price at most.
    Rows {
        /// Rows to ask for.
        rows: u32,
        /// Price to reserve.
        price: Usd,
    },
    /// The money left buys no row.
    Exhausted,
}

/// What the next listing request may ask for: a full page, or fewer rows where the cap or the money ends.
pub fn ask(
    (source, platform): (Source, Platform),
    page_rows: u32,
    row_cap: i64,
    rows_read: i64,
    purse: &Purse,
) -> Ask {
    let wanted = if row_cap > 0 {
        (row_cap - rows_read).clamp(1, i64::from(page_rows))
    } else {
        i64::from(page_rows)
    };
    let affordable = purse.left().fits(source.price(platform, Family::Followers, 1));
    let rows = wanted.min(affordable);
    match u32::try_from(rows) {
        Ok(rows) if rows > 0 => Ask::Rows {
            rows,
            price: source.price(platform, Family::Followers, i64::from(rows)),
        },
        _ => Ask::Exhausted,
    }
}

/// What a look-up takes.
pub fn ask_lookup((source, platform): (Source, Platform), purse: &Purse) -> Ask {
    let price = source.price(platform, Family::Lookup, 1);
    if purse.left() >= price {
        Ask::Rows { rows: 1, price }
    } else {
        Ask::Exhausted
    }
}

/// How far a permit moves the claimed mark: to the end of the page where its extent is known beforehand,
/// otherwise by what a page took so far. Below `floor` nothing is expected.
pub fn claimed(range: &Range, seek: Seek, page_rows: u32, floor: i64) -> i64 {
    let at = range.place.position;
    let Some(span) = range.span else { return at };
    let extent = match seek {
        Seek::Index => i64::from(page_rows),
        Seek::Time | Seek::Id if range.rows > 0 && range.kind == Kind::Listing => {
            if let Some(extent) = range.last.extent_of(i64::from(page_rows)) {
                return match range.walk {
                    Walk::Down => at.saturating_sub(extent).max(span.lo),
                    Walk::Up => at.saturating_add(extent).min(span.hi),
                };
            }
            let (stretch, rows) = match range.walk {
                // Where an open end began is not known: what is left has to do.
                Walk::Down if span.hi == NEWEST => {
                    (at.saturating_sub(span.lo.max(floor)), range.rows_left(floor))
                }
                Walk::Down => (span.hi.saturating_sub(at), range.rows),
                Walk::Up => (at.saturating_sub(span.lo), range.rows),
            };
            let per_page = i128::from(stretch.max(0)) * i128::from(page_rows) / i128::from(rows.max(1));
            i64::try_from(per_page).unwrap_or(0)
        }
        Seek::Time | Seek::Id | Seek::Chain => 0,
    };
    match range.walk {
        Walk::Down => at.saturating_sub(extent).max(span.lo),
        Walk::Up => at.saturating_add(extent).min(span.hi),
    }
}

/// When the outcome of a request that starts by `start_by` must have been reported.
pub fn settle_by(start_by: Timestamp) -> Timestamp {
    start_by.saturating_add(SETTLE).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::range::Span;

    fn purse(budget: i64, spent: i64, reserved: i64, ambiguous: i64) -> Purse {
        let usd = Usd::from_nanos;
        Purse {
            budget: usd(budget),
            spent: usd(spent),
            reserved: usd(reserved),
            ambiguous: usd(ambiguous),
            surplus: Usd::ZERO,
        }
    }

    const CENT: i64 = 10_000_000;

    #[test]
    fn the_last_dollars_buy_a_shorter_page() {
        let rich = purse(20 * 1000 * CENT, 0, 0, 0);
        assert_eq!(
            ask((Source::Api, Platform::X), 1000, 0, 0, &rich),
            Ask::Rows {
                rows: 1000,
                price: Usd::from_nanos(1000 * CENT)
            }
        );
        let poor = purse(1000 * CENT, 400 * CENT, 100 * CENT, 100 * CENT);
        assert_eq!(
            ask((Source::Api, Platform::X), 1000, 0, 0, &poor),
            Ask::Rows {
                rows: 400,
                price: Usd::from_nanos(400 * CENT)
            }
        );
        assert_eq!(
            ask((Source::Api, Platform::X), 1000, 0, 0, &purse(CENT - 1, 0, 0, 0)),
            Ask::Exhausted
        );
    }

    #[test]
    fn a_cap_asks_for_what_is_missing_only() {
        let rich = purse(20 * 1000 * CENT, 0, 0, 0);
        assert!(matches!(
            ask((Source::Api, Platform::X), 1000, 1500, 1000, &rich),
            Ask::Rows { rows: 500, .. }
        ));
    }

    #[test]
    fn a_whole_page_of_a_list_by_row_number_is_no_surplus() {
        assert_eq!(most_rows(Seek::Index, 10, 50), 50);
        assert_eq!(most_rows(Seek::Chain, 10, 50), 10);
    }

    #[test]
    fn free_platforms_need_no_budget() {
        let empty = purse(0, 0, 0, 0);
        assert_eq!(
            ask((Source::Api, Platform::Gitea), 50, 0, 0, &empty),
            Ask::Rows {
                rows: 50,
                price: Usd::ZERO
            }
        );
        assert_eq!(ask_lookup((Source::Api, Platform::X), &empty), Ask::Exhausted);
    }

    #[test]
    fn an_index_page_is_claimed_to_its_end_and_a_chain_claims_nothing() {
        let mut range = Range::new(1, Kind::Listing, Some(Span { lo: 0, hi: 120 }), Walk::Down, 120);
        assert_eq!(claimed(&range, Seek::Index, 50, 0), 70);
        range.place.position = 20;
        assert_eq!(claimed(&range, Seek::Index, 50, 0), 0, "never beyond the range");
        let newest = Range::new(
            1,
            Kind::Listing,
            Some(Span { lo: 0, hi: NEWEST }),
            Walk::Down,
            120,
        );
        assert_eq!(claimed(&newest, Seek::Time, 50, 0), NEWEST);
        assert_eq!(
            claimed(
                &Range::new(1, Kind::Listing, None, Walk::Down, 9),
                Seek::Chain,
                50,
                0
            ),
            0
        );
    }

    #[test]
    fn of_an_open_end_a_page_claims_its_share_of_what_is_left_and_no_more() {
        let mut range = Range::new(
            1,
            Kind::Listing,
            Some(Span { lo: 0, hi: NEWEST }),
            Walk::Down,
            500,
        );
        range.rows = 100;
        range.place.position = 9_000;
        assert_eq!(
            claimed(&range, Seek::Time, 100, 5_000),
            8_000,
            "400 rows are left in 4000"
        );
        range.rows = 500;
        assert_eq!(
            claimed(&range, Seek::Time, 100, 5_000),
            0,
            "nothing is expected any more"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200_000))]
        #[test]
        fn reservations_never_exceed_the_budget(
            budget in 0i64..1_000_000_000_000,
            steps in prop::collection::vec((0u32..=3000, any::<bool>()), 0..40),
        ) {
            let mut purse = purse(budget, 0, 0, 0);
            for (returned, lost) in steps {
                let Ask::Rows { rows, price } = ask((Source::Api, Platform::X), 1000, 0, 0, &purse) else { break };
                purse.reserved = purse.reserved.plus(price);
                prop_assert!(purse.left() >= Usd::ZERO);
                purse.reserved = purse.reserved.minus(price);
                if lost {
                    purse.ambiguous = purse.ambiguous.plus(price);
                } else {
                    let before = purse.surplus;
                    purse.charge(price, Platform::X.price(Family::Followers, i64::from(returned)));
                    prop_assert_eq!(purse.surplus > before, returned > rows);
                }
                let promised = purse.spent.plus(purse.reserved).plus(purse.ambiguous);
                prop_assert!(promised <= purse.budget);
            }
        }
    }
}
