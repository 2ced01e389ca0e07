//! The manifest: what a result consists of, and what is promised of it.

use followlytics_core::{
    account::Platform,
    scan::{certificate::Certificate, sweep::Sweeps},
};
use serde::{Deserialize, Serialize};

use crate::{Tail, WorkerError};

/// What a result consists of. It names no version: that is given out when the result becomes visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Format of the manifest.
    pub format: u32,
    /// Uid of the scan.
    pub scan: String,
    /// Whose result it is.
    pub tenant: String,
    /// The platform.
    pub platform: Platform,
    /// The account's id, with `@host` where a platform has many servers.
    pub account: String,
    /// Followers.
    pub rows: i64,
    /// Lines of all pages: `rows + duplicates + trimmed + unread`, less the rows of the result it goes on from.
    pub scanned: i64,
    /// Version of the result it goes on from, where only what is new was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Rows that were merged away.
    pub duplicates: i64,
    /// Followers beyond the row cap.
    pub trimmed: i64,
    /// Lines kept raw in their pages because they could not be read.
    pub unread: i64,
    /// The Parquet parts, in order of ids.
    pub parts: Vec<Part>,
    /// What both passes saw, where the list was read twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweeps: Option<Sweeps>,
    /// What is promised.
    pub certificate: Certificate,
}

/// A Parquet part of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its key.
    pub key: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its rows.
    pub rows: i64,
    /// Its size.
    pub bytes: u64,
    /// What vouches for each of its row groups: with it the part is read and believed piece by piece. Parts of the
    /// first release have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

impl Manifest {
    /// The format this release writes.
    pub const FORMAT: u32 = 1;

    pub(crate) fn encode(&self, key: &str) -> Result<Vec<u8>, WorkerError> {
        serde_json::to_vec_pretty(self).map_err(|source| WorkerError::Manifest {
            key: key.to_owned(),
            source,
        })
    }

    pub(crate) fn decode(key: &str, bytes: &[u8]) -> Result<Self, WorkerError> {
        serde_json::from_slice(bytes).map_err(|source| WorkerError::Manifest {
            key: key.to_owned(),
            source,
        })
    }
}
