//! What `--database` and `--objects` may be: a URL or a path.

use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The variable of `--database`.
pub(crate) const DATABASE: &str = "FOLLOWLYTICS_DATABASE";
/// The variable of `--objects`.
pub(crate) const OBJECTS: &str = "FOLLOWLYTICS_OBJECTS";

/// The scheme of a URL; `None` for a path.
pub(super) fn scheme(text: &str) -> Option<&str> {
    text.split_once("://").map(|(scheme, _)| scheme)
}

/// The sentence for a scheme that nobody knows; the rest of the address may hold a password.
pub(super) fn unknown(argument: &str, scheme: &str, known: &str) -> Failure {
    Failure::usage(format!(
        "failed to read {argument}: {scheme:?} is no storage that is known; name {known}"
    ))
}

/// Children have a working directory of their own.
pub(super) fn absolute(text: &str, argument: &str) -> Result<PathBuf, Failure> {
    std::path::absolute(Path::new(text))
        .map_err(|source| Failure::usage(format!("failed to read {argument} {text:?}: {source}")))
}

/// A URL without user, password and parameters, any of which may be secret.
pub(super) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    // A password may hold an `@` that its writer forgot to encode: what counts is the last one.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    format!("{scheme}://{rest}")
}

/// Whether a password stands in a URL.
pub(super) fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let in_user = rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_user || url.contains("password=")
}

/// Whether PostgreSQL's client reads this variable; HOME is where it looks for its password file.
pub(super) fn is_for_postgres(name: &str) -> bool {
    name == "HOME" || name.starts_with("PG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_anything_secret() {
        for (url, shown) in [
            (
                "postgres://me:pw@db.example.com:5432/scans?sslmode=require&password=pw",
                "postgres://db.example.com:5432/scans",
            ),
            ("postgres://me:p@w/d@db/scans", "postgres://db/scans"),
            ("postgresql://db/scans#pw", "postgresql://db/scans"),
            (
                "postgres:///scans?host=/run&user=me&password=pw",
                "postgres:///scans",
            ),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn a_password_is_noticed_wherever_it_stands() {
        for (url, holds) in [
            ("postgres://me:pw@db:5432/scans", true),
            ("postgres:///scans?host=/run&password=pw", true),
            ("postgres://me@db:5432/scans", false),
            ("postgres://db:5432/scans", false),
        ] {
            assert_eq!(holds_password(url), holds, "{url}");
        }
    }

    #[test]
    fn a_url_is_told_from_a_path() {
        assert_eq!(scheme("postgres://db/scans"), Some("postgres"));
        assert_eq!(scheme("/var/lib/ledger.db"), None);
        assert_eq!(scheme("C:ledger"), None);
    }
}
