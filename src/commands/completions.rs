//! `completions`: what a shell needs to complete commands.

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};

use crate::{
    args::Cli,
    exit::{Exit, Failure},
    output,
};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: For,
}

/// The shells whose completions are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum For {
    /// `source <(followlytics completions bash)`
    Bash,
    /// `followlytics completions fish | source`
    Fish,
    /// `source <(followlytics completions zsh)`, after `compinit`
    Zsh,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let shell = match args.shell {
        For::Bash => Shell::Bash,
        For::Fish => Shell::Fish,
        For::Zsh => Shell::Zsh,
    };
    generate(shell, &mut Cli::for_people(), "followlytics", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
