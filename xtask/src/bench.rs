//! `cargo xtask bench`: the measured numbers, by the bench program of the tests package.

use anyhow::Result;

use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::stream;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Handed to the bench program as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Runs the benches, or says which program is missing.
pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<Outcome> {
    let has_program = checkout
        .metadata()?
        .package("followlytics-tests")
        .is_some_and(|package| package.has_target("bin", "bench"));
    if !has_program {
        return Ok(Outcome::NotRun(
            "followlytics-tests has no program `bench` yet".to_owned(),
        ));
    }
    let mut command = checkout.cargo([
        "run",
        "--release",
        "-p",
        "followlytics-tests",
        "--bin",
        "bench",
        "--",
    ]);
    command.args(&arguments.rest);
    stream::run(&mut command)?;
    Ok(Outcome::Ok)
}

impl Arguments {
    /// No arguments of one's own: every bench at its usual size.
    pub(crate) fn usual() -> Self {
        Self { rest: Vec::new() }
    }
}
