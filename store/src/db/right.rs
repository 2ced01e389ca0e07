//! The right to write to a database, for a process that has to be its only control plane.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::DbError;

/// The right to write to a database until a moment of this process's monotonic clock; cheap to clone.
///
/// A write transaction neither starts nor commits after that moment. The error is that of a lost connection: whoever
/// retries then succeeds once the right is extended.
#[derive(Debug, Clone)]
pub struct Right(Arc<Mutex<Instant>>);

impl Right {
    /// A right that lasts until this moment.
    pub fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    /// Lets it last until `end`.
    pub fn extend(&self, end: Instant) {
        *self.end() = end;
    }

    /// # Errors
    /// [`DbError::Gone`] once the right has ended.
    pub(super) fn check(right: Option<&Self>) -> Result<(), DbError> {
        match right {
            Some(right) if Instant::now() >= *right.end() => {
                let why = "the right to be the only control plane of this database has to be renewed first";
                // The cause under which an unanswered call is reported: the database was silent for that long.
                Err(DbError::Gone(io::Error::new(io::ErrorKind::TimedOut, why).into()))
            }
            _ => Ok(()),
        }
    }

    fn end(&self) -> MutexGuard<'_, Instant> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
