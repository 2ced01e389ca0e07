//! Where the pinned programs lie that `cargo xtask tools` builds.

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Context as _, Result, bail};

/// The path of a pinned program: `etcd`, `kube-apiserver`, `kubectl`, `versitygw`.
///
/// One that is not there is an error with its remedy: a test that needs it fails, it is never left out.
pub fn program(name: &str) -> Result<PathBuf> {
    let program = cache()?.join("tools").join("bin").join(name);
    if !program.is_file() {
        bail!("{} is not there: run `cargo xtask tools`", program.display());
    }
    Ok(program)
}

/// Where things are kept between runs, by the rule of `cargo xtask`: `$FOLLOWLYTICS_CACHE`, else below
/// `$XDG_CACHE_HOME`, else below `~/.cache`.
pub fn cache() -> Result<PathBuf> {
    let set = |name: &str| -> Option<PathBuf> {
        std::env::var_os(name)
            .filter(|value: &OsString| !value.is_empty())
            .map(PathBuf::from)
    };
    set("FOLLOWLYTICS_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("followlytics")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("followlytics")))
        .context(
            "failed to choose a cache directory: none of FOLLOWLYTICS_CACHE, XDG_CACHE_HOME and HOME is set",
        )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_missing_program_names_the_remedy() {
        let error = super::program("no-such-program").unwrap_err().to_string();
        assert!(
            error.contains("no-such-program") && error.contains("cargo xtask tools"),
            "{error}"
        );
    }
}
