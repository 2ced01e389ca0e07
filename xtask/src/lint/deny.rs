//! cargo-deny over deny.toml: licences, bans, sources and, where its database can be fetched, advisories.
//!
//! The root is a package too, so `--workspace` is needed: without it only the root package's tree is looked at.

use anyhow::Result;

use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::{stream, tools};

pub(super) fn check(checkout: &Checkout) -> Result<()> {
    let mut command = checkout.command(tools::CARGO_DENY.ensure()?);
    stream::run(command.args([
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}

/// The advisory database lives on another host: where it cannot be fetched this was not run, and says why.
pub(super) fn check_advisories(checkout: &Checkout) -> Result<Outcome> {
    let program = tools::CARGO_DENY.ensure()?;
    if let Err(error) = stream::capture(checkout.command(&program).args(["fetch", "db"])) {
        // The last line is the cause; the ones before it are the way cargo-deny went.
        let complaint = format!("{error:#}");
        let cause = complaint
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or_default();
        return Ok(Outcome::NotRun(format!(
            "the advisory database cannot be fetched: {}",
            cause.trim()
        )));
    }
    stream::run(
        checkout
            .command(&program)
            .args(["--workspace", "check", "advisories"]),
    )?;
    Ok(Outcome::Ok)
}
