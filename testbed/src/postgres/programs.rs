//! Where PostgreSQL's programs are, and as whom they run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// The programs of one installation.
pub(super) struct Programs {
    folder: PathBuf,
    owner: Option<(u32, u32)>,
}

impl Programs {
    /// The newest installation under Debian's folder, else the one in PATH.
    pub(super) fn find() -> Result<Self> {
        let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let version = entry.ok()?.path();
                let number = version.file_name()?.to_str()?.parse().ok()?;
                Some((number, version.join("bin")))
            })
            .filter(|(_, folder)| is_complete(folder))
            .collect();
        found.sort();
        let in_path = || {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path).find(|folder| is_complete(folder))
        };
        let Some(folder) = found.pop().map(|(_, folder)| folder).or_else(in_path) else {
            bail!(
                "PostgreSQL's programs were not found: install Debian's package `postgresql` (15 or newer)"
            );
        };
        let owner = if rustix::process::geteuid().is_root() {
            Some(account("postgres")?)
        } else {
            None
        };
        Ok(Self { folder, owner })
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// The user that owns the data, when it is another one than ours.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        self.owner
    }

    /// One of the programs, run as the data's owner.
    pub(super) fn command(&self, program: &str) -> Command {
        let Some((uid, gid)) = self.owner else {
            return Command::new(self.path(program));
        };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            .args(["--clear-groups", "--"])
            .arg(self.path(program));
        command
    }
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

fn account(name: &str) -> Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").context("failed to read /etc/passwd")?;
    accounts
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let is_its = fields.next() == Some(name);
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            is_its.then_some((uid, gid))
        })
        .with_context(|| {
            format!("there is no user {name}, and PostgreSQL refuses to run as root: install `postgresql`")
        })
}
