//! The `followlytics` command: reads arguments, chooses store, clients and clocks, and hands over to one command.
//!
//! Owns the edge: the machine's clock, random names, sockets, signals, exit codes. Every decision about a scan is
//! made in `followlytics-core`, every write in the ledger or the API server.

mod args;
mod commands;
mod connect;
mod consent;
mod credentials;
mod data;
mod edge;
mod exit;
mod figures;
mod follow;
mod kinds;
mod logs;
mod output;
mod plane;
mod platform_env;
mod private_file;
mod progress;
mod report;
mod results;
mod scan_name;
mod storage;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser as _;

use crate::{args::Cli, exit::Failure};

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    let verbose = cli.global.verbose;
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_ref().and_then(|path| path.file_name()?.to_str());
    match cli.global.settle(name).and_then(|()| commands::run(cli)) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            tell(&failure, verbose);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn tell(failure: &Failure, verbose: bool) {
    eprintln!("error: {failure}");
    if let Some(source) = failure.source.as_ref().filter(|_| verbose) {
        for cause in source.chain() {
            eprintln!("  because: {cause}");
        }
    }
}
