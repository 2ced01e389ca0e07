//! How a command ends: one exit code a kind of outcome, one sentence with the remedy.
//!
//! The codes are part of what scripts rely on: the table here is what `--help` prints and what
//! `docs/exit-codes.md` explains.

use std::fmt;

use followlytics_store::{db::DbError, ledger::LedgerError};
use followlytics_worker::WorkerError;

use crate::kinds::Kind;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is done.
    Ok,
    /// Anything that has no code of its own.
    Failed,
    /// The command line, a file or a spec cannot be used as it is.
    Usage,
    /// It would cost more than what was allowed.
    Budget,
    /// The account is missing, protected, suspended or renamed.
    Account,
    /// The platform wants another token, right or plan.
    Credential,
    /// The platform does not answer.
    Unreachable,
    /// The disk is full, or the data directory is in use.
    Storage,
    /// There is a result, and it is not complete.
    Partial,
    /// A person ended the command; the work goes on with the next one.
    Interrupted,
}

/// Every code with what it means, in order.
pub(crate) const TABLE: [(Exit, &str); 10] = [
    (Exit::Ok, "done"),
    (Exit::Failed, "failed"),
    (Exit::Usage, "the command line, a file or a spec cannot be used"),
    (Exit::Budget, "needs a budget or a confirmation"),
    (
        Exit::Account,
        "the account is missing, protected, suspended or renamed",
    ),
    (
        Exit::Credential,
        "the credential is missing, refused or out of credits",
    ),
    (Exit::Unreachable, "the platform does not answer"),
    (
        Exit::Storage,
        "storage: disk full, locked, or another `up` on this data directory",
    ),
    (Exit::Partial, "partial: the result holds what could be read"),
    (
        Exit::Interrupted,
        "interrupted; the same command goes on where it stopped",
    ),
];

impl Exit {
    /// The code as the shell sees it.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Budget => 3,
            Self::Account => 4,
            Self::Credential => 5,
            Self::Unreachable => 6,
            Self::Storage => 7,
            Self::Partial => 8,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One sentence with the remedy.
    pub(crate) message: String,
    /// The chain of causes, shown with `-v`.
    pub(crate) source: Option<anyhow::Error>,
    /// Whether the control plane went away: another one may take its place.
    pub(crate) lost: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            source: None,
            lost: false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn storage(message: impl Into<String>) -> Self {
        Self::new(Exit::Storage, message)
    }

    /// The same, with what caused it.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, error.to_string()).because(error)
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::storage(error.to_string()).because(error)
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Ledger(error) => error.into(),
            error => Self::storage(error.to_string()).because(error),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Db(error) => error.into(),
            error => Self::new(Exit::Failed, error.to_string()).because(error),
        }
    }
}

impl From<kube::Error> for Failure {
    /// A refusal of the API server is its own sentence; anything else means that there is no server any more.
    fn from(error: kube::Error) -> Self {
        if let kube::Error::Api(status) = &error {
            let exit = match status.code {
                400 | 401 | 404 | 409 | 415 | 422 => Exit::Usage,
                507 => Exit::Storage,
                _ => Exit::Failed,
            };
            let kind = status
                .details
                .as_ref()
                .map_or("", |details| details.kind.as_str());
            let message = format!("{}{}", status.message, remedy(status.code, &status.reason, kind));
            return Self::new(exit, message).because(error);
        }
        let message = "failed to reach the control plane: it ended, or its socket is gone; run the command again to go on";
        Self {
            lost: true,
            ..Self::new(Exit::Failed, message).because(error)
        }
    }
}

/// What helps against a refusal whose own sentence does not say it.
fn remedy(code: u16, reason: &str, kind: &str) -> String {
    let text = match (code, reason) {
        (401, _) => ": take the kubeconfig that `followlytics up` wrote at its last start",
        (404, _) => {
            let known = Kind::find(kind).map_or_else(|_| "scans".to_owned(), |kind| kind.resource.plural);
            return format!("; `followlytics get {known}` lists what is there");
        }
        (409, "AlreadyExists") => "; choose another name, or change it with `followlytics apply -f FILE`",
        (409, _) => "; run the command again, it works on what is there now",
        (500.., _) => "; run the command again, and `followlytics doctor` if it stays so",
        _ => "",
    };
    text.to_owned()
}

/// The table as `--help` shows it.
pub(crate) fn help() -> String {
    let rows = TABLE
        .iter()
        .map(|(exit, meaning)| format!("  {:>3}  {meaning}\n", exit.code()));
    format!("Exit codes:\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_codes_are_the_ones_in_use() {
        let documented = include_str!("../docs/exit-codes.md");
        for (exit, meaning) in TABLE {
            let row = format!("| {} | {meaning} |", exit.code());
            assert!(documented.contains(&row), "docs/exit-codes.md lacks {row:?}");
        }
    }
}
