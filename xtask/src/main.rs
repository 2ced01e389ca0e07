//! The project's own tooling: `cargo xtask <job>`, one file per job.
//!
//! Owns how the tree is checked, generated and tested. Knows nothing of what the product does; whatever it
//! keeps between runs lies in the cache directory ([`cache`]), never in the checkout.

mod bench;
mod cache;
mod checkout;
mod clock;
mod fuzz;
mod generate;
mod lint;
mod mutants;
mod packages;
mod readme;
mod sample;
mod stage;
mod stream;
mod tally;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::checkout::Checkout;
use crate::tally::Tally;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks, generates and tests this checkout")]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Install what is missing, then run every check; ends with a table and `N passed, N failed`
    Test(test::Arguments),
    /// Formatting, clippy, layers, licences and the habits of the tree
    Lint(lint::Arguments),
    /// Write the generated files
    Generate(generate::Arguments),
    /// Build the pinned foreign tools into the cache directory
    Tools,
    /// Plant each bug of docs/mutants.md and run the test that must catch it
    Mutants(mutants::Arguments),
    /// Change the code at random and see whether a test notices
    Sample(sample::Arguments),
    /// Run the benches
    Bench(bench::Arguments),
    /// Look for input that breaks what reads it
    Fuzz(fuzz::Arguments),
    /// Run every command of README.md
    Readme,
}

fn main() -> ExitCode {
    let Arguments { job } = Arguments::parse();
    let outcome = Checkout::find().and_then(|checkout| match job {
        Job::Test(arguments) => test::run(&checkout, &arguments),
        Job::Lint(arguments) => lint::run(&checkout, &arguments)?.settle("lint"),
        Job::Generate(arguments) => generate::run(&checkout, &arguments),
        Job::Tools => tools::install_all(),
        Job::Mutants(arguments) => {
            mutants::run(&checkout, &arguments, &mut Tally::default())?.settle("mutants")
        }
        Job::Sample(arguments) => sample::run(&checkout, &arguments)?.settle("sample"),
        Job::Bench(arguments) => bench::run(&checkout, &arguments)?.settle("bench"),
        Job::Fuzz(arguments) => fuzz::run(&checkout, &arguments)?.settle("fuzz"),
        Job::Readme => readme::build_and_run(&checkout)?.settle("readme"),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
