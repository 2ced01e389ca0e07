//! Which follows are on a page of the web client's list, and where the next page begins.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::{
    answer::Turn,
    edges::{Edge, Edges, SEQUENCE_STEP},
    faults::FaultKind,
    ids::mix,
    population::{Account, Population},
    synth,
    x::followers::empty_page_position,
};

/// Rows in front of the first page that are there for their rank.
const RANKED: usize = 20;
/// The first page's shortest length; it is up to five longer.
const FIRST_PAGE: usize = 65;
/// Followers looked at for those that rank.
const CANDIDATES: usize = 400;
const DEFAULT: usize = 20;
const LONGEST: usize = 100;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At the newest follow, with the ranked ones in front; its length is the server's choice.
    Newest,
    /// Below this position.
    Below(u64),
}

/// A stretch of the list, before it is written.
pub(super) struct Cut {
    /// In the order of the page.
    pub(super) users: Vec<u64>,
    /// Position of the next page; 0 is the end of the list.
    pub(super) bottom: u64,
}

/// The place a cursor names; `None` if the server would not have given it out.
pub(super) fn start(turn: &Turn<'_>, edges: Option<&Edges>) -> Option<Start> {
    let Some(text) = turn.ask.cursor() else {
        return Some(Start::Newest);
    };
    let (position, request) = text.split_once('|')?;
    request.parse::<u64>().ok()?;
    if position == "-1" {
        return Some(Start::Newest);
    }
    let position: i64 = position.parse().ok()?;
    let position = u64::try_from(position).ok()?;
    let own = |position: u64| {
        // The cursor of an empty page lies in the gap above a follow.
        let gap = position.saturating_sub(SEQUENCE_STEP / 2)..=position;
        position == 0 || edges.is_some_and(|edges| edges.had_key_in(gap))
    };
    let accepted = turn.config.x.web.accept_fabricated_cursor || own(position);
    (accepted && !turn.has_fault(&FaultKind::ExpiredCursor)).then_some(Start::Below(position))
}

/// The rows of one page.
pub(super) fn cut(people: &Population, account: &Account, start: Start, turn: &Turn<'_>) -> Cut {
    let (position, full) = match start {
        Start::Newest => (u64::MAX, first_length(people, account)),
        Start::Below(position) => (position, count(turn)),
    };
    let limit = match turn.fault {
        Some(FaultKind::ShortPage) => full.div_ceil(2).min(full.saturating_sub(1)),
        Some(FaultKind::EmptyPage) => 0,
        _ => full,
    };
    let edges = &account.edges;
    let mut page: Vec<Edge> = edges.older_than(position).take(limit).collect();
    let ranked = if start == Start::Newest && is_more_below(edges, &page) {
        page.truncate(limit.saturating_sub(RANKED));
        ranked(people, edges, &page)
    } else {
        Vec::new()
    };
    let bottom = page
        .last()
        .map_or_else(|| empty_page_position(account, position), |edge| edges.key(*edge));
    let is_end = edges.older_than(bottom).next().is_none();
    let in_order = page.iter().map(|edge| edge.user);
    Cut {
        users: ranked.into_iter().chain(in_order).collect(),
        bottom: if is_end { 0 } else { bottom },
    }
}

/// Whatever the script asked for, the first page is as long as it is.
fn first_length(people: &Population, account: &Account) -> usize {
    let extra = mix(people.seed ^ 0xF125, account.edges.total()) % 6;
    FIRST_PAGE + usize::try_from(extra).unwrap_or(0)
}

fn count(turn: &Turn<'_>) -> usize {
    let asked = turn.ask.form("count").and_then(|text| text.parse().ok());
    match asked {
        None | Some(0) => DEFAULT,
        Some(count) => LONGEST.min(count),
    }
}

fn is_more_below(edges: &Edges, page: &[Edge]) -> bool {
    page.last()
        .is_some_and(|edge| edges.older_than(edges.key(*edge)).next().is_some())
}

/// Well-known followers from below the page: they come again where they belong.
fn ranked(people: &Population, edges: &Edges, page: &[Edge]) -> Vec<u64> {
    let Some(last) = page.last() else {
        return Vec::new();
    };
    let mut older: Vec<Edge> = edges.older_than(edges.key(*last)).take(CANDIDATES).collect();
    if older.len() == CANDIDATES {
        let above = u64::try_from(page.len()).unwrap_or(0);
        let below = edges.len().saturating_sub(above).max(1);
        let nth = |nth: usize| {
            let spread = mix(people.seed ^ 0x4A_4B, u64::try_from(nth).unwrap_or(0));
            edges.at(spread % below)
        };
        older = (0..CANDIDATES).filter_map(nth).collect();
    }
    let known: BTreeSet<(Reverse<bool>, Reverse<u64>, u64)> = older
        .iter()
        .filter(|edge| !people.is_hidden(edge.user))
        .map(|edge| {
            let profile = synth::profile(people.seed, edge.user);
            (Reverse(profile.verified), Reverse(profile.followers), edge.user)
        })
        .collect();
    known.into_iter().take(RANKED).map(|(_, _, user)| user).collect()
}
