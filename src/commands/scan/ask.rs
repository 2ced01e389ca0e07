//! The question before a scan that costs more than it may without asking.

use std::io::{self, IsTerminal as _, Write as _};

use followlytics_core::money::Usd;

use crate::{
    exit::{Exit, Failure},
    figures::grouped,
    follow::Seen,
};

/// What to ask for: the planned price and a fiftieth more, for followers that come meanwhile, in whole cents.
pub(super) fn price(seen: &Seen) -> Option<Usd> {
    const CENT: i64 = 10_000_000;
    let planned = seen
        .summary
        .as_ref()
        .and_then(|summary| summary.plan.as_ref())
        .map(|plan| plan.price);
    let written = || seen.scan.status.as_ref()?.plan.as_ref()?.usd.parse::<Usd>().ok();
    let nanos = planned.or_else(written)?.nanos();
    let wanted = nanos.saturating_add(nanos / 50).saturating_add(CENT - 1);
    Some(Usd::from_nanos(wanted / CENT * CENT))
}

/// Whether there is a person to answer.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks; anything but yes is no.
pub(super) fn confirm(seen: &Seen, budget: Usd) -> Result<bool, Failure> {
    let rows = grouped(seen.figures().expected);
    eprint!("This scan lists {rows} followers and may cost up to ${budget}. Go on? [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|source| {
        Failure::new(Exit::Budget, "failed to read the answer; give --budget instead").because(source)
    })?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
