//! One follower as every platform's connector reports it, and as the result keeps it.

use serde::{Deserialize, Serialize};

/// A follower, in the words of one answer of the platform. What the platform left out is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The platform's own stable id: a number's digits, or a DID. The key of the merge.
    pub id: String,
    /// The handle at the time, without a leading @.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handle: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Biography.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// Place, as the follower wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Followers the follower has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followers: Option<i64>,
    /// Accounts the follower follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub following: Option<i64>,
    /// Posts the follower wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posts: Option<i64>,
    /// Whether the platform marks the follower as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Whether the follower's account is protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
    /// When the follower's account was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<jiff::Timestamp>,
}

/// A line of a page's body: a row, or the raw source of one that could not be read.
///
/// A row that fails to parse never costs a bought page; its source is kept for a later release to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The source of a row that could not be read, and why.
    Unread {
        /// The row as the platform sent it.
        unread: String,
        /// What was wrong with it.
        error: String,
    },
    /// A row.
    Row(Row),
}
