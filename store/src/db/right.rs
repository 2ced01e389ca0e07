//! The right to write to a database, for a process that has to be its only control plane.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{DbError, Guard, Moment};

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

    fn end(&self) -> MutexGuard<'_, Instant> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard for Right {
    /// # Errors
    /// [`DbError::Gone`] once the right has ended: nothing is written any more, what is written stays.
    fn check(&self, moment: Moment) -> Result<(), DbError> {
        let writes = matches!(moment, Moment::Begin | Moment::Commit);
        if writes && Instant::now() >= *self.end() {
            let why = "the right to be the only control plane of this database has to be renewed first";
            // The cause under which an unanswered call is reported: the database was silent for that long.
            return Err(DbError::Gone(io::Error::new(io::ErrorKind::TimedOut, why).into()));
        }
        Ok(())
    }
}
