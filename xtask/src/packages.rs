//! What the machine itself must have: compilers for C and C++, git, Chromium, and the Rust components the checks use.
//!
//! As root on Debian missing packages are installed; anywhere else the job says exactly what to install.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::stream;

/// A thing the machine must have.
struct Need {
    what: &'static str,
    /// Debian packages that bring it.
    packages: &'static [&'static str],
    why: &'static str,
    is_met: fn() -> bool,
}

const NEEDS: [Need; 6] = [
    Need {
        what: "cc with the C library's headers",
        packages: &["gcc", "libc6-dev"],
        why: "SQLite, zstd and ring are compiled from C",
        is_met: compiles_c,
    },
    Need {
        what: "c++, make and python3",
        packages: &["g++", "make", "python3"],
        why: "better-sqlite3, which Bluesky's PDS stores its records in, is compiled from C++",
        is_met: || {
            ["c++", "make", "python3"]
                .iter()
                .all(|program| answers(program, &["--version"]))
        },
    },
    Need {
        what: "git",
        packages: &["git"],
        why: "the lint reads the list of tracked files",
        is_met: || answers("git", &["--version"]),
    },
    Need {
        what: "bash",
        packages: &["bash"],
        why: "the README's commands are run by it",
        is_met: || answers("bash", &["--version"]),
    },
    Need {
        what: "PostgreSQL's programs",
        packages: &["postgresql"],
        why: "the ledger's tests run on a server of their own",
        is_met: has_postgresql,
    },
    Need {
        what: "Chromium",
        packages: &["chromium"],
        why: "browser scans drive it, in tests and in the demo",
        is_met: || answers("chromium", &["--version"]),
    },
];

/// Installs what is missing, or fails with the command that would.
pub(crate) fn ensure(checkout: &Checkout) -> Result<()> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.is_met)()).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    for need in NEEDS {
        println!("{}: there", need.what);
    }
    ensure_component(checkout, "fmt", "rustfmt")?;
    ensure_component(checkout, "clippy", "clippy")
}

/// The same for a C++ compiler, which libFuzzer is compiled with.
pub(crate) fn ensure_cxx() -> Result<()> {
    let need = Need {
        what: "c++",
        packages: &["g++"],
        why: "libFuzzer is compiled from C++",
        is_met: || answers("c++", &["--version"]),
    };
    if (need.is_met)() {
        Ok(())
    } else {
        install(&[&need])
    }
}

fn install(missing: &[&Need]) -> Result<()> {
    for need in missing {
        println!("{}: missing ({})", need.what, need.why);
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    let remedy = format!(
        "apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    );
    let on_debian =
        std::path::Path::new("/etc/debian_version").exists() && answers("apt-get", &["--version"]);
    if !(on_debian && rustix::process::geteuid().is_root()) {
        let what: Vec<&str> = missing.iter().map(|need| need.what).collect();
        bail!("missing: {}. On Debian, as root: {remedy}", what.join(", "));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        stream::run(&mut command)
    };
    apt(&["update", "--quiet"])?;
    apt(&[
        &["install", "--yes", "--quiet", "--no-install-recommends"],
        packages.as_slice(),
    ]
    .concat())?;
    for need in missing {
        if !(need.is_met)() {
            bail!("{} is still missing after `{remedy}`", need.what);
        }
    }
    Ok(())
}

/// Adds a component to the toolchain where rustup keeps it.
fn ensure_component(checkout: &Checkout, subcommand: &str, component: &str) -> Result<()> {
    let answers_now = || stream::capture(&mut checkout.cargo([subcommand, "--version"])).is_ok();
    if !answers_now() {
        let mut command = checkout.command("rustup");
        command.args(["component", "add", component]);
        stream::run(&mut command).with_context(|| {
            format!("`cargo {subcommand}` is missing: install the Rust component {component}")
        })?;
        if !answers_now() {
            bail!("`cargo {subcommand}` is still missing after `rustup component add {component}`");
        }
    }
    println!("cargo {subcommand}: there");
    Ok(())
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Debian keeps the server's programs out of PATH.
fn has_postgresql() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    answers("initdb", &["--version"])
        || versions
            .flatten()
            .any(|version| version.path().join("bin/initdb").is_file())
}

/// Whether `cc` compiles and links a program that includes a header: the compiler alone, without the C library's
/// development files, answers `--version` just as well.
fn compiles_c() -> bool {
    let Ok(scratch) = tempfile::tempdir() else {
        return false;
    };
    let mut command = Command::new("cc");
    command
        .args(["-x", "c", "-", "-o"])
        .arg(scratch.path().join("probe"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let written = child.stdin.take().is_some_and(|mut input| {
        input
            .write_all(b"#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
            .is_ok()
    });
    child.wait().is_ok_and(|status| status.success()) && written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_does_not_answer() {
        assert!(!answers("followlytics-no-such-program", &["--version"]));
        assert!(answers("sh", &["-c", "exit 0"]));
    }

    #[test]
    fn the_compiler_that_built_this_program_is_found() {
        assert!(compiles_c());
    }
}
