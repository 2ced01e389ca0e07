//! The certificate: what is promised of a result, and the evidence for and against it.
//!
//! It begins with the facts of the server's implementation ([`crate::platform::list`]). What the scan itself showed can
//! only weaken it: a range that was not read, a seam that was not joined, an anomaly of a page, a follower that the
//! platform counts and nothing explains.

mod counts;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::counts::{Counts, count};
use super::{
    ends::{self, Ended, Verdict},
    meeting,
    observed::{Anomaly, Observed},
    range::{Kind, Range, Span, State, tiles},
    since::{self, Base},
};
use crate::{
    mutants::{self, Mutant},
    platform::{
        Drift, Seek,
        evidence::Grade,
        list::{Hides, ListTraits},
        server::Server,
    },
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
    /// Whether no account that followed throughout is missing, so that a diff may conclude who left and who is new.
    #[serde(default)]
    pub complete: bool,
    /// Whether everybody in the result was seen by this scan, rather than by the one it extends.
    #[serde(default = "is_current")]
    pub current: bool,
    /// Version of the result it extends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<i64>,
    /// Strength of the evidence for the list's order.
    #[serde(default = "observed")]
    pub grade: Grade,
    /// The server's implementation, and the source of the order.
    #[serde(default)]
    pub basis: String,
    /// Why it is not Exact; empty when it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What speaks for the result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub support: Vec<String>,
    /// The seams, in order of position.
    pub seams: Vec<Seam>,
    /// Rows read.
    pub scanned: i64,
    /// Followers in the result.
    pub unique: i64,
    /// Followers the platform counted at the start.
    pub platform_count: i64,
    /// The list's own total on its last page, where the platform sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_total: Option<i64>,
    /// Accounts that the platform counts and, as a fact explains, does not list. Never negative.
    pub hidden: i64,
    /// Accounts that the platform counts, that are not in the result, and that nothing explains.
    #[serde(default)]
    pub unexplained: i64,
    /// Count at the end − count at the start, where the end was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<i64>,
}

const fn is_current() -> bool {
    true
}

const fn observed() -> Grade {
    Grade::Observed
}

/// What a certificate is issued from.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// How the list was entered.
    pub seek: Seek,
    /// What is known of the server's lists.
    pub list: ListTraits,
    /// Which program the server says it runs.
    pub server: Option<&'a Server>,
    /// The planned space.
    pub root: Option<Span>,
    /// All ranges of the scan.
    pub ranges: &'a [Range],
    /// Ranges that ended because the platform said that the list ends.
    pub ended: &'a [Ended],
    /// What the pages showed.
    pub observed: &'a Observed,
    /// Whether the scan stopped at a row cap.
    pub capped: bool,
    /// The result it goes on from, if only what is new was read.
    pub since: Option<&'a Base>,
    /// Rows read.
    pub scanned: i64,
    /// Rows kept raw because they could not be read.
    pub unread: i64,
    /// Followers in the result.
    pub unique: i64,
    /// Followers the platform counted at the start.
    pub platform_count: i64,
}

/// Issues the certificate.
pub fn issue(evidence: &Evidence<'_>) -> Certificate {
    let seams = seams(evidence);
    let counts = count(evidence);
    let against = against(evidence, &seams, &counts);
    let stale = evidence.since.map(|base| {
        format!(
            "only what is new since result {} was read: who left since is still in it",
            base.version
        )
    });
    let complete = against.is_empty();
    let list = &evidence.list;
    let server = evidence
        .server
        .map_or_else(String::new, |server| format!("{server}; "));
    Certificate {
        guarantee: if complete && stale.is_none() {
            Guarantee::Exact
        } else {
            Guarantee::BestEffort
        },
        complete,
        current: stale.is_none(),
        extends: evidence.since.map(|base| base.version),
        grade: list.order.grade,
        basis: format!("{server}{}", list.order.citation),
        support: support(evidence, &counts),
        evidence: against.into_iter().chain(stale).collect(),
        seams,
        scanned: evidence.scanned,
        unique: evidence.unique,
        platform_count: evidence.platform_count,
        list_total: counts.total,
        hidden: counts.hidden,
        unexplained: counts.unexplained,
        drift: evidence.observed.totals.map(|totals| totals.last - totals.first),
    }
}

/// Why an account that followed throughout may be missing.
fn against(evidence: &Evidence<'_>, seams: &[Seam], counts: &Counts) -> Vec<String> {
    let mut against = Vec::new();
    if let Some(lacks) = evidence.list.lacks {
        against.push(lacks.to_owned());
    }
    if listing(evidence).all(|range| range.state == State::Done) && listing(evidence).count() > 0 {
        against.extend(false_ends(evidence));
        against.extend(hidden_meanwhile(evidence));
    } else {
        against.push("not every range was read to its end".to_owned());
    }
    let spans: Vec<Span> = listing(evidence).filter_map(|range| range.span).collect();
    if let Some(root) = evidence.root
        && !tiles(root, &spans)
    {
        against.push("the ranges do not tile the list".to_owned());
    }
    if evidence.capped {
        against.push("only the first rows were asked for (maxFollowers)".to_owned());
    }
    let open = seams.iter().filter(|seam| seam.join == Join::Open).count();
    if open > 0 {
        against.push(format!("{open} seams were not read again"));
    }
    let anomalies = evidence.observed.anomalies.iter();
    against.extend(anomalies.map(|(anomaly, pages)| Anomaly::evidence(*anomaly, *pages)));
    if let Some(base) = evidence.since {
        against.extend(of_base(base, &evidence.list));
        let has_ended = ends::has_ended(evidence.ranges, evidence.ended);
        against.extend(since::evidence(evidence.seek, has_ended));
    }
    against.extend(meeting::evidence(evidence.ranges));
    if evidence.unread > 0 {
        let rows = if evidence.unread == 1 { "row" } else { "rows" };
        against.push(format!(
            "{} {rows} could not be read; their source is kept in their pages",
            evidence.unread
        ));
    }
    against.extend(counts.against(evidence));
    against
}

/// What a result that another one extends passes on to it.
fn of_base(base: &Base, list: &ListTraits) -> Vec<String> {
    let incomplete =
        (!base.complete).then(|| format!("result {}, which it extends, is not complete", base.version));
    let backdated = (list.can_backdate && !mutants::on(Mutant::BackdatingUnsaid)).then(|| {
        format!(
            "a follow can be dated into the past here: one dated before result {} was taken is not read",
            base.version
        )
    });
    incomplete.into_iter().chain(backdated).collect()
}

/// A list of keys that ended although older rows were read elsewhere.
fn false_ends(evidence: &Evidence<'_>) -> Option<String> {
    if !matches!(evidence.seek, Seek::Time | Seek::Id) {
        return None;
    }
    let contradicted = match ends::judge(evidence.ranges, evidence.ended) {
        Verdict::Agree => return None,
        Verdict::Check { contradicted, .. } | Verdict::Contradict(contradicted) => contradicted,
    };
    Some(format!(
        "{contradicted} ranges were told that the list ends above rows that are older"
    ))
}

/// A list of keys that ended with an empty page, as a hidden one does.
fn hidden_meanwhile(evidence: &Evidence<'_>) -> Option<String> {
    let may_hide = evidence.list.hides == Hides::Silently && evidence.seek == Seek::Id;
    (may_hide && ends::may_be_hidden(evidence.ranges, evidence.ended)).then(|| {
        "the list ended with an empty page, and was not seen to have rows and then to end there again: it may have been \
         hidden while it was read"
            .to_owned()
    })
}

/// What speaks for the result, for those who weigh a best effort.
fn support(evidence: &Evidence<'_>, counts: &Counts) -> Vec<String> {
    let mut support = Vec::new();
    if evidence.seek == Seek::Chain && listing(evidence).all(|range| range.state == State::Done) {
        support.push("the chain was read from its newest row to its end without a gap".to_owned());
    }
    let ends = &evidence.observed.anomalies;
    if !ends.contains_key(&Anomaly::EndUnproven) && evidence.list.end.is_proven() {
        support.push(format!(
            "the end of the list is proved: {}",
            evidence.list.end.citation
        ));
    }
    let checks = ends::checks(evidence.ranges).count();
    if checks > 0 && false_ends(evidence).is_none() {
        support.push(format!(
            "followers changed at the end of the list, which {checks} more readings found consistent"
        ));
    }
    support.extend(counts.support(evidence));
    support
}

fn listing<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = &'a Range> {
    evidence.ranges.iter().filter(|range| range.kind == Kind::Listing)
}

fn seams(evidence: &Evidence<'_>) -> Vec<Seam> {
    let spans = listing(evidence).filter_map(|range| range.span);
    let mut inner: Vec<i64> = spans
        .filter(|span| !span.is_empty())
        .map(|span| span.lo)
        .collect();
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
            let join = match (evidence.list.drift, reread) {
                (Drift::None, _) => Join::Overlap,
                (Drift::TowardsStart | Drift::Both, true) => Join::Reread,
                (Drift::TowardsStart | Drift::Both, false) => Join::Open,
            };
            Seam { position, join }
        })
        .collect()
}
