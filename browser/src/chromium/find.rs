//! Which program is Chromium, and whether it is new enough.

use std::{
    env,
    ffi::OsString,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use crate::error::BrowserError;

/// The oldest major version that works: the present headless mode, and every command used here.
pub const LEAST_VERSION: u32 = 120;

/// Names a program.
const VARIABLE: &str = "FOLLOWLYTICS_CHROMIUM";
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Where to look without a PATH, as in a sandbox; Debian's Chromium is a script that needs one too.
pub(super) const PATHS: &str = "/usr/local/bin:/usr/bin:/bin";
/// Longest time to tell the version.
const VERSION: Duration = Duration::from_secs(10);

/// The program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program(PathBuf);

impl Program {
    /// The one that is named, otherwise the one the environment names, otherwise the first in PATH.
    pub(super) fn find(named: Option<&Path>) -> Result<Self, BrowserError> {
        let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let path = env::var_os("PATH").unwrap_or_else(|| PATHS.into());
        find(named, variable, &path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Refuses what is too old.
    pub(super) async fn check(&self) -> Result<(), BrowserError> {
        let refused = |detail: String| BrowserError::NoVersion {
            program: self.0.clone(),
            detail,
        };
        let mut command = Command::new(&self.0);
        command
            .arg("--version")
            .env_clear()
            .env("PATH", PATHS)
            .env("HOME", env::temp_dir())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(VERSION, command.output())
            .await
            .map_err(|_| refused(format!("it did not answer within {} s", VERSION.as_secs())))?
            .map_err(|error| refused(error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = major(&text).ok_or_else(|| refused(format!("it answers {:?}", text.trim())))?;
        if found < LEAST_VERSION {
            return Err(BrowserError::TooOld {
                program: self.0.clone(),
                found,
                least: LEAST_VERSION,
            });
        }
        Ok(())
    }
}

fn find(named: Option<&Path>, variable: Option<OsString>, path: &OsString) -> Result<Program, BrowserError> {
    let missing = |tried: String| BrowserError::Missing { tried };
    if let Some(named) = named {
        let found = is_program(named).then(|| Program(named.to_owned()));
        return found.ok_or_else(|| missing(format!("{} is no program", named.display())));
    }
    if let Some(named) = variable.map(PathBuf::from) {
        let found = is_program(&named).then(|| Program(named.clone()));
        return found.ok_or_else(|| {
            missing(format!(
                "{VARIABLE} names {}, which is no program",
                named.display()
            ))
        });
    }
    let candidates = NAMES
        .iter()
        .flat_map(|name| env::split_paths(path).map(move |folder| folder.join(name)));
    candidates
        .into_iter()
        .find(|candidate| is_program(candidate))
        .map(Program)
        .ok_or_else(|| missing(format!("none of {} is in PATH", NAMES.join(", "))))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// The major version in what `--version` prints: `Chromium 156.0.7280.1 built on Debian …`.
fn major(text: &str) -> Option<u32> {
    text.split_whitespace()
        .find_map(|word| word.split_once('.')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn what_is_named_wins_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let second = program(folder.path(), "google-chrome", "");
        let path = folder.path().as_os_str().to_owned();
        assert_eq!(find(None, None, &path).unwrap().path(), second);
        let first = program(folder.path(), "chromium", "");
        assert_eq!(find(None, None, &path).unwrap().path(), first);
        assert_eq!(
            find(Some(&second), Some("/x".into()), &path).unwrap().path(),
            second
        );
        for (named, variable) in [
            (Some(Path::new("/nowhere/c")), None),
            (None, Some("/nowhere/c".into())),
        ] {
            let error = find(named, variable, &path).unwrap_err().to_string();
            assert!(
                error.contains("/nowhere/c") && error.contains("`chromium`"),
                "{error}"
            );
        }
        let error = find(None, None, &"/nowhere".into()).unwrap_err().to_string();
        assert!(
            error.contains("none of chromium, chromium-browser, google-chrome"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_version_too_old_or_none_at_all_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let old = Program(program(
            folder.path(),
            "old",
            "echo 'Chromium 100.0.4896.60 built on Debian'",
        ));
        assert!(matches!(
            old.check().await,
            Err(BrowserError::TooOld { found: 100, .. })
        ));
        let new = Program(program(
            folder.path(),
            "new",
            "echo 'Google Chrome 131.0.6778.85'",
        ));
        new.check().await.unwrap();
        let other = Program(program(folder.path(), "other", "echo hello"));
        let error = other.check().await.unwrap_err().to_string();
        assert!(
            error.contains("hello") && error.contains("FOLLOWLYTICS_CHROMIUM"),
            "{error}"
        );
    }
}
