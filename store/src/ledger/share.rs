//! Scans that share a credential: whose turn the next slot of its windows is.
//!
//! Stores the credential's fair time, which every slot moves on, and each scan's own beginning in it. One
//! query reads every scan that wants slots; `core` decides.

use followlytics_core::{
    platform::Family,
    scan::{
        share::{Contender, FairTime, Turn, turn},
        source::Source,
        summary::{Hold, Stage},
        window::Window,
    },
};
use jiff::Timestamp;

use super::{LedgerError, ScanRow, scans};
use crate::{
    db::{Row, Tx},
    params,
};

/// Who wants slots of a credential's windows, at one instant.
pub(super) struct Share {
    contenders: Vec<Contender>,
    /// Whether one of them had no slot before.
    newcomers: bool,
    fair: FairTime,
}

/// Pages an hour of a runner that has brought none yet.
const UNMEASURED: i64 = 3_600;

/// Open ranges by scan. What a runner can do is one page in the time its last one took, from its permit to its
/// commit: that leaves out every wait. Only runners who could start a request now count.
const CONTENDERS: &str = "SELECT s.uid, s.priority, s.lines, s.hold, s.fair_from, \
       CAST(SUM(CASE WHEN r.expected > r.lines THEN (r.expected - r.lines + $3 - 1) / $3 ELSE 1 END) AS BIGINT), \
       CAST(SUM(CASE WHEN q.id IS NULL THEN 0 ELSE 1 END) AS BIGINT), \
       CAST(SUM(CASE WHEN r.lease_until > $2 AND (r.not_before IS NULL OR r.not_before <= $2) \
         THEN CASE WHEN p.permit IS NULL THEN $4 ELSE 3600000000 / (p.committed_at - p.seen_at + 1) END \
         ELSE 0 END) AS BIGINT) \
     FROM scans s \
     JOIN ranges r ON r.scan = s.uid AND r.state = 'Open' AND r.source = 'Api' \
     LEFT JOIN permits q ON r.lease_until > $2 AND q.scan = r.scan AND q.range_id = r.id AND q.seq = r.seq \
       AND q.state IN ('Open', 'Ambiguous') AND q.state = 'Open' AND q.epoch = r.epoch \
     LEFT JOIN pages p ON r.lease_until > $2 AND p.scan = r.scan AND p.range_id = r.id AND p.seq = r.seq - 1 \
     WHERE s.credential = $1 AND s.stage = 'Scanning' AND s.mode = 'Run' \
       AND (r.terms IS NULL OR r.lo IS NOT NULL OR r.cursor IS NULL OR r.terms LIKE $5) \
       AND (s.consent = 'Budget' OR EXISTS (SELECT 1 FROM consents c WHERE c.scan = s.uid AND c.until > $2)) \
     GROUP BY s.uid, s.priority, s.lines, s.hold, s.fair_from ORDER BY s.uid";

impl Share {
    /// Reads who wants slots now. `None` while this scan does not list yet: a look-up waits for nobody. `None` for a
    /// browser too: who comes first to a web session's few slots has them.
    pub(super) async fn read(
        tx: &mut Tx,
        scan: &ScanRow,
        family: Family,
        now: Timestamp,
    ) -> Result<Option<Self>, LedgerError> {
        if family != Family::Followers || scan.stage != Stage::Scanning || scan.source == Source::Browser {
            return Ok(None);
        }
        // A chain on the credential that began it: the scans of that credential do not see it as one of theirs.
        if scan.terms.is_some() {
            return Ok(None);
        }
        let credential = &scan.request.credential;
        let kept = tx
            .find(
                "SELECT fair_time FROM shares WHERE credential = $1 AND family = $2",
                params![credential, <&str>::from(family)],
            )
            .await?;
        let fair = FairTime::from_parts(kept.map(|row| row.get(0)).transpose()?.unwrap_or(0));
        let page_rows = i64::from(scan.page_rows().max(1));
        // A chain that keeps another credential asks that one.
        let own = format!("%\"credential\":{}%", scans::json(credential)?);
        let rows = tx
            .query(CONTENDERS, params![credential, now, page_rows, UNMEASURED, own])
            .await?;
        let mut contenders = Vec::with_capacity(rows.len());
        let mut newcomers = false;
        for row in &rows {
            newcomers |= row.get::<Option<i64>>(4)?.is_none();
            contenders.extend(contender(row, scan, page_rows, fair, now)?);
        }
        Ok(Some(Self {
            contenders,
            newcomers,
            fair,
        }))
    }

    /// Whose turn it is.
    pub(super) fn turn(&self, scan: &ScanRow, windows: &[Window], now: Timestamp) -> Turn {
        turn(&scan.request.uid, &self.contenders, windows, self.fair, now)
    }

    /// The scan took a slot: the fair time moves on. Who is new has come before that.
    pub(super) async fn took(self, tx: &mut Tx, scan: &ScanRow, family: Family) -> Result<(), LedgerError> {
        let credential = &scan.request.credential;
        if self.newcomers {
            tx.execute(
                "UPDATE scans SET fair_from = $2 WHERE credential = $1 AND stage = 'Scanning' AND fair_from IS NULL",
                params![credential, self.fair.parts()],
            )
            .await?;
        }
        let after = self.fair.after_slot(self.contenders.len());
        tx.execute(
            "INSERT INTO shares (credential, family, fair_time) VALUES ($1, $2, $3) \
             ON CONFLICT (credential, family) DO UPDATE SET fair_time = $3",
            params![credential, <&str>::from(family), after.parts()],
        )
        .await?;
        Ok(())
    }
}

/// A row of [`CONTENDERS`]; `None` for a scan that is held.
fn contender(
    row: &Row,
    scan: &ScanRow,
    page_rows: i64,
    fair: FairTime,
    now: Timestamp,
) -> Result<Option<Contender>, LedgerError> {
    let uid: String = row.get(0)?;
    let hold: Option<String> = row.get(3)?;
    let hold: Option<Hold> = hold
        .map(|text| scans::from_json("scans.hold", &text))
        .transpose()?;
    // The asking scan's own row is older than what this transaction knows of it.
    let mine = uid == scan.request.uid;
    if !mine && hold.is_some_and(|hold| hold.until.is_none_or(|until| until > now)) {
        return Ok(None);
    }
    let pages = |lines: i64| (lines + page_rows - 1) / page_rows;
    let (lines, under_way): (i64, i64) = (row.get(2)?, row.get(6)?);
    let left = (row.get::<i64>(5)? - under_way).max(0);
    let news = if mine { pages(scan.lines) - pages(lines) } else { 0 };
    Ok(Some(Contender {
        uid,
        priority: row.get(1)?,
        asked: pages(lines) + under_way + news,
        left: (left - news).max(0),
        came: row.get::<Option<i64>>(4)?.map_or(fair, FairTime::from_parts),
        pages_per_hour: row.get(7)?,
    }))
}
