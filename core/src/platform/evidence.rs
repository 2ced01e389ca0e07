//! Evidence for what is known of a platform, and how strong it is.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// Strength of the evidence for a fact.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Display, IntoStaticStr,
)]
pub enum Grade {
    /// Seen, and promised nowhere.
    Observed,
    /// A sentence of the platform's own documentation.
    Documented,
    /// A line of the server's source.
    Source,
}

/// What is known, and what supports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// How strong the evidence is.
    pub grade: Grade,
    /// File and versions, or page of the documentation, with what it says.
    pub citation: &'static str,
}

impl Fact {
    /// What was seen.
    pub const fn observed(citation: &'static str) -> Self {
        Self {
            grade: Grade::Observed,
            citation,
        }
    }

    /// What the platform's documentation says.
    pub const fn documented(citation: &'static str) -> Self {
        Self {
            grade: Grade::Documented,
            citation,
        }
    }

    /// What the server's source does.
    pub const fn source(citation: &'static str) -> Self {
        Self {
            grade: Grade::Source,
            citation,
        }
    }

    /// Whether it is more than an observation, and so can carry a guarantee.
    pub fn is_proven(self) -> bool {
        self.grade > Grade::Observed
    }
}
