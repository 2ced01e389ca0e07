//! Where things that outlive a run are kept: outside the checkout, so that a fresh clone finds them again.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// `$FOLLOWLYTICS_CACHE`, else `$XDG_CACHE_HOME/followlytics`, else `~/.cache/followlytics`.
///
/// `.ci/run` follows the same rule for its target directory.
pub(crate) fn directory() -> Result<PathBuf> {
    choose(
        std::env::var_os("FOLLOWLYTICS_CACHE"),
        std::env::var_os("XDG_CACHE_HOME"),
        std::env::var_os("HOME"),
    )
    .context("failed to choose a cache directory: none of FOLLOWLYTICS_CACHE, XDG_CACHE_HOME and HOME is set")
}

fn choose(own: Option<OsString>, xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let set = |value: Option<OsString>| value.filter(|text| !text.is_empty()).map(PathBuf::from);
    set(own)
        .or_else(|| set(xdg).map(|base| base.join("followlytics")))
        .or_else(|| set(home).map(|home| home.join(".cache").join("followlytics")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(own: &str, xdg: &str, home: &str) -> Option<String> {
        choose(Some(own.into()), Some(xdg.into()), Some(home.into())).map(|path| path.display().to_string())
    }

    #[test]
    fn own_variable_wins_and_empty_counts_as_unset() {
        assert_eq!(chosen("/a", "/b", "/c").as_deref(), Some("/a"));
        assert_eq!(chosen("", "/b", "/c").as_deref(), Some("/b/followlytics"));
        assert_eq!(chosen("", "", "/c").as_deref(), Some("/c/.cache/followlytics"));
        assert_eq!(chosen("", "", ""), None);
    }
}
