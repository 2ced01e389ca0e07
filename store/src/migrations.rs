//! The schema, one numbered file a step; a step that was released is never edited.
//!
//! One text serves both databases: columns are BIGINT, TEXT, DOUBLE PRECISION or BLOB, and nothing else is used
//! that only one of them knows. On PostgreSQL every TEXT is compared byte by byte, as SQLite does it.
//!
//! **Expand, then contract.** While a new release starts, the one before may still run on the same database. So
//! a step only adds: tables, indices, and columns that may be NULL or have a default. What a release no longer
//! uses is dropped by a step of the release after it. A step that changes rows must leave them readable to the
//! release before. To add a step: a new file with the next number, and a line in [`STEPS`].

pub(crate) mod postgres;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;

use crate::db::DbError;

/// Every step in order; the position (from 1) is the schema's version.
pub(crate) const STEPS: &[&str] = &[
    include_str!("../migrations/0001_ledger.sql"),
    include_str!("../migrations/0002_resources.sql"),
    include_str!("../migrations/0003_jobs.sql"),
    include_str!("../migrations/0004_shares.sql"),
    include_str!("../migrations/0005_shards.sql"),
    include_str!("../migrations/0006_since.sql"),
    include_str!("../migrations/0007_browser.sql"),
    include_str!("../migrations/0008_fingerprints.sql"),
    include_str!("../migrations/0009_observed.sql"),
    include_str!("../migrations/0010_clocks.sql"),
    include_str!("../migrations/0011_money.sql"),
    include_str!("../migrations/0012_consents.sql"),
    include_str!("../migrations/0014_density.sql"),
    include_str!("../migrations/0015_sweeps.sql"),
    include_str!("../migrations/0016_kept.sql"),
];

/// The steps that a schema of this version lacks, with the versions they lead to.
fn missing(found: i64, steps: &'static [&'static str]) -> Result<Vec<(i64, &'static str)>, DbError> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(DbError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    Ok((1..).zip(steps.iter().copied()).skip(done).collect())
}
