//! Meetings: ranges that end where what they read is known already.

use followlytics_core::scan::{plan::Plan, range::RangeId, since::Base};

use super::{Ledger, LedgerError, scans};
use crate::params;

/// What a range's reader may meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing: it is read to its end.
    Nobody,
    /// A seam: rows that this range had read itself.
    Range(RangeId),
    /// A list that goes on from a result: the newest rows of that.
    Base(Base),
}

impl Ledger {
    /// What this range's reader may meet.
    pub async fn meeting(&self, scan: &str, range: RangeId) -> Result<Meeting, LedgerError> {
        let sql = "SELECT r.kind, r.meets, CASE WHEN s.since IS NULL THEN NULL ELSE s.plan END \
                   FROM ranges r JOIN scans s ON s.uid = r.scan WHERE r.scan = $1 AND r.id = $2";
        let Some(row) = self.db.find(sql, params![scan, range]).await? else {
            return Ok(Meeting::Nobody);
        };
        let behind: Option<RangeId> = row.get(1)?;
        let plan: Option<String> = row.get(2)?;
        Ok(match (row.get::<String>(0)?.as_str(), behind, plan) {
            ("Seam", Some(behind), _) => Meeting::Range(behind),
            ("Listing", _, Some(plan)) => {
                let plan: Plan = scans::from_json("scans.plan", &plan)?;
                plan.since.map_or(Meeting::Nobody, Meeting::Base)
            }
            _ => Meeting::Nobody,
        })
    }

    /// Keys of a range's first pages, in order.
    pub async fn first_page_keys(
        &self,
        scan: &str,
        range: RangeId,
        most: u32,
    ) -> Result<Vec<String>, LedgerError> {
        let sql = "SELECT key FROM pages WHERE scan = $1 AND range_id = $2 ORDER BY seq LIMIT $3";
        self.keys(sql, scan, range, most).await
    }

    /// Keys of a range's last pages, the last one first.
    pub async fn last_page_keys(
        &self,
        scan: &str,
        range: RangeId,
        most: u32,
    ) -> Result<Vec<String>, LedgerError> {
        let sql = "SELECT key FROM pages WHERE scan = $1 AND range_id = $2 ORDER BY seq DESC LIMIT $3";
        self.keys(sql, scan, range, most).await
    }

    async fn keys(
        &self,
        sql: &str,
        scan: &str,
        range: RangeId,
        most: u32,
    ) -> Result<Vec<String>, LedgerError> {
        let mut tx = self.db.read().await?;
        let rows = tx.query(sql, params![scan, range, most]).await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }
}
