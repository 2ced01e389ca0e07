//! What the caller decides about a browser.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Where rows are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// From the page's own answers; from the list's cells where an answer's body cannot be had.
    #[default]
    Answers,
    /// From the list's cells alone: slower, and without what cells do not show.
    Cells,
}

/// How Chromium is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program; `None` searches ([`BrowserError::Missing`](crate::BrowserError::Missing) says where).
    pub program: Option<PathBuf>,
    /// Words put in front of the program, such as those of a step that ties it to its parent's life and then becomes
    /// it. Empty: Chromium outlives a parent that is killed.
    pub shim: Vec<OsString>,
    /// Where profiles are made; `None` is `/dev/shm`. It should be a tmpfs: cookies must not reach a disk.
    pub profile_root: Option<PathBuf>,
    /// Where redacted traces of pages that changed are kept; `None` keeps none.
    pub traces: Option<PathBuf>,
    /// Tabs open at a time, at least one.
    pub tabs: usize,
    /// How long a page may take to make a request, and a request to be answered.
    pub patience: Duration,
    /// Where rows are read.
    pub reading: Reading,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: None,
            shim: Vec::new(),
            profile_root: None,
            traces: None,
            tabs: 4,
            patience: Duration::from_secs(20),
            reading: Reading::Answers,
        }
    }
}
