//! The machine: open files, certificates for https, and the programs that some uses need.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use followlytics_browser::Chromium;
use followlytics_platforms::http::{self, Route};
use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::{
    exit::{Exit, Failure},
    platform_env,
};

/// Open files that a control plane with many runners needs.
const FILES: u64 = 1024;

pub(super) async fn checks() -> Vec<Check> {
    vec![open_files(), certificates(), kubectl(), chromium().await]
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
    match on_path("kubectl") {
        Some(path) => Check::good(
            WHAT,
            format!("{}; `up` writes a kubeconfig for it", path.display()),
        ),
        None => Check::note(WHAT, "not on the path; nothing needs it"),
    }
}

/// As a runner would look for it. Only who enabled browsers needs one.
async fn chromium() -> Check {
    const WHAT: &str = "Chromium";
    let enabled = match platform_env::browsers(&[]) {
        Ok(platforms) => platforms,
        Err(failure) => return Check::failed(WHAT, &failure),
    };
    match Chromium::look(None).await {
        Ok(path) => {
            let version = version(&path).unwrap_or_else(|| "of an unknown version".to_owned());
            let names: Vec<String> = enabled.iter().map(ToString::to_string).collect();
            let use_of_it = if names.is_empty() {
                "no platform is enabled for it here".to_owned()
            } else {
                format!("enabled for {}", names.join(", "))
            };
            Check::good(WHAT, format!("{}, {version}; {use_of_it}", path.display()))
        }
        Err(error) if enabled.is_empty() => Check::note(WHAT, format!("{error}. Only browser scans need it")),
        Err(error) => Check::failed(WHAT, &Failure::new(Exit::Credential, error.to_string())),
    }
}

/// What it says of itself.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The first program of this name on the path.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
