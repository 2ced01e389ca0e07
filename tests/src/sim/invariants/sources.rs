//! Two sources of one scan: what must hold, and how one came to help the other.

use std::collections::BTreeSet;

use followlytics_core::scan::{
    entry::Entry,
    range::{Kind, NEWEST, Range},
    source::Source,
};
use followlytics_store::ledger::ScanRow;
use jiff::Timestamp;

use super::super::shared::Shared;

/// How a scan was being read when it was last looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// The sources of its lists.
    sources: BTreeSet<Source>,
    /// Who looks the account up.
    resolver: Option<Source>,
    entry: Entry,
    /// Number of the next page of the chain that comes towards the browser's region, while they have not met.
    chain: Option<u32>,
}

/// ONE-SESSION: one sandbox at a time reads with a scan's web session.
pub(super) fn one_session(ranges: &[Range], now: Timestamp) -> Result<(), String> {
    let holders: BTreeSet<&str> = ranges
        .iter()
        .filter(|range| range.source == Source::Browser && range.is_held(now))
        .filter_map(|range| range.holder.as_deref()?.split('/').next())
        .collect();
    if holders.len() > 1 {
        return Err(format!("ONE-SESSION: {holders:?} read with one web session"));
    }
    Ok(())
}

/// Counts what became of the sources since the last look.
pub(super) fn note(shared: &Shared, row: &ScanRow, ranges: &[Range]) {
    let lists = || ranges.iter().filter(|range| range.kind == Kind::Listing);
    let chain = lists().find(|range| range.source == Source::Api);
    let both = lists().any(|range| range.source == Source::Browser);
    let now = Reading {
        sources: lists().map(|range| range.source).collect(),
        resolver: ranges
            .iter()
            .find(|range| range.kind == Kind::Resolve)
            .map(|range| range.source),
        entry: row.plan.as_ref().map(|plan| plan.entry).unwrap_or_default(),
        chain: chain
            .filter(|range| both && range.span.is_none())
            .map(|range| range.seq),
    };
    let before = shared
        .lock()
        .invariants
        .reading
        .insert(row.request.uid.clone(), now.clone())
        .unwrap_or_default();
    if let (Some(seq), Some((range, span))) =
        (before.chain, chain.and_then(|range| Some((range, range.span?))))
    {
        shared.count(match (span.lo, range.seq > seq) {
            (0, _) => "read out by the chain",
            (NEWEST, _) => "read out by the browser",
            (_, true) => "met",
            (_, false) => "met from below",
        });
    }
    let came = |source| {
        let listed =
            !before.sources.is_empty() && !before.sources.contains(&source) && now.sources.contains(&source);
        let looked_up = now.resolver == Some(source) && before.resolver.is_some_and(|was| was != source);
        listed || looked_up
    };
    if came(Source::Browser) {
        shared.count("fell back to the browser");
    }
    if came(Source::Api) {
        shared.count("fell back to the API");
    }
    if before.entry != now.entry {
        shared.count("refused entry");
    }
}
