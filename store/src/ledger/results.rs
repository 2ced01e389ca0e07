//! Results: what a merge reads, and the transaction that makes its result visible.
//!
//! The row is the visibility point of a version: parts and manifest are durable objects before it, and
//! unreachable garbage until then. Versions of an account count from 1; a number is never used again.

use followlytics_core::{
    account::{AccountRef, Platform},
    mutants::{self, Mutant},
    platform::{Family, Seek, list::ListTraits, server::Server},
    scan::{
        certificate::Certificate,
        ends::Ended,
        observed::Observed,
        range::{Range, RangeId, Span},
        since::{Base, Since},
        summary::{ResultRecord, Stage},
    },
};
use jiff::Timestamp;

use super::{Job, Ledger, LedgerError, ScanRow, jobs, ranges, scans, shards};
use crate::{
    db::{Row, Tx},
    params,
};

/// Everything a merge has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeInput {
    /// Whose result it is: the scan's namespace.
    pub tenant: String,
    /// The platform.
    pub platform: Platform,
    /// The account's id, as the platform gives it and the pages name it.
    pub account_id: String,
    /// The account as results are kept by: its id, with `@host` where a platform has many servers.
    pub account: String,
    /// Keep the first so many followers in the platform's order; 0 = all.
    pub row_cap: i64,
    /// How the list was entered.
    pub seek: Seek,
    /// What is known of the server's lists.
    pub list: ListTraits,
    /// Ranges that ended because the platform said that the list ends.
    pub ended: Vec<Ended>,
    /// The planned space; `None` for a chain.
    pub root: Option<Span>,
    /// The result it goes on from.
    pub since: Option<Base>,
    /// Followers the platform counted at the start.
    pub platform_count: i64,
    /// What the pages showed of the list.
    pub observed: Observed,
    /// Which program the server said it runs.
    pub server: Option<Server>,
    /// All ranges, in order of their ids.
    pub ranges: Vec<Range>,
}

/// A committed page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// Key of the object.
    pub key: String,
    /// SHA-256 of the object.
    pub sha256: String,
    /// The range.
    pub range: RangeId,
    /// Epoch of the lease it was fetched under.
    pub epoch: u64,
    /// Number within the range.
    pub seq: u32,
    /// The broker's clock at the permit.
    pub seen_at: Timestamp,
    /// Lines of its body.
    pub lines: i64,
    /// Size of the object.
    pub bytes: u64,
}

/// A merged result that has no version yet. Its objects are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResult {
    /// Key of the manifest.
    pub manifest: String,
    /// Keys of the Parquet parts, in order of ids.
    pub parts: Vec<String>,
    /// SHA-256 of the manifest.
    pub sha256: String,
    /// Followers.
    pub rows: i64,
    /// Rows that were merged away.
    pub duplicates: i64,
    /// Rows kept raw because they could not be read.
    pub unread: i64,
    /// What is promised.
    pub certificate: Certificate,
    /// Key of the ids of its newest rows, where the list is read newest first.
    pub head: Option<String>,
}

/// An account that has results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The platform.
    pub platform: Platform,
    /// As results are kept by: [`MergeInput::account`].
    pub id: String,
}

/// Whether a page was requested with a token.
async fn is_signed_in(tx: &mut Tx, scan: &str) -> Result<bool, LedgerError> {
    let sql =
        "SELECT 1 FROM permits WHERE scan = $1 AND family = $2 AND credential NOT LIKE 'anonymous@%' LIMIT 1";
    let row = tx
        .find(sql, params![scan, <&str>::from(Family::Followers)])
        .await?;
    Ok(row.is_some())
}

impl Ledger {
    /// What the merge of a scan has to know, whatever the number of its pages.
    pub async fn merge_input(&self, scan: &str) -> Result<MergeInput, LedgerError> {
        let mut tx = self.db.read().await?;
        let row = scans::get(&mut tx, scan).await?;
        let ranges = ranges::all(&mut tx, scan).await?;
        let (account_id, platform_count) = row
            .report
            .as_ref()
            .map(|report| (report.id.clone(), report.followers))
            .ok_or_else(unresolved)?;
        let platform = row.request.account.platform;
        let facts = platform.facts();
        let list = row.list_traits();
        let list = if is_signed_in(&mut tx, scan).await? {
            list.seen_by_a_user(platform)
        } else {
            list
        };
        let ended = ended(&mut tx, scan).await?;
        Ok(MergeInput {
            account: account(&row)?,
            tenant: row.request.namespace,
            platform,
            account_id,
            row_cap: row.plan.as_ref().map_or(0, |plan| plan.row_cap),
            seek: row.plan.as_ref().map_or(facts.seek, |plan| plan.seek),
            list,
            ended,
            root: row.plan.as_ref().and_then(|plan| plan.root),
            since: row.plan.as_ref().and_then(|plan| plan.since.clone()),
            platform_count,
            observed: row.observed,
            server: row.server,
            ranges,
        })
    }

    /// Committed pages of a range in order, from this one on, at most so many.
    pub async fn list_pages(
        &self,
        scan: &str,
        range: RangeId,
        from: u32,
        most: u32,
    ) -> Result<Vec<PageRow>, LedgerError> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT key, sha256, range_id, epoch, seq, seen_at, lines, bytes FROM pages \
                   WHERE scan = $1 AND range_id = $2 AND seq >= $3 ORDER BY seq LIMIT $4";
        let rows = tx.query(sql, params![scan, range, from, most]).await?;
        rows.iter().map(read_page).collect()
    }

    /// Makes a result visible as the account's next version, and ends the job and the scan with it.
    ///
    /// A worker that lost the job is told `Fenced` and changes nothing. A scan has one result: publishing again
    /// under the same lease answers the first record.
    pub async fn publish_result(&self, job: &Job, result: &NewResult) -> Result<ResultRecord, LedgerError> {
        let mut tx = self.db.begin().await?;
        let now = self.now_in(&tx);
        if !jobs::finish(&mut tx, job).await? {
            return Err(LedgerError::Fenced);
        }
        let record = match find(&mut tx, &job.scan).await? {
            Some(record) => record,
            None => insert(&mut tx, &job.scan, result, now).await?,
        };
        let (merged, merging) = (<&str>::from(Stage::Merged), <&str>::from(Stage::Merging));
        let sql = "UPDATE scans SET stage = $2, ended_at = $3, hold = NULL WHERE uid = $1 AND stage = $4";
        tx.execute(sql, params![&job.scan, merged, now, merging]).await?;
        shards::forget(&mut tx, &job.scan, now).await?;
        tx.commit().await?;
        self.notify();
        Ok(record)
    }

    /// The result of a scan.
    pub async fn find_result(&self, scan: &str) -> Result<Option<ResultRecord>, LedgerError> {
        let mut tx = self.db.read().await?;
        find(&mut tx, scan).await
    }

    /// The account that was called so when it was scanned last.
    pub async fn find_account(
        &self,
        tenant: &str,
        named: &AccountRef,
    ) -> Result<Option<Account>, LedgerError> {
        let sql = "SELECT account_id FROM results WHERE tenant = $1 AND platform = $2 AND LOWER(handle) = LOWER($3) \
                     AND COALESCE(host, '') = $4 ORDER BY created_at DESC LIMIT 1";
        let platform = <&str>::from(named.platform);
        let host = named.host.as_deref().unwrap_or_default();
        let mut tx = self.db.read().await?;
        let row = tx
            .find(sql, params![tenant, platform, &named.handle, host])
            .await?;
        row.map(|row| {
            Ok(Account {
                platform: named.platform,
                id: row.get(0)?,
            })
        })
        .transpose()
    }

    /// The account of a scan of this name, if it has a result.
    pub async fn find_account_of_scan(
        &self,
        tenant: &str,
        name: &str,
    ) -> Result<Option<Account>, LedgerError> {
        let sql = "SELECT r.platform, r.account_id FROM results r JOIN scans s ON s.uid = r.scan \
                   WHERE s.namespace = $1 AND s.name = $2";
        let mut tx = self.db.read().await?;
        let row = tx.find(sql, params![tenant, name]).await?;
        row.map(|row| {
            Ok(Account {
                platform: ranges::parse("results.platform", &row.get::<String>(0)?)?,
                id: row.get(1)?,
            })
        })
        .transpose()
    }

    /// Every version of an account's result, the first one first. `account` is [`MergeInput::account`].
    pub async fn list_results(
        &self,
        tenant: &str,
        platform: Platform,
        account: &str,
    ) -> Result<Vec<ResultRecord>, LedgerError> {
        let mut tx = self.db.read().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM results WHERE tenant = $1 AND platform = $2 AND account_id = $3 ORDER BY version"
        );
        let rows = tx
            .query(&sql, params![tenant, <&str>::from(platform), account])
            .await?;
        rows.iter().map(read).collect()
    }

    /// One version of an account's result.
    pub async fn get_result(
        &self,
        tenant: &str,
        platform: Platform,
        account: &str,
        version: i64,
    ) -> Result<ResultRecord, LedgerError> {
        let found = self.list_results(tenant, platform, account).await?;
        let newest = found.last().map_or(0, |record| record.version);
        found
            .into_iter()
            .find(|record| record.version == version)
            .ok_or_else(|| {
                LedgerError::invalid(format!(
                    "version: {platform}:{account} has no result {version}; the newest is {newest}"
                ))
            })
    }
}

const COLUMNS: &str = "version, manifest, parts, sha256, lines, duplicates, unread, certificate";

/// The result of a scan, within a transaction.
pub(crate) async fn find(tx: &mut Tx, scan: &str) -> Result<Option<ResultRecord>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM results WHERE scan = $1");
    tx.find(&sql, params![scan]).await?.as_ref().map(read).transpose()
}

/// The result that a scan goes on from: none where there is none yet, or where it does not say what its newest rows
/// are. A version that does not exist is answered with the newest one.
pub(super) async fn base(
    tx: &mut Tx,
    scan: &ScanRow,
    since: Since,
) -> Result<Result<Option<Base>, i64>, LedgerError> {
    let platform = <&str>::from(scan.request.account.platform);
    let sql = "SELECT version, lines, head, certificate FROM results \
               WHERE tenant = $1 AND platform = $2 AND account_id = $3 ORDER BY version DESC";
    let rows = tx
        .query(sql, params![&scan.request.namespace, platform, account(scan)?])
        .await?;
    let newest = rows
        .first()
        .map(|row| row.get::<i64>(0))
        .transpose()?
        .unwrap_or(0);
    let wanted = match since {
        Since::Latest if newest == 0 => return Ok(Ok(None)),
        Since::Latest => newest,
        Since::Version(version) => version,
    };
    for row in &rows {
        if row.get::<i64>(0)? == wanted {
            let (version, rows) = (wanted, row.get(1)?);
            let head: Option<String> = row.get(2)?;
            let certificate: Certificate = scans::from_json("results.certificate", &row.get::<String>(3)?)?;
            let complete = certificate.complete;
            return Ok(Ok(head.map(|head| Base {
                version,
                rows,
                head,
                complete,
            })));
        }
    }
    Ok(Err(newest))
}

fn read(row: &Row) -> Result<ResultRecord, LedgerError> {
    Ok(ResultRecord {
        version: row.get(0)?,
        manifest: row.get(1)?,
        parts: scans::from_json("results.parts", &row.get::<String>(2)?)?,
        sha256: row.get(3)?,
        rows: row.get(4)?,
        duplicates: row.get(5)?,
        unread: row.get(6)?,
        certificate: scans::from_json("results.certificate", &row.get::<String>(7)?)?,
    })
}

async fn insert(
    tx: &mut Tx,
    scan: &str,
    result: &NewResult,
    now: Timestamp,
) -> Result<ResultRecord, LedgerError> {
    let row = scans::get(tx, scan).await?;
    let (tenant, platform) = (&row.request.namespace, <&str>::from(row.request.account.platform));
    let account = account(&row)?;
    let version = next_version(tx, tenant, platform, &account).await?;
    tx.execute(
        "INSERT INTO results (tenant, platform, account_id, version, scan, manifest, parts, sha256, lines, \
           duplicates, unread, certificate, created_at, head, handle, host) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        params![
            tenant,
            platform,
            &account,
            version,
            scan,
            &result.manifest,
            scans::json(&result.parts)?,
            &result.sha256,
            result.rows,
            result.duplicates,
            result.unread,
            scans::json(&result.certificate)?,
            now,
            result.head.as_deref(),
            &row.request.account.handle,
            row.request.account.host.as_deref(),
        ],
    )
    .await?;
    Ok(ResultRecord {
        version,
        manifest: result.manifest.clone(),
        parts: result.parts.clone(),
        sha256: result.sha256.clone(),
        rows: result.rows,
        duplicates: result.duplicates,
        unread: result.unread,
        certificate: result.certificate.clone(),
    })
}

/// The account's next version. A number is given once, also after its result was deleted: whoever noted it would
/// otherwise find another result under it.
async fn next_version(tx: &mut Tx, tenant: &str, platform: &str, account: &str) -> Result<i64, LedgerError> {
    // A release before this table may still publish on the same database: what exists counts as well.
    let row = tx
        .find(
            "SELECT MAX(version) FROM (\
               SELECT newest AS version FROM result_versions WHERE tenant = $1 AND platform = $2 AND account_id = $3 \
               UNION ALL \
               SELECT version FROM results WHERE tenant = $1 AND platform = $2 AND account_id = $3) AS given",
            params![tenant, platform, account],
        )
        .await?;
    let newest: Option<i64> = row.map(|row| row.get(0)).transpose()?.flatten();
    let version = newest.unwrap_or(0) + 1 + i64::from(mutants::on(Mutant::VersionSkipped));
    if mutants::on(Mutant::VersionReused) {
        return Ok(version);
    }
    tx.execute(
        "INSERT INTO result_versions (tenant, platform, account_id, newest) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, platform, account_id) DO UPDATE SET newest = $4",
        params![tenant, platform, account, version],
    )
    .await?;
    Ok(version)
}

/// Ranges whose last page said that the list ends, with the place of that page.
pub(super) async fn ended(tx: &mut Tx, scan: &str) -> Result<Vec<Ended>, LedgerError> {
    let sql = "SELECT range_id, MIN(input_position), MAX(lines) FROM pages WHERE scan = $1 AND exhausted = 1 \
               GROUP BY range_id ORDER BY range_id";
    let rows = tx.query(sql, params![scan]).await?;
    rows.iter()
        .map(|row| {
            Ok(Ended {
                range: row.get(0)?,
                place: row.get(1)?,
                rows: row.get(2)?,
            })
        })
        .collect()
}

fn read_page(row: &Row) -> Result<PageRow, LedgerError> {
    Ok(PageRow {
        key: row.get(0)?,
        sha256: row.get(1)?,
        range: row.get(2)?,
        epoch: row.get(3)?,
        seq: row.get(4)?,
        seen_at: row.get(5)?,
        lines: row.get(6)?,
        bytes: row.get(7)?,
    })
}

/// Ids are the server's own where a platform has many servers: two of them may give out the same.
fn account(row: &ScanRow) -> Result<String, LedgerError> {
    let report = row.report.as_ref().ok_or_else(unresolved)?;
    Ok(match &row.request.account.host {
        Some(host) => format!("{}@{host}", report.id),
        None => report.id.clone(),
    })
}

fn unresolved() -> LedgerError {
    LedgerError::invalid("scan: its account was not looked up yet, so there is nothing to merge")
}

#[cfg(test)]
mod tests;
