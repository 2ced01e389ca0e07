//! `sandbox-exec`: the step between a fork and a program; see the controller's shim.

use std::ffi::OsString;

use clap::Args;
use followlytics_controller::backends::shim;

use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct SandboxExecArgs {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: SandboxExecArgs) -> Result<Exit, Failure> {
    let program = args.command.first().cloned().unwrap_or_default();
    let error = shim::exec(args.command);
    Err(Failure::new(
        Exit::Failed,
        format!("failed to become {}: {error}", program.display()),
    )
    .because(error))
}
