//! What may refuse a call to the database: a right that has ended, or a simulated outage.

use super::DbError;

/// When a guard is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before a reading statement or transaction.
    Read,
    /// Before a write transaction begins.
    Begin,
    /// Before its commit.
    Commit,
    /// After its commit, before the caller hears of it.
    Committed,
}

/// Decides whether a call to the database is made, and whether its caller hears that it was.
pub trait Guard: Send + Sync {
    /// # Errors
    /// What the caller gets instead of the call, or of its answer; usually [`DbError::Gone`].
    fn check(&self, moment: Moment) -> Result<(), DbError>;
}
