//! Programs written in Go: each set is a small module of its own under `xtask/tools`, whose `go.mod` names the
//! programs and pins their versions and whose `go.sum` pins the hash of everything they are made of.
//!
//! The module is copied into the cache and built there, so that a build can change nothing in the checkout.
//! Go's own build cache is left where Go keeps it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::stream;

/// The oldest Go that builds every module of `xtask/tools` (the `go` line of their `go.mod`).
const OLDEST: (u32, u32) = (1, 26);

/// Programs that are built together.
pub(super) struct Module {
    name: &'static str,
    /// Import paths of the programs' main packages, with the file name of each.
    programs: &'static [(&'static str, &'static str)],
    /// The linker sets these: programs built from a module do not know their own version.
    variables: &'static [&'static str],
    /// Build tags, separated by commas.
    tags: &'static str,
    /// Files that a program reads at run time.
    files: Option<Files>,
    go_mod: &'static str,
    go_sum: &'static str,
}

/// Directories of a module that are copied to `<tools>/share/<name>`.
struct Files {
    /// Path of the module.
    module: &'static str,
    name: &'static str,
    directories: &'static [&'static str],
}

pub(super) const ETCD: Module = Module {
    name: "etcd",
    programs: &[("go.etcd.io/etcd/server/v3", "etcd")],
    variables: &[],
    tags: "",
    files: None,
    go_mod: include_str!("../../tools/etcd/go.mod"),
    go_sum: include_str!("../../tools/etcd/go.sum"),
};

/// `go.mod` repeats the `require` and `replace` lines of Gitea's own: `replace` acts in the main module only.
pub(super) const GITEA: Module = Module {
    name: "gitea",
    programs: &[("code.gitea.io/gitea", "gitea")],
    variables: &["main.Version=1.26.0"],
    tags: "sqlite,sqlite_unlock_notify",
    files: Some(Files {
        module: "code.gitea.io/gitea",
        name: "gitea-1.26.0",
        directories: &["options", "templates"],
    }),
    go_mod: include_str!("../../tools/gitea/go.mod"),
    go_sum: include_str!("../../tools/gitea/go.sum"),
};

pub(super) const KUBERNETES: Module = Module {
    name: "kubernetes",
    programs: &[
        ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
        (
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "kube-controller-manager",
        ),
        ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
    ],
    variables: &["k8s.io/component-base/version.gitVersion=v1.34.4"],
    tags: "",
    files: None,
    go_mod: include_str!("../../tools/kubernetes/go.mod"),
    go_sum: include_str!("../../tools/kubernetes/go.sum"),
};

pub(super) const VERSITYGW: Module = Module {
    name: "versitygw",
    programs: &[("github.com/versity/versitygw/cmd/versitygw", "versitygw")],
    variables: &["main.Version=v1.8.0"],
    tags: "",
    files: None,
    go_mod: include_str!("../../tools/versitygw/go.mod"),
    go_sum: include_str!("../../tools/versitygw/go.sum"),
};

impl Module {
    /// Builds every program into `<tools>/bin`.
    pub(super) fn build(&self, tools: &Path) -> Result<()> {
        let module = tools.join("build").join(self.name);
        let built = module.join("bin");
        std::fs::create_dir_all(&built)
            .with_context(|| format!("failed to create the build directory {}", built.display()))?;
        write(&module.join("go.mod"), self.go_mod)?;
        write(&module.join("go.sum"), self.go_sum)?;
        require_go(&module)?;
        let packages = self.programs.iter().map(|(package, _)| package);
        stream::run(self.go_build(&module).arg("-o").arg(&built).args(packages))?;
        if let Some(files) = &self.files {
            files.copy(&module, tools)?;
        }
        for (package, name) in self.programs {
            move_program(&built.join(name_of_build(package)), &tools.join("bin"), name)?;
        }
        std::fs::remove_dir_all(&module)
            .with_context(|| format!("failed to clear the build directory {}", module.display()))
    }

    fn go_build(&self, module: &Path) -> Command {
        let mut linker = String::from("-s -w");
        for variable in self.variables {
            linker.push_str(" -X ");
            linker.push_str(variable);
        }
        let mut command = Command::new("go");
        command
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &linker])
            .args(["-tags", self.tags])
            // Settings of someone's own checkouts must not reach a foreign build.
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .current_dir(module);
        command
    }
}

impl Files {
    /// Copies the directories out of Go's module cache; the program is moved to its place only after them.
    fn copy(&self, scratch: &Path, tools: &Path) -> Result<()> {
        let mut list = Command::new("go");
        list.args(["list", "-m", "-f", "{{.Dir}}", self.module])
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .current_dir(scratch);
        let module = stream::capture(&mut list)?;
        let share = tools.join("share").join(self.name);
        for directory in self.directories {
            copy_directory(&Path::new(module.trim()).join(directory), &share.join(directory))
                .with_context(|| format!("failed to copy {directory} of {}", self.module))?;
        }
        Ok(())
    }
}

/// Copies files and directories, as contents: in the module cache they are read-only.
fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &copy)?;
        } else {
            std::fs::write(copy, std::fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// What `go build` calls a program: the last part of its path that is not a major version.
fn name_of_build(package: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    package
        .rsplit('/')
        .find(|part| !is_version(part))
        .unwrap_or(package)
}

/// A rename: whoever runs the program meanwhile keeps the old file, nobody meets half of the new one.
fn move_program(from: &Path, directory: &Path, name: &str) -> Result<()> {
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::rename(from, directory.join(name)))
        .with_context(|| format!("failed to move {} to {}", from.display(), directory.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))
}

/// Asked in the module: there an older `go` fetches the one that the module names, unless it is told not to.
fn require_go(module: &Path) -> Result<()> {
    let remedy = format!(
        "install Go {}.{} or newer (https://go.dev/dl/) and put its bin directory on PATH",
        OLDEST.0, OLDEST.1
    );
    let answer = stream::capture(Command::new("go").args(["env", "GOVERSION"]).current_dir(module))
        .with_context(|| format!("failed to run `go`: {remedy}"))?;
    match version_of_go(&answer) {
        Some(version) if version >= OLDEST => Ok(()),
        _ => bail!("{} is too old: {remedy}", answer.trim()),
    }
}

/// `go1.26.8` is (1, 26).
fn version_of_go(answer: &str) -> Option<(u32, u32)> {
    let mut parts = answer.trim().strip_prefix("go")?.split(['.', '-', ' ']);
    let minor = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    Some((parts.next()?.parse().ok()?, minor(parts.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_as_go_names_it() {
        assert_eq!(name_of_build("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(name_of_build("k8s.io/kubernetes/cmd/kubectl"), "kubectl");
        assert_eq!(
            name_of_build("github.com/versity/versitygw/cmd/versitygw"),
            "versitygw"
        );
    }

    #[test]
    fn releases_of_go_are_told_apart() {
        assert_eq!(version_of_go("go1.26.8\n"), Some((1, 26)));
        assert_eq!(version_of_go("go1.27rc1"), Some((1, 27)));
        assert!(version_of_go("go1.9.2") < Some(OLDEST));
        assert_eq!(version_of_go("devel"), None);
    }

    #[test]
    fn every_module_pins_its_programs_and_their_hashes() {
        for module in [ETCD, GITEA, KUBERNETES, VERSITYGW] {
            let needed = version_of_go_line(module.go_mod);
            assert!(
                needed.is_some() && needed <= Some(OLDEST),
                "{} needs {needed:?}",
                module.name
            );
            for (package, _) in module.programs {
                assert!(
                    module.go_mod.contains(package),
                    "{package} is no tool of {}",
                    module.name
                );
            }
            assert!(module.go_sum.contains(" h1:"), "{} has no hashes", module.name);
        }
    }

    fn version_of_go_line(go_mod: &str) -> Option<(u32, u32)> {
        let line = go_mod.lines().find_map(|line| line.strip_prefix("go "))?;
        version_of_go(&format!("go{line}"))
    }

    #[test]
    fn versions_that_the_linker_sets_are_the_pinned_ones() {
        for module in [GITEA, KUBERNETES, VERSITYGW] {
            for variable in module.variables {
                let version = variable.rsplit('=').next().unwrap_or_default();
                assert!(module.go_mod.contains(version), "{variable}");
            }
        }
    }
}
