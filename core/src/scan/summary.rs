//! What the ledger knows of a scan, in one value: everything the controller and the command line decide from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::{certificate::Certificate, plan::Plan};
use crate::money::Usd;

/// Where a scan stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr)]
pub enum Stage {
    /// The account is being looked up.
    Resolving,
    /// Planned; ranges are read as far as budget and windows allow.
    Scanning,
    /// Every range and seam is read; the merge is queued or running.
    Merging,
    /// The result is visible.
    Merged,
    /// It ends without a result: a dry run, or a scan that was cancelled or can never succeed.
    Ended,
}

/// Why a scan does not go on, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// One of the published reasons (`followlytics_crds::reasons`).
    pub reason: String,
    /// One sentence with the remedy.
    pub message: String,
    /// When it goes on by itself; `None` = a person has to change something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Ranges by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeTally {
    /// All listing ranges and seams.
    pub total: i64,
    /// Read to their end.
    pub done: i64,
    /// Leased.
    pub active: i64,
    /// Open, without a holder.
    pub waiting: i64,
    /// Given up.
    pub failed: i64,
}

/// Requests by what they were for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestTally {
    /// Look-ups.
    pub lookups: i64,
    /// Probes.
    pub probes: i64,
    /// Pages of ranges.
    pub pages: i64,
    /// Pages of seams.
    pub seam_pages: i64,
    /// Requests that brought nothing.
    pub failed: i64,
    /// Permits whose outcome never came.
    pub unanswered: i64,
    /// Splits while running.
    pub splits: i64,
    /// Rows fetched a second time because the first answer was lost.
    pub refetched_rows: i64,
    /// Pages of them.
    pub refetched_pages: i64,
}

/// A merged result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultRecord {
    /// Version of the account's result, from 1.
    pub version: i64,
    /// Key of the manifest.
    pub manifest: String,
    /// Keys of the Parquet parts, in order of ids.
    pub parts: Vec<String>,
    /// SHA-256 of the manifest.
    pub sha256: String,
    /// Followers.
    pub rows: i64,
    /// Rows that were merged away.
    pub duplicates: i64,
    /// Rows kept raw because they could not be read.
    pub unread: i64,
    /// What is promised.
    pub certificate: Certificate,
}

/// What the ledger knows of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where it stands.
    pub stage: Stage,
    /// Why it does not go on.
    pub hold: Option<Hold>,
    /// Set once it can never succeed: reason and message.
    pub failure: Option<Hold>,
    /// The account's id.
    pub account_id: Option<String>,
    /// Followers the platform counted when the scan began.
    pub expected: i64,
    /// The plan.
    pub plan: Option<Plan>,
    /// Rows committed.
    pub scanned: i64,
    /// Ranges by state.
    pub ranges: RangeTally,
    /// Requests by purpose.
    pub requests: RequestTally,
    /// Settled.
    pub spent: Usd,
    /// Held by open permits.
    pub reserved: Usd,
    /// Perhaps charged, never billed.
    pub ambiguous: Usd,
    /// Charged above what was reserved, for rows that were not requested.
    pub surplus: Usd,
    /// The credential that a chain is read with although the scan names another one.
    pub kept_credential: Option<String>,
    /// Permits that are open.
    pub open_permits: i64,
    /// Runners that would find work now.
    pub wanted_runners: u32,
    /// First request.
    pub started: Option<Timestamp>,
    /// End.
    pub ended: Option<Timestamp>,
    /// The result.
    pub result: Option<ResultRecord>,
}
