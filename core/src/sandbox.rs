//! A sandbox's decisions: what is known of it, where it stands, what to do next.
//!
//! Knows nothing of processes or pods; a backend says what it sees as [`Known`] [`Instance`]s.

#[cfg(feature = "crds")]
pub mod build;
#[cfg(feature = "crds")]
pub mod decide;
#[cfg(feature = "crds")]
pub mod phase;

use jiff::Timestamp;
use serde::Serialize;

/// What an observation brought; not knowing is a value, never a guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Known<T> {
    /// It is not there.
    Absent,
    /// It could not be found out; nothing may be concluded.
    Unknown,
    /// It is there.
    Present(T),
}

impl<T> Known<T> {
    /// What is there, if anything is known to be.
    pub const fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// What a backend runs for one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// The backend's own name of it: a process id, a pod's uid.
    pub id: String,
    /// Whether it still runs.
    pub state: InstanceState,
}

/// Whether an instance still runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum InstanceState {
    /// It runs.
    Running,
    /// It ended; nothing of it runs any more.
    Exited {
        /// Its exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// The last line it logged, shortened; for people.
        last_words: Option<String>,
    },
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Requeue {
    /// At once: this step was only the first of several.
    Now,
    /// At this instant, or earlier when something changes.
    At(Timestamp),
    /// When something changes.
    OnChange,
}

impl Requeue {
    /// The earlier of the two.
    #[must_use]
    pub fn or_sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(one), Self::At(two)) => Self::At(one.min(two)),
            (Self::At(at), Self::OnChange) | (Self::OnChange, Self::At(at)) => Self::At(at),
            (Self::OnChange, Self::OnChange) => Self::OnChange,
        }
    }
}

/// What to do about an object's finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Finalizer {
    /// Leave it as it is.
    Keep,
    /// Put it on before anything is made that it must clean up.
    Add,
    /// Everything is cleaned up: take it off.
    Remove,
}

/// An event for people: one for each outcome, never for a transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// One of the published reasons.
    pub reason: &'static str,
    /// One sentence.
    pub note: String,
    /// Whether somebody should worry.
    pub warning: bool,
    /// Distinguishes events of one reason within one generation; `None` = at most one per generation.
    pub occurrence: Option<String>,
}
