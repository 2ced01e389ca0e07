//! The command line: what may be written, and what every command shares.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

use crate::{
    commands,
    connect::cluster,
    exit::{self, Failure},
};

/// The name under which kubectl starts this program as its plugin: `kubectl followlytics`.
const PLUGIN: &str = "kubectl-followlytics";

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
    /// Database of the ledger: `postgres://USER@HOST/DATABASE` or a file; one with a password is better named by the
    /// variable, which nobody else sees [default: a file in the data directory]
    #[arg(
        long,
        global = true,
        env = "FOLLOWLYTICS_DATABASE",
        hide_env_values = true,
        value_name = "URL|PATH"
    )]
    pub(crate) database: Option<SecretString>,
    /// Where pages and results lie: `s3://BUCKET/PREFIX`, reached as the AWS_… variables say, or a directory [default: in
    /// the data directory]
    #[arg(long, global = true, env = "FOLLOWLYTICS_OBJECTS", value_name = "URL|PATH")]
    pub(crate) objects: Option<String>,
    /// Control plane to use [default: a running `up` on the data directory, else one for this command]
    #[arg(
        long,
        global = true,
        env = "FOLLOWLYTICS_SERVER",
        value_name = "unix:///PATH|https://HOST:PORT"
    )]
    pub(crate) server: Option<String>,
    /// Control plane behind https: the kubeconfig with its address, authority and token
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// What to print
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Namespace of the objects [default: the kubeconfig's, else `default`]
    #[arg(short = 'n', long = "namespace", global = true, value_name = "NAME")]
    wanted_namespace: Option<String>,
    /// The namespace that was chosen.
    #[arg(skip)]
    pub(crate) namespace: String,
    /// Whether kubectl started this as its plugin.
    #[arg(skip)]
    pub(crate) is_plugin: bool,
    /// No progress, no notes
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Show what caused an error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

impl Cli {
    /// The command line as people see it: what children are started with is left out.
    pub(crate) fn for_people() -> clap::Command {
        let whole = Self::command();
        let visible = whole.get_subcommands().filter(|command| !command.is_hide_set());
        clap::Command::new("followlytics")
            .args(whole.get_arguments().cloned())
            .subcommands(visible.cloned())
    }
}

impl Global {
    /// The arguments that lead another command to the same control plane and namespace, each after a blank.
    pub(crate) fn again(&self) -> String {
        let mut words = String::new();
        let mut add = |name: &str, value: Option<String>, default: Option<String>| {
            if let Some(value) = value.filter(|value| Some(value) != default.as_ref()) {
                words.extend([" ", name, " ", &value]);
            }
        };
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        add(
            "--data",
            shown(&self.data),
            std::env::var("FOLLOWLYTICS_DATA").ok(),
        );
        add(
            "--server",
            self.server.clone(),
            std::env::var("FOLLOWLYTICS_SERVER").ok(),
        );
        add("--kubeconfig", shown(&self.kubeconfig), None);
        add("--context", self.context.clone(), None);
        add("-n", Some(self.namespace.clone()), Some("default".to_owned()));
        words
    }

    /// Settles what follows from other arguments; `program` is the name under which this was started.
    pub(crate) fn settle(&mut self, program: Option<&str>) -> Result<(), Failure> {
        self.is_plugin = program == Some(PLUGIN);
        let named = self.wanted_namespace.clone();
        self.namespace = match named {
            Some(namespace) => namespace,
            None => cluster::kubeconfig(self)?
                .and_then(|kubeconfig| cluster::namespace(&kubeconfig, self.context.as_deref()))
                .unwrap_or_else(|| "default".to_owned()),
        };
        Ok(())
    }
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
    /// Show one object in full, with its ranges, sandboxes and events
    Describe(commands::describe::DescribeArgs),
    /// Compare two results of an account: who came, who left, who was renamed
    Diff(commands::diff::DiffArgs),
    /// Write a result as Parquet, CSV or lines of JSON
    Export(commands::export::ExportArgs),
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
    /// Check what a control plane needs, one line each, with remedies
    Doctor(commands::doctor::DoctorArgs),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_arguments_share_a_letter_or_a_name() {
        Cli::command().debug_assert();
        Cli::for_people().debug_assert();
        let short = Cli::command();
        let letter = |long: &str| {
            let mut all = short.get_arguments();
            all.find(|argument| argument.get_long() == Some(long))
                .and_then(clap::Arg::get_short)
        };
        assert_eq!((letter("namespace"), letter("output")), (Some('n'), Some('o')));
    }
}
