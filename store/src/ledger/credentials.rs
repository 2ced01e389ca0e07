//! What credentials were used for: read by the controller, for people.

use followlytics_core::{
    money::Usd,
    platform::Family,
    scan::{request::Access, summary::Hold},
};
use jiff::Timestamp;

use super::{Ledger, LedgerError, ranges, scans};
use crate::params;

/// What a credential was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialUse {
    /// Its windows that are running, in order of family and length.
    pub windows: Vec<WindowUse>,
    /// Settled with it, ever.
    pub spent: Usd,
    /// Why a scan that uses it is held, where the platform refused it.
    pub refused: Option<String>,
    /// Fingerprint of the token that was used last.
    pub fingerprint: Option<String>,
}

/// A window that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowUse {
    /// What is counted.
    pub family: Family,
    /// Requests used.
    pub used: i64,
    /// Requests allowed.
    pub limit: i64,
    /// Requests stated in the Credential or published, and reported by the platform's headers, where both are known and
    /// differ.
    pub differs: Option<(i64, i64)>,
    /// When it starts afresh.
    pub reset: Timestamp,
}

impl Ledger {
    /// Remembers which token a credential (`namespace/name`) stands for, by its fingerprint alone.
    pub async fn note_fingerprint(&self, credential: &str, fingerprint: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        let now = self.now_in(&tx);
        tx.execute(
            "INSERT INTO fingerprints (credential, fingerprint, seen_at) VALUES ($1, $2, $3) \
             ON CONFLICT (credential) DO UPDATE SET fingerprint = excluded.fingerprint, seen_at = excluded.seen_at \
               WHERE fingerprints.fingerprint <> excluded.fingerprint",
            params![credential, fingerprint, now],
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// What a credential (`namespace/name`) was used for.
    pub async fn credential_use(&self, credential: &str) -> Result<CredentialUse, LedgerError> {
        let mut tx = self.db.read().await?;
        let now = self.now_in(&tx);
        let rows = tx
            .query(
                "SELECT family, used, requests, reset, window_ms, reported FROM windows WHERE credential = $1 AND reset > $2 \
                   AND window_ms <> 0 \
                 ORDER BY family, window_ms",
                params![credential, now],
            )
            .await?;
        let mut windows = Vec::with_capacity(rows.len());
        for row in rows {
            let (stated, reported): (i64, Option<i64>) = (row.get(2)?, row.get(5)?);
            let stated = (row.get::<i64>(4)? > 0).then_some(stated);
            let Some(limit) = stated.into_iter().chain(reported).min() else {
                continue;
            };
            windows.push(WindowUse {
                family: ranges::parse("windows.family", &row.get::<String>(0)?)?,
                used: row.get(1)?,
                limit,
                differs: stated
                    .zip(reported)
                    .filter(|(stated, reported)| stated != reported),
                reset: row.get(3)?,
            });
        }
        let spent = tx
            .find(
                "SELECT CAST(SUM(price) AS BIGINT) FROM usage WHERE credential = $1",
                params![credential],
            )
            .await?
            .map(|row| row.get::<Option<i64>>(0))
            .transpose()?
            .flatten();
        let rows = tx
            .query(
                "SELECT CASE WHEN credential = $1 THEN hold ELSE browser_hold END, browser, credential FROM scans \
                 WHERE (credential = $1 AND hold IS NOT NULL OR browser_hold IS NOT NULL) \
                   AND stage IN ('Resolving', 'Scanning') ORDER BY uid",
                params![credential],
            )
            .await?;
        let mut refused = None;
        for row in rows {
            let Some(hold) = row.get::<Option<String>>(0)? else {
                continue;
            };
            let hold: Hold = scans::from_json("scans.hold", &hold)?;
            let access: Option<String> = row.get(1)?;
            let access: Option<Access> = access
                .map(|text| scans::from_json("scans.browser", &text))
                .transpose()?;
            let its_own = row.get::<String>(2)? == credential
                || access.is_some_and(|access| access.credential == credential);
            if its_own && hold.reason == "CredentialInvalid" {
                refused = Some(hold.message);
            }
        }
        let fingerprint = tx
            .find(
                "SELECT fingerprint FROM fingerprints WHERE credential = $1",
                params![credential],
            )
            .await?;
        Ok(CredentialUse {
            windows,
            spent: Usd::from_nanos(spent.unwrap_or(0)),
            refused,
            fingerprint: fingerprint.map(|row| row.get(0)).transpose()?,
        })
    }
}
