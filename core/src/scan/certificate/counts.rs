//! Counts: how many followers the platform counts, how many are in the result, and what explains the difference.
//!
//! An index list sends a total of exactly its rows: whoever is missing from it is unexplained. Elsewhere the count is the
//! account's own. It includes accounts that the list leaves out, and it moves while the list is read; so a small
//! difference is drift, and only a large one contradicts the list.

use super::Evidence;
use crate::{
    mutants::{self, Mutant},
    platform::{Drift, list::Hides},
    scan::observed::Anomaly,
};

/// A difference of so many thousandths of the count, and [`ALWAYS`], is drift.
const DRIFT_PER_MILLE: i64 = 20;
/// Accounts that a list may leave out without a trace, in thousandths of the count.
const SILENT_PER_MILLE: i64 = 50;
/// Followers that come and go in any scan; of a short list at most a fourth.
const ALWAYS: i64 = 50;

/// What the platform counts, and what of it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// The list's own total.
    pub(super) total: Option<i64>,
    /// Explained by a fact.
    pub(super) hidden: i64,
    /// Explained by nothing.
    pub(super) unexplained: i64,
    /// Counted, not in the result, and few enough to have left meanwhile.
    drifted: i64,
    /// Rows of an index list that were read twice, by no seam.
    duplicates: i64,
}

pub(super) fn count(evidence: &Evidence<'_>) -> Counts {
    let total = evidence.observed.totals.map(|totals| totals.last);
    let nothing = Counts {
        total,
        hidden: 0,
        unexplained: 0,
        drifted: 0,
        duplicates: 0,
    };
    if evidence.capped {
        return nothing;
    }
    match total {
        Some(total) => of_total(evidence, total, nothing),
        None => of_account(evidence, nothing),
    }
}

/// A list that counts its own rows.
fn of_total(evidence: &Evidence<'_>, total: i64, counts: Counts) -> Counts {
    let moved = evidence.observed.totals.is_some_and(|totals| totals.changes > 0);
    let missing = (total - evidence.unique).max(0);
    // Rows of a list that provably closes up are read twice where it moves, and who followed last is not read at all.
    let explained = evidence.list.carries_exact() && moved;
    let again = evidence.scanned - evidence.unread - evidence.unique - evidence.observed.reread;
    let greatest = evidence
        .observed
        .totals
        .map_or(total, |totals| totals.first.max(totals.last));
    if evidence.observed.anomalies.contains_key(&Anomaly::RowsPastTotal) && evidence.unique > greatest {
        // A total that the list exceeds explains nobody's absence. Page and total are two statements of the server: one
        // row too many may also have left between them.
        return Counts {
            total: None,
            unexplained: (evidence.platform_count.max(total) - evidence.unique).max(0),
            duplicates: again.max(0),
            ..counts
        };
    }
    Counts {
        hidden: (evidence.platform_count - total).max(0),
        unexplained: if explained { 0 } else { missing },
        drifted: if explained { missing } else { 0 },
        duplicates: if explained { 0 } else { again.max(0) },
        ..counts
    }
}

/// A list that only the account's own count speaks of.
fn of_account(evidence: &Evidence<'_>, counts: Counts) -> Counts {
    let count = evidence.platform_count;
    let least = if mutants::on(Mutant::HiddenNegative) {
        i64::MIN
    } else {
        0
    };
    let missing = (count - evidence.unique).max(least);
    let share = |per_mille: i64| count.max(0) / 1000 * per_mille + count.max(0) % 1000 * per_mille / 1000;
    let always = ALWAYS.min(count / 4);
    let hidden = match evidence.list.hides {
        Hides::Nothing => 0,
        Hides::Rows => missing.min(evidence.observed.lacking),
        Hides::Silently => missing.min(share(SILENT_PER_MILLE) + always),
    };
    let rest = missing - hidden;
    let is_small = rest <= share(DRIFT_PER_MILLE) + always || mutants::on(Mutant::CutTakenForDrift);
    let drifts = is_small && (evidence.unique > 0 || count == 0);
    Counts {
        hidden,
        unexplained: if drifts { 0 } else { rest },
        drifted: if drifts { rest } else { 0 },
        ..counts
    }
}

impl Counts {
    /// What the counts say against the result.
    pub(super) fn against(&self, evidence: &Evidence<'_>) -> Vec<String> {
        let mut against = Vec::new();
        let shows_nothing = evidence.unique == 0 || evidence.since.is_some() && evidence.scanned == 0;
        if shows_nothing && evidence.platform_count > 0 {
            // Mastodon's accounts may hide their lists, and then they look empty (trap B-19).
            against.push(format!(
                "the list is hidden: the platform counts {} followers and lists none",
                evidence.platform_count
            ));
        } else if self.unexplained > 0 && !mutants::on(Mutant::UnexplainedExact) {
            against.push(match self.total {
                Some(total) => format!(
                    "{} of the {total} rows that the list itself counts are missing",
                    self.unexplained
                ),
                None => format!(
                    "{} of {} followers that the platform counts are missing, and nothing explains it",
                    self.unexplained, evidence.platform_count
                ),
            });
        }
        if self.duplicates > 0 {
            against.push(format!(
                "{} rows were read twice, which no seam explains: rows moved while the list was read",
                self.duplicates
            ));
        }
        if evidence.list.drift == Drift::Both
            && let Some(totals) = evidence.observed.totals.filter(|totals| totals.changes > 0)
        {
            against.push(format!(
                "the list's total changed from {} to {} while it was read",
                totals.first, totals.last
            ));
        }
        against
    }

    /// What the counts say for it.
    pub(super) fn support(&self, evidence: &Evidence<'_>) -> Option<String> {
        if evidence.capped || self.unexplained > 0 || evidence.unique == 0 {
            return None;
        }
        let count = self.total.unwrap_or(evidence.platform_count);
        Some(match (self.hidden, self.drifted) {
            (0, 0) => format!("no follower is missing of the {count} that the platform counts"),
            (0, drifted) => format!("{drifted} fewer than the {count} counted: within drift"),
            (hidden, 0) => format!("{hidden} of those counted are accounts that the platform does not list"),
            (hidden, drifted) => format!(
                "{hidden} of those counted are accounts that the platform does not list, {drifted} are within drift"
            ),
        })
    }
}
