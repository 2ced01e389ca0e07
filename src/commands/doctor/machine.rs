//! The machine: open files, certificates for https, and the programs that some uses need.

use std::path::PathBuf;

use followlytics_platforms::http::{self, Route};
use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::exit::Exit;

/// Open files that a control plane with many runners needs.
const FILES: u64 = 1024;
/// Names under which Chromium is installed.
const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

pub(super) fn checks() -> Vec<Check> {
    vec![open_files(), certificates(), kubectl(), chromium()]
}

fn open_files() -> Check {
    const WHAT: &str = "open files";
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < FILES => Check::bad(
            WHAT,
            Exit::Failed,
            format!("{limit} at once are too few for many runners"),
            format!("ulimit -n {FILES}"),
        ),
        Some(limit) => Check::good(WHAT, format!("{limit} at once")),
        None => Check::good(WHAT, "no limit"),
    }
}

/// The client that scans use: it reads the system's certificates.
fn certificates() -> Check {
    const WHAT: &str = "https";
    match http::client(Route::Internet) {
        Ok(_) => Check::good(WHAT, "the system's certificates can be read"),
        Err(error) => Check::bad(
            WHAT,
            Exit::Failed,
            error.to_string(),
            "install the package ca-certificates, or set SSL_CERT_FILE",
        ),
    }
}

fn kubectl() -> Check {
    const WHAT: &str = "kubectl";
    match on_path(&["kubectl"]) {
        Some(path) => Check::good(
            WHAT,
            format!("{}; `up` writes a kubeconfig for it", path.display()),
        ),
        None => Check::note(WHAT, "not on the path; nothing needs it"),
    }
}

fn chromium() -> Check {
    const WHAT: &str = "Chromium";
    match on_path(&CHROMIUM) {
        Some(path) => Check::good(WHAT, format!("{}; no source uses a browser yet", path.display())),
        None => Check::note(WHAT, "not on the path; no source uses a browser yet"),
    }
}

/// The first program of these names on the path.
fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|program| program.is_file())
}
