//! One start: directory, log file, empty environment, token on standard input. Runs on the forking thread.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, OpenOptionsExt as _},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{self, Command, Stdio},
};

use followlytics_crds::SandboxClass;
use secrecy::{ExposeSecret as _, SecretString};

use super::{ProcessOptions, table::Table};
use crate::backends::{BackendError, Launch, shim};

/// File of a sandbox's directory that it logs to.
pub(super) const LOG: &str = "runner.log";

/// Everything that starting takes, in one value for the forking thread.
pub(super) struct Recipe {
    uid: String,
    program: OsString,
    arguments: Vec<OsString>,
    pub(super) environment: Vec<(String, String)>,
    directory: PathBuf,
    token: SecretString,
}

impl Recipe {
    pub(super) fn new(options: &ProcessOptions, launch: &Launch) -> Result<Self, BackendError> {
        let SandboxClass::Scan = launch.class;
        let mut words = options.scan_command.iter().cloned();
        let program = words.next().ok_or_else(|| BackendError::Refused {
            detail: "no command is set for scan sandboxes".to_owned(),
        })?;
        // The uid becomes a folder's name, and it comes from an object that people may write.
        if launch.uid.is_empty() || !launch.uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(BackendError::Refused {
                detail: format!("{:?} is no uid", launch.uid),
            });
        }
        let directory = options.directory.join(&launch.uid);
        let mut environment = options.environment.clone();
        environment.push(("FOLLOWLYTICS_BROKER".to_owned(), launch.broker.clone()));
        environment.push(("FOLLOWLYTICS_SANDBOX".to_owned(), launch.name.clone()));
        environment.push((shim::PARENT.to_owned(), process::id().to_string()));
        Ok(Self {
            uid: launch.uid.clone(),
            program,
            arguments: words.collect(),
            environment,
            directory,
            token: launch.token.clone(),
        })
    }
}

/// Starts the process and enters it in the table; its process id.
pub(super) fn launch(recipe: &Recipe, table: &Table) -> io::Result<u32> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&recipe.directory)?;
    let log_path = recipe.directory.join(LOG);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log_path)?;
    let mut child = Command::new(&recipe.program)
        .args(&recipe.arguments)
        .env_clear()
        .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
        .env("HOME", &recipe.directory)
        .current_dir(&recipe.directory)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let stdin = child.stdin.take();
    let pid = child.id();
    table.enter(&recipe.uid, child, log_path)?;
    if let Some(mut stdin) = stdin {
        // Far below a pipe's capacity: this cannot block. A process that ended at once leaves its exit code.
        let _ = writeln!(stdin, "{}", recipe.token.expose_secret());
    }
    Ok(pid)
}
