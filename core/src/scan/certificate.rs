//! The certificate: what is promised of a result, and the evidence.

use serde::{Deserialize, Serialize};

use super::range::{Kind, Range, Span, State, tiles};
use crate::{
    mutants::{self, Mutant},
    platform::{Drift, Seek},
};

/// How much is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guarantee {
    /// Every account that followed from the first to the last request is in the result.
    Exact,
    /// Rows could slip past the reader; the evidence says where.
    BestEffort,
}

/// How two neighbouring ranges were joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Join {
    /// Positions are keys: nothing slips, the last page of one may overlap the other.
    Overlap,
    /// Read again until rows appeared that the range behind had read itself.
    Reread,
    /// Not read again.
    Open,
}

/// A seam between two ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seam {
    /// Its position.
    pub position: i64,
    /// How it was joined.
    pub join: Join,
}

/// What is promised of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// How much is promised.
    pub guarantee: Guarantee,
    /// Why it is not Exact; empty when it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The seams, in order of position.
    pub seams: Vec<Seam>,
    /// Rows read.
    pub scanned: i64,
    /// Followers in the result.
    pub unique: i64,
    /// Followers the platform counted at the start.
    pub platform_count: i64,
    /// `platform_count - unique`: what the platform counts but does not list.
    pub hidden: i64,
    /// Count at the end − count at the start, where the end was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<i64>,
}

/// What a certificate is issued from.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// How the list was entered.
    pub seek: Seek,
    /// Which way its rows move.
    pub drift: Drift,
    /// The planned space.
    pub root: Option<Span>,
    /// All ranges of the scan.
    pub ranges: &'a [Range],
    /// Whether the scan stopped at a row cap.
    pub capped: bool,
    /// The version it went on from, if only what is new was read.
    pub since: Option<i64>,
    /// Rows read.
    pub scanned: i64,
    /// Followers in the result.
    pub unique: i64,
    /// Followers the platform counted at the start.
    pub platform_count: i64,
}

/// Issues the certificate.
pub fn issue(evidence: &Evidence<'_>) -> Certificate {
    let listing: Vec<&Range> = evidence
        .ranges
        .iter()
        .filter(|r| r.kind == Kind::Listing)
        .collect();
    let spans: Vec<Span> = listing.iter().filter_map(|r| r.span).collect();
    let mut against = Vec::new();
    if listing.is_empty() || listing.iter().any(|r| r.state != State::Done) {
        against.push("not every range was read to its end".to_owned());
    }
    if let Some(root) = evidence.root
        && !tiles(root, &spans)
    {
        against.push("the ranges do not tile the list".to_owned());
    }
    if evidence.capped {
        against.push("only the first rows were asked for (maxFollowers)".to_owned());
    }
    if let Some(version) = evidence.since {
        against.push(format!(
            "only what is new since result {version} was read: who left since is still in it"
        ));
    }
    if evidence.drift == Drift::Both {
        against.push("rows of this list move both ways while it is read".to_owned());
    }
    if evidence.unique == 0 && evidence.platform_count > 0 {
        // Mastodon's accounts may hide their lists, and then they look empty (trap B-19).
        against.push(format!(
            "the list is hidden: the platform counts {} followers and lists none",
            evidence.platform_count
        ));
    }
    let seams = seams(evidence, &spans);
    let open = seams.iter().filter(|seam| seam.join == Join::Open).count();
    if open > 0 {
        against.push(format!("{open} seams were not read again"));
    }
    Certificate {
        guarantee: if against.is_empty() {
            Guarantee::Exact
        } else {
            Guarantee::BestEffort
        },
        evidence: against,
        seams,
        scanned: evidence.scanned,
        unique: evidence.unique,
        platform_count: evidence.platform_count,
        hidden: evidence.platform_count - evidence.unique,
        drift: None,
    }
}

fn seams(evidence: &Evidence<'_>, spans: &[Span]) -> Vec<Seam> {
    let read = spans.iter().filter(|span| !span.is_empty());
    let mut inner: Vec<i64> = read.map(|span| span.lo).collect();
    inner.sort_unstable();
    inner
        .into_iter()
        .skip(1)
        .map(|position| {
            let reread = mutants::on(Mutant::SeamSkipped)
                || evidence.ranges.iter().any(|r| {
                    r.kind == Kind::Seam
                        && r.state == State::Done
                        && r.span.is_some_and(|span| span.hi == position)
                });
            let join = match (evidence.drift, reread) {
                (Drift::None, _) => Join::Overlap,
                (Drift::TowardsStart | Drift::Both, true) => Join::Reread,
                (Drift::TowardsStart | Drift::Both, false) => Join::Open,
            };
            Seam { position, join }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::range::Walk;

    fn done(id: u32, kind: Kind, lo: i64, hi: i64) -> Range {
        let mut range = Range::new(id, kind, Some(Span { lo, hi }), Walk::Down, 10);
        range.state = State::Done;
        range
    }

    fn evidence(ranges: &[Range], drift: Drift) -> Evidence<'_> {
        let root = Some(Span { lo: 0, hi: 20 });
        Evidence {
            seek: Seek::Index,
            drift,
            root,
            ranges,
            capped: false,
            since: None,
            scanned: 20,
            unique: 19,
            platform_count: 21,
        }
    }

    #[test]
    fn a_list_of_keys_read_whole_is_exact() {
        let ranges = [done(1, Kind::Listing, 0, 10), done(2, Kind::Listing, 10, 20)];
        let certificate = issue(&evidence(&ranges, Drift::None));
        assert_eq!(certificate.guarantee, Guarantee::Exact);
        assert_eq!(
            certificate.seams,
            [Seam {
                position: 10,
                join: Join::Overlap
            }]
        );
        assert_eq!(certificate.hidden, 2);
    }

    #[test]
    fn a_list_that_closes_up_is_exact_only_with_its_seams_read_again() {
        let mut ranges = vec![done(1, Kind::Listing, 0, 10), done(2, Kind::Listing, 10, 20)];
        let without = issue(&evidence(&ranges, Drift::TowardsStart));
        assert_eq!(without.guarantee, Guarantee::BestEffort);
        assert_eq!(without.evidence, ["1 seams were not read again"]);
        ranges.push(done(3, Kind::Seam, 0, 10));
        assert_eq!(
            issue(&evidence(&ranges, Drift::TowardsStart)).guarantee,
            Guarantee::Exact
        );
    }

    #[test]
    fn a_list_that_is_hidden_is_not_complete() {
        let ranges = [done(1, Kind::Listing, 0, 20)];
        let hidden = Evidence {
            unique: 0,
            ..evidence(&ranges, Drift::None)
        };
        let certificate = issue(&hidden);
        assert_eq!(certificate.guarantee, Guarantee::BestEffort);
        assert!(certificate.evidence[0].contains("counts 21 followers and lists none"));
        let empty = Evidence {
            platform_count: 0,
            ..hidden
        };
        assert_eq!(issue(&empty).guarantee, Guarantee::Exact);
    }

    #[test]
    fn a_gap_an_unread_range_and_both_ways_are_never_exact() {
        let gap = [done(1, Kind::Listing, 0, 9), done(2, Kind::Listing, 10, 20)];
        assert_eq!(
            issue(&evidence(&gap, Drift::None)).guarantee,
            Guarantee::BestEffort
        );
        let mut unread = vec![done(1, Kind::Listing, 0, 20)];
        assert_eq!(
            issue(&evidence(&unread, Drift::Both)).guarantee,
            Guarantee::BestEffort
        );
        unread[0].state = State::Open;
        assert_eq!(
            issue(&evidence(&unread, Drift::None)).guarantee,
            Guarantee::BestEffort
        );
        assert_eq!(
            issue(&evidence(&[], Drift::None)).guarantee,
            Guarantee::BestEffort
        );
    }
}
