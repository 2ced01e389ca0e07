//! Why there is no browser, and what that means for a scan.

use std::{io, path::PathBuf, time::Duration};

use chromiumoxide::error::CdpError;
use followlytics_core::retry::{Class, Failure};

/// Why a browser could not be had, or was lost.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// No program.
    #[error(
        "failed to find Chromium: {tried}; install the Debian package `chromium`, or name the program in FOLLOWLYTICS_CHROMIUM"
    )]
    Missing {
        /// Where it was looked for.
        tried: String,
    },
    /// The program did not tell its version.
    #[error(
        "failed to learn the version of {}: {detail}; name a Chromium in FOLLOWLYTICS_CHROMIUM", program.display()
    )]
    NoVersion {
        /// The program.
        program: PathBuf,
        /// What it did instead.
        detail: String,
    },
    /// Too old.
    #[error(
        "failed to use {}: it is version {found}, and {least} is the oldest that works; update the package `chromium`", program.display()
    )]
    TooOld {
        /// The program.
        program: PathBuf,
        /// Its major version.
        found: u32,
        /// The oldest that works.
        least: u32,
    },
    /// The profile's directory cannot be made or used.
    #[error(
        "failed to make a profile in {}: give a directory this user can write to, on a tmpfs", path.display()
    )]
    Profile {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Too little space for a profile.
    #[error(
        "failed to make a profile in {}: {free_mib} MiB are free and {needed_mib} are needed; free some, or mount a larger tmpfs", path.display()
    )]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// Free, in MiB.
        free_mib: u64,
        /// Needed, in MiB.
        needed_mib: u64,
    },
    /// The program could not be started.
    #[error("failed to start {}", program.display())]
    Start {
        /// The program, or the shim before it.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended before it could be driven.
    #[error("failed to start Chromium: it ended at once{}", said(last_lines))]
    CrashedAtStart {
        /// The last lines it wrote.
        last_lines: Vec<String>,
    },
    /// It did not listen in time.
    #[error("failed to start Chromium: it did not listen within {} s{}", patience.as_secs(), said(last_lines))]
    SlowStart {
        /// How long was waited.
        patience: Duration,
        /// The last lines it wrote.
        last_lines: Vec<String>,
    },
    /// The connection to it, or one of its answers, failed.
    #[error("failed to drive Chromium")]
    Protocol(#[source] Box<CdpError>),
    /// It did not answer a command.
    #[error("failed to drive Chromium: it did not answer within {} s", patience.as_secs())]
    Unresponsive {
        /// How long was waited.
        patience: Duration,
    },
    /// The page's script never yields.
    #[error("failed to read the page: its script hangs")]
    Hangs,
    /// The tab's process crashed.
    #[error("failed to read the page: its process crashed")]
    TabCrashed,
    /// The browser is gone.
    #[error("failed to read the page: Chromium ended")]
    Gone,
}

impl BrowserError {
    /// What a scan makes of it.
    pub fn class(&self) -> Class {
        match self {
            Self::Missing { .. }
            | Self::NoVersion { .. }
            | Self::TooOld { .. }
            | Self::Profile { .. }
            | Self::NoSpace { .. }
            | Self::Start { .. }
            | Self::CrashedAtStart { .. } => Class::NoBrowser,
            Self::Hangs => Class::PageStuck,
            Self::SlowStart { .. }
            | Self::Protocol(_)
            | Self::Unresponsive { .. }
            | Self::TabCrashed
            | Self::Gone => Class::BrowserCrashed,
        }
    }
}

impl From<CdpError> for BrowserError {
    fn from(error: CdpError) -> Self {
        Self::Protocol(Box::new(error))
    }
}

impl From<BrowserError> for Failure {
    fn from(error: BrowserError) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        failure(error.class(), message)
    }
}

/// A failure that no answer speaks of.
pub(crate) fn failure(class: Class, message: impl Into<String>) -> Failure {
    Failure {
        class,
        message: message.into(),
        told: None,
        retry_after_ms: None,
    }
}

fn said(lines: &[String]) -> String {
    match lines {
        [] => " without a word".to_owned(),
        lines => format!("; its last words: {}", lines.join(" / ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_the_whole_chain_once() {
        let failure = Failure::from(BrowserError::Profile {
            path: "/nowhere".into(),
            source: io::Error::other("no such place"),
        });
        assert_eq!(failure.class, Class::NoBrowser);
        assert_eq!(
            failure.message.matches("no such place").count(),
            1,
            "{}",
            failure.message
        );
    }

    #[test]
    fn what_keeps_a_browser_from_starting_names_the_remedy() {
        let missing = BrowserError::Missing {
            tried: "no chromium in PATH".into(),
        };
        assert!(missing.to_string().contains("the Debian package `chromium`"));
        let crashed = BrowserError::CrashedAtStart {
            last_lines: vec!["No usable sandbox!".into()],
        };
        assert!(
            crashed
                .to_string()
                .ends_with("its last words: No usable sandbox!")
        );
        assert!(
            BrowserError::CrashedAtStart { last_lines: vec![] }
                .to_string()
                .ends_with("without a word")
        );
    }
}
