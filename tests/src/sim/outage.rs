//! A database that is away for a while, or does what it was told and does not say so.

use followlytics_store::db::{DbError, Guard, Moment};

use super::{scenario::Part, shared::Shared};

/// What stands between the control plane and its database.
pub(super) struct Connection(pub(super) Shared);

impl Guard for Connection {
    fn check(&self, moment: Moment) -> Result<(), DbError> {
        let what = if self.0.is_away(Part::Database) {
            "database away"
        } else if moment == Moment::Committed && self.0.fault(self.0.scenario.faults.commits) {
            "unanswered commits"
        } else {
            return Ok(());
        };
        self.0.count(what);
        self.0.trace(&format!("{what}: {moment:?}"));
        Err(DbError::Gone(format!("simulated: {what}").into()))
    }
}
