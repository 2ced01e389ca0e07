//! Observations: what the pages of a scan showed of the list itself, beside its rows.
//!
//! A certificate is issued from what is known of a platform. What a page shows can only weaken it: an anomaly is
//! counter-evidence, a total that changes is drift, rows that a full page lacks are hidden accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::range::Kind;
use crate::page::Header;

/// What a page showed that contradicts the platform's facts.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
)]
pub enum Anomaly {
    /// The list ended without the proof that this platform gives.
    EndUnproven,
    /// A page lacked rows although more follow by the list's own total.
    ShortPage,
    /// A page held rows past the list's own total.
    RowsPastTotal,
    /// A page held more rows than requested.
    SurplusRows,
    /// A cursor could not be read as a position.
    CursorUnreadable,
    /// A cursor led to a place that had been read.
    CursorRepeated,
    /// A key did not fall from one page to the next.
    KeyRose,
    /// More rows share one key than a page holds: those beyond it cannot be requested.
    KeysTied,
}

impl Anomaly {
    /// The sentence of a certificate about so many pages that showed it.
    pub fn evidence(self, pages: i64) -> String {
        let on = if pages == 1 {
            "1 page".to_owned()
        } else {
            format!("{pages} pages")
        };
        let what = match self {
            Self::EndUnproven => "ended the list without the proof that this platform gives",
            Self::ShortPage => "lacked rows although more follow by the list's own total",
            Self::RowsPastTotal => "held rows past the list's own total",
            Self::SurplusRows => "held more rows than requested",
            Self::CursorUnreadable => "had a cursor that could not be read as a position",
            Self::CursorRepeated => "led back to a place that had been read",
            Self::KeysTied => {
                "followed a page of rows that all share one key: others of that key may not be listed"
            }
            Self::KeyRose => "led to newer rows than the page before",
        };
        format!("{on} {what}")
    }
}

/// The list's own totals, in the order in which pages were committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// On the first page.
    pub first: i64,
    /// On the last page.
    pub last: i64,
    /// Pages whose total differs from the one before.
    pub changes: i64,
}

/// What the pages of a scan showed of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Observed {
    /// Pages with each anomaly.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub anomalies: BTreeMap<Anomaly, i64>,
    /// The list's own totals, where the platform sends them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// Rows that full pages lacked, although more followed: accounts that the platform counts but does not list.
    pub lacking: i64,
    /// Rows that were read again on purpose, by seams and second passes.
    pub reread: i64,
}

impl Observed {
    /// Adds a committed page of so many requested rows, under a range of this kind.
    pub fn add_page(&mut self, header: &Header, kind: Kind, requested: u32) {
        for anomaly in &header.anomalies {
            self.add(*anomaly);
        }
        if let Some(total) = header.total {
            let totals = self.totals.get_or_insert(Totals {
                first: total,
                last: total,
                changes: 0,
            });
            totals.changes += i64::from(totals.last != total);
            totals.last = total;
        }
        if matches!(kind, Kind::Seam | Kind::Sweep) {
            self.reread += i64::from(header.returned);
        } else if !header.exhausted
            && !header.names_itself()
            && header.output.position != header.input.position
        {
            // The rows of one key alone never fill a page, and a page that is read again lacks its rows again.
            self.lacking += i64::from(requested.saturating_sub(header.returned));
        }
    }

    /// Takes back what the last page of a list seemed to lack: that nothing followed was seen only with the page behind it.
    pub fn take_back_lacking(&mut self, rows: i64) {
        self.lacking = self.lacking.saturating_sub(rows).max(0);
    }

    /// Adds an anomaly that the broker found itself.
    pub fn add(&mut self, anomaly: Anomaly) {
        *self.anomalies.entry(anomaly).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::header;

    fn page(total: Option<i64>, returned: u32, exhausted: bool) -> Header {
        Header {
            exhausted,
            returned,
            total,
            ..header()
        }
    }

    #[test]
    fn totals_that_change_are_counted_and_the_last_one_is_kept() {
        let mut observed = Observed::default();
        for total in [Some(10), Some(10), None, Some(12), Some(11)] {
            observed.add_page(&page(total, 5, false), Kind::Listing, 5);
        }
        let totals = observed.totals.unwrap();
        assert_eq!((totals.first, totals.last, totals.changes), (10, 11, 2));
    }

    #[test]
    fn rows_are_lacking_only_where_more_follow() {
        let mut observed = Observed::default();
        observed.add_page(&page(None, 97, false), Kind::Listing, 100);
        observed.add_page(&page(None, 40, true), Kind::Listing, 100);
        observed.add_page(&page(None, 10, false), Kind::Seam, 100);
        assert_eq!((observed.lacking, observed.reread), (3, 10));
    }

    #[test]
    fn anomalies_are_counted_by_kind_and_survive_storage() {
        let mut observed = Observed::default();
        let odd = Header {
            anomalies: vec![Anomaly::ShortPage, Anomaly::EndUnproven],
            ..header()
        };
        observed.add_page(&odd, Kind::Listing, 50);
        observed.add_page(&odd, Kind::Listing, 50);
        observed.add(Anomaly::CursorRepeated);
        let text = serde_json::to_string(&observed).unwrap();
        assert_eq!(serde_json::from_str::<Observed>(&text).unwrap(), observed);
        assert_eq!(observed.anomalies[&Anomaly::ShortPage], 2);
        assert_eq!(
            Anomaly::CursorRepeated.evidence(1),
            "1 page led back to a place that had been read"
        );
        assert_eq!(
            serde_json::from_str::<Observed>("{}").unwrap(),
            Observed::default()
        );
    }
}
