//! One file a command. Each turns arguments into calls of one part, and what came of them into an exit code.

pub(crate) mod apply;
pub(crate) mod completions;
pub(crate) mod credential;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod modes;
pub(crate) mod run_scan;
pub(crate) mod sandbox_exec;
pub(crate) mod scan;
pub(crate) mod simulator;
pub(crate) mod up;
pub(crate) mod why;
mod worker;

use std::future::Future;

use anyhow::Context as _;

use crate::{
    args::{Cli, Command},
    exit::{Exit, Failure},
    logs::{self, Reader},
};

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<Exit, Failure> {
    let global = &cli.global;
    match cli.command {
        // Children: one thread is enough for the one, the other becomes another program.
        Command::RunScan => run_scan::run(),
        Command::SandboxExec(args) => sandbox_exec::run(args),
        Command::Worker => worker::run(global),
        Command::Completions(args) => completions::run(&args),
        Command::Demo(args) => edge(demo::run(global, args)),
        Command::Up(args) => {
            // It runs for days, and nobody looks at its figures.
            logs::start(
                Reader::Person,
                "info,kube_runtime=warn,kube_client=warn,hyper=warn",
            );
            edge(up::run(global, args))
        }
        Command::Scan(args) => edge(scan::run(global, args)),
        Command::Apply(args) => edge(apply::run(global, args)),
        Command::Get(args) => edge(get::run(global, args)),
        Command::Describe(args) => edge(describe::run(global, args)),
        Command::Diff(args) => edge(diff::run(global, args)),
        Command::Export(args) => edge(export::run(global, args)),
        Command::Delete(args) => edge(delete::run(global, args)),
        Command::Pause(args) => edge(modes::pause(global, args)),
        Command::Resume(args) => edge(modes::resume(global, args)),
        Command::Cancel(args) => edge(modes::cancel(global, args)),
        Command::Why(args) => edge(why::run(global, args)),
        Command::Credential(args) => edge(credential::run(global, args)),
        Command::Doctor(args) => edge(doctor::run(global, args)),
        Command::Simulator(args) => edge(simulator::run(args)),
    }
}

/// Runs a person's command on a runtime of several threads.
fn edge(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    // What a client or a watch fails with is told once, by the command itself.
    logs::start(Reader::Person, "error,kube_client=off,kube_runtime=off");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("failed to start the runtime")?.block_on(command)
}

/// Runs a child's work on the thread it has.
fn child(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    logs::start(Reader::Parent, "info");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("failed to start the runtime")?.block_on(work)
}
