//! `cargo xtask lint`: what must hold of the tree before anything is tested. Every check runs; all that fail are
//! named.

mod deny;
mod dependencies;
mod files;
mod layers;

use anyhow::{Result, bail};

use crate::checkout::Checkout;
use crate::stage::Outcome;
use crate::stream;

/// A check with the name it is asked for and reported under.
type Check = (&'static str, fn(&Checkout) -> Result<Outcome>);

const CHECKS: [Check; 8] = [
    ("fmt", |checkout| {
        done(stream::run(&mut checkout.cargo(["fmt", "--all", "--check"])))
    }),
    ("clippy", |checkout| {
        let arguments = [
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        done(stream::run(&mut checkout.cargo(arguments)))
    }),
    ("layers", |checkout| done(layers::check(checkout))),
    ("names", |checkout| done(layers::check_names(checkout))),
    ("dependencies", |checkout| done(dependencies::check(checkout))),
    ("files", |checkout| done(files::check(checkout))),
    ("deny", |checkout| done(deny::check(checkout))),
    ("advisories", deny::check_advisories),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The checks to run; all of them when none is named
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(CHECKS.map(|(name, _)| name)))]
    checks: Vec<String>,
}

impl Arguments {
    /// Every check.
    pub(crate) fn all() -> Self {
        Self { checks: Vec::new() }
    }
}

pub(crate) fn run(checkout: &Checkout, arguments: &Arguments) -> Result<Outcome> {
    let (mut failed, mut left_out) = (Vec::new(), Vec::new());
    for (name, check) in CHECKS {
        if !arguments.checks.is_empty() && !arguments.checks.iter().any(|asked| asked == name) {
            continue;
        }
        match check(checkout) {
            Ok(Outcome::Ok) => println!("lint: {name}: ok"),
            Ok(Outcome::OkWithout(reason) | Outcome::NotRun(reason)) => {
                println!("lint: {name}: not run: {reason}");
                left_out.push(name);
            }
            Ok(Outcome::Failed(reason)) => {
                eprintln!("lint: {name}: failed: {reason}");
                failed.push(name);
            }
            Err(error) => {
                eprintln!("lint: {name}: failed: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join(", "));
    }
    Ok(if left_out.is_empty() {
        Outcome::Ok
    } else {
        Outcome::OkWithout(left_out.join(", "))
    })
}

fn done(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Ok)
}

/// Fails with every finding on a line of its own.
fn report(findings: &[String]) -> Result<()> {
    if !findings.is_empty() {
        bail!("{} findings:\n  {}", findings.len(), findings.join("\n  "));
    }
    Ok(())
}
