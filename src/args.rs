//! The command line: what may be written, and what every command shares.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{commands, exit};

/// Scans large social accounts in parallel, durably.
#[derive(Debug, Parser)]
#[command(name = "followlytics", version, max_term_width = 110, after_help = exit::help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command shares.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Data directory: ledger, objects, secrets [default: `$XDG_DATA_HOME/followlytics`]
    #[arg(long, global = true, env = "FOLLOWLYTICS_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Control plane to use [default: a running `up` on the data directory, else one for this command]
    #[arg(long, global = true, env = "FOLLOWLYTICS_SERVER", value_name = "unix:///PATH")]
    pub(crate) server: Option<String>,
    /// What to print
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Namespace of the objects
    #[arg(short, long, global = true, default_value = "default", value_name = "NAME")]
    pub(crate) namespace: String,
    /// No progress, no notes
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Show what caused an error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// What is printed on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For people with wide terminals.
    Wide,
    /// The whole object.
    Json,
    /// The whole object.
    Yaml,
    /// `kind/name` alone.
    Name,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan two simulated accounts whose followers change meanwhile, and kill a runner half-way
    Demo(commands::demo::DemoArgs),
    /// Run the control plane until it is stopped
    Up(commands::up::UpArgs),
    /// List the followers of one account
    Scan(commands::scan::ScanArgs),
    /// Create or change objects as files say
    Apply(commands::apply::ApplyArgs),
    /// Show objects
    Get(commands::get::GetArgs),
    /// Show one object in full, with its sandboxes and events
    Describe(commands::describe::DescribeArgs),
    /// Delete objects
    Delete(commands::delete::DeleteArgs),
    /// Pause a scan; nothing is lost, nothing is spent
    Pause(commands::modes::ScanName),
    /// Let a paused scan go on
    Resume(commands::modes::ScanName),
    /// End a scan for good; no result is made
    Cancel(commands::modes::ScanName),
    /// Say what a scan waits on, since when, until when, and what would change it
    Why(commands::why::WhyArgs),
    /// Store, show or remove tokens
    Credential(commands::credential::CredentialArgs),
    /// Serve simulated platforms on a port
    Simulator(commands::simulator::SimulatorArgs),
    /// Write completions for a shell
    Completions(commands::completions::CompletionsArgs),
    /// What runs inside a scan sandbox
    #[command(hide = true)]
    RunScan,
    /// Sets limits and the parent-death signal, then becomes the command
    #[command(hide = true)]
    SandboxExec(commands::sandbox_exec::SandboxExecArgs),
    /// Merges what was read
    #[command(hide = true)]
    Worker,
}
