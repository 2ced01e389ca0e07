//! What came of a scan: the same facts as a table and as JSON.

use std::path::Path;

use followlytics_core::{
    account::{AccountRef, Platform},
    money::Usd,
    platform::{Family, Seek},
    scan::{
        certificate::Certificate,
        range::{Kind, Range},
        source::Source,
        summary::{ResultRecord, Summary},
    },
};
use followlytics_crds::{Scan, ScanPhase};
use followlytics_worker::Manifest;
use serde::Serialize;

use crate::{
    figures::{charged, grouped, lasting},
    follow::Seen,
    output::columns,
};

/// What came of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScanReport {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) phase: String,
    pub(crate) platform_count: i64,
    pub(crate) rows_scanned: i64,
    /// Of those, what a browser read. Absent where none did, or where nobody at hand knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows_by_browser: Option<i64>,
    pub(crate) unique_followers: Option<i64>,
    pub(crate) duplicates_removed: Option<i64>,
    pub(crate) refetched_rows: i64,
    pub(crate) ranges: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) splits: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<Requests>,
    /// Decimal US dollars.
    pub(crate) cost_usd: String,
    /// What the platform is likely to charge: it says that it charges a row once a UTC day, and does not promise
    /// it. An estimate; budgets never count on it. Absent where nothing is charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) estimated_charge_usd: Option<String>,
    pub(crate) milliseconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<ResultReport>,
}

/// Requests made, against the fewest that could have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Requests {
    pub(crate) made: i64,
    /// Whole pages, seams, one short page a cut, probes, look-ups.
    pub(crate) necessary: i64,
    pub(crate) lookups: i64,
    pub(crate) probes: i64,
    pub(crate) pages: i64,
    pub(crate) seam_pages: i64,
    pub(crate) failed: i64,
    pub(crate) unanswered: i64,
}

/// Where the result lies, and what is promised of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultReport {
    pub(crate) version: i64,
    pub(crate) rows: i64,
    pub(crate) guarantee: String,
    /// The Parquet parts, in order of ids.
    pub(crate) parquet: Vec<String>,
    pub(crate) manifest: String,
    pub(crate) sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<Certificate>,
}

impl ScanReport {
    /// From what was seen last; `objects` is where keys of objects are files.
    pub(crate) fn new(seen: &Seen, objects: Option<&Path>) -> Self {
        match &seen.summary {
            Some(summary) => Self::live(&seen.scan, summary, &seen.ranges, objects),
            None => Self::reported(&seen.scan, objects),
        }
    }

    /// The same with what only the manifest knows, where that lies in a bucket and had to be asked for.
    #[must_use]
    pub(crate) fn detailed_by(mut self, manifest: &Manifest, objects: Option<&Path>) -> Self {
        self.duplicates_removed = self.duplicates_removed.or(Some(manifest.duplicates));
        if let Some(result) = &mut self.result {
            result.parquet = manifest
                .parts
                .iter()
                .map(|part| place(objects, &part.key))
                .collect();
            result.certificate = Some(manifest.certificate.clone());
        }
        self
    }

    fn live(scan: &Scan, summary: &Summary, ranges: &[Range], objects: Option<&Path>) -> Self {
        let result = summary.result.as_ref();
        let counted = result.map(|result| result.certificate.platform_count);
        let listing = ranges.iter().filter(|range| range.kind == Kind::Listing).count();
        let listing = i64::try_from(listing).unwrap_or(i64::MAX);
        let lasted = summary
            .started
            .zip(summary.ended)
            .map(|(from, to)| to.duration_since(from).as_millis());
        Self {
            phase: phase(scan, summary),
            platform_count: counted.unwrap_or(summary.expected),
            rows_scanned: summary.scanned,
            rows_by_browser: by_browser(ranges),
            unique_followers: result.map(|result| result.rows),
            duplicates_removed: result.map(|result| result.duplicates),
            refetched_rows: summary.requests.refetched_rows,
            ranges: listing,
            splits: Some(summary.requests.splits),
            requests: Some(requests(summary, listing, by_browser(ranges))),
            cost_usd: summary.spent.plus(summary.surplus).to_string(),
            estimated_charge_usd: estimated_charge(scan, summary, by_browser(ranges))
                .map(|charge| charge.to_string()),
            milliseconds: lasted.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0),
            result: result.map(|result| ResultReport::new(result, objects)),
            ..Self::named(scan)
        }
    }

    fn reported(scan: &Scan, objects: Option<&Path>) -> Self {
        let Some(status) = &scan.status else {
            return Self::named(scan);
        };
        let progress = status.progress.clone().unwrap_or_default();
        let result = status.result.as_ref();
        let manifest = result
            .zip(objects)
            .and_then(|(result, root)| read_manifest(&root.join(&result.uri)));
        let lasted = status.start_time.as_ref().zip(status.completion_time.as_ref());
        let lasted = lasted.map(|(from, to)| to.0.duration_since(from.0).as_millis());
        Self {
            phase: format!("{:?}", status.phase),
            platform_count: result.map_or(progress.expected, |result| result.certificate.platform_count),
            rows_scanned: progress.scanned,
            unique_followers: result.map(|result| result.rows),
            duplicates_removed: manifest.as_ref().map(|manifest| manifest.duplicates),
            refetched_rows: status.cost.as_ref().map_or(0, |cost| cost.refetched_rows),
            ranges: progress.ranges.total,
            cost_usd: status
                .cost
                .as_ref()
                .and_then(charged)
                .unwrap_or(Usd::ZERO)
                .to_string(),
            milliseconds: lasted.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0),
            result: result.map(|result| ResultReport {
                version: result.version,
                rows: result.rows,
                guarantee: format!("{:?}", result.certificate.guarantee),
                parquet: manifest
                    .iter()
                    .flat_map(|m| &m.parts)
                    .map(|part| place(objects, &part.key))
                    .collect(),
                manifest: place(objects, &result.uri),
                sha256: result.sha256.clone(),
                certificate: manifest.as_ref().map(|manifest| manifest.certificate.clone()),
            }),
            ..Self::named(scan)
        }
    }

    fn named(scan: &Scan) -> Self {
        let account = &scan.spec.account;
        // As people write it; a scan of what is no account is shown as it was written.
        let known = AccountRef::new(&account.platform, &account.handle, account.host.as_deref());
        let named = known.map_or_else(
            |_| format!("{}:{}", account.platform, account.handle),
            |account| account.to_string(),
        );
        Self {
            name: scan.metadata.name.clone().unwrap_or_default(),
            account: named,
            phase: String::new(),
            platform_count: 0,
            rows_scanned: 0,
            rows_by_browser: None,
            unique_followers: None,
            duplicates_removed: None,
            refetched_rows: 0,
            ranges: 0,
            splits: None,
            requests: None,
            cost_usd: Usd::ZERO.to_string(),
            estimated_charge_usd: None,
            milliseconds: 0,
            result: None,
        }
    }
}

impl ResultReport {
    fn new(result: &ResultRecord, objects: Option<&Path>) -> Self {
        Self {
            version: result.version,
            rows: result.rows,
            guarantee: format!("{:?}", result.certificate.guarantee),
            parquet: result.parts.iter().map(|key| place(objects, key)).collect(),
            manifest: place(objects, &result.manifest),
            sha256: result.sha256.clone(),
            certificate: Some(result.certificate.clone()),
        }
    }
}

fn phase(scan: &Scan, summary: &Summary) -> String {
    let written = scan
        .status
        .as_ref()
        .map(|status| status.phase)
        .unwrap_or_default();
    // The result is visible a moment before the object says so.
    let merged = summary.result.is_some() && !written.is_final();
    let phase = match (merged, summary.ranges.failed) {
        (true, 0) => ScanPhase::Succeeded,
        (true, _) => ScanPhase::Partial,
        (false, _) => written,
    };
    format!("{phase:?}")
}

/// The manifest, where objects are files at hand.
fn read_manifest(path: &Path) -> Option<Manifest> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// The path of an object, where objects are files at hand; its key otherwise.
fn place(objects: Option<&Path>, key: &str) -> String {
    objects.map_or_else(|| key.to_owned(), |root| root.join(key).display().to_string())
}

/// Requests made, and the fewest that could have done: whole pages of the rows that are in the result, the pages
/// that join what had been cut, and what had to be known before. A cut in time falls within a page on each side.
fn requests(summary: &Summary, listing: i64, by_browser: Option<i64>) -> Requests {
    let tally = summary.requests;
    let plan = summary.plan.as_ref();
    let page = plan.map_or(1, |plan| i64::from(plan.page_rows)).max(1);
    let rows = summary
        .result
        .as_ref()
        .map_or(summary.scanned, |result| result.rows);
    // The result holds the earlier result's rows as well: of those none was read.
    let rows = match plan.and_then(|plan| plan.since.as_ref()) {
        Some(_) => rows.min(summary.scanned),
        None => rows,
    };
    let cuts = match plan.map(|plan| plan.seek) {
        Some(Seek::Time | Seek::Id) => (listing - 1).max(0),
        Some(Seek::Index | Seek::Chain) | None => 0,
    };
    let full = |rows: i64, page: i64| (rows + page - 1) / page;
    let pages = match by_browser {
        Some(web) => full(summary.scanned - web, page) + full(web, WEB_ROWS),
        None => full(rows, page).max(i64::from(plan.is_some())),
    };
    Requests {
        made: tally.lookups + tally.probes + tally.pages + tally.seam_pages + tally.failed + tally.unanswered,
        necessary: pages + tally.seam_pages + cuts + tally.probes + tally.lookups,
        lookups: tally.lookups,
        probes: tally.probes,
        pages: tally.pages,
        seam_pages: tally.seam_pages,
        failed: tally.failed,
        unanswered: tally.unanswered,
    }
}

/// Rows that a page for people shows at a time.
const WEB_ROWS: i64 = 20;

/// Rows that a browser read; `None` where none did.
fn by_browser(ranges: &[Range]) -> Option<i64> {
    let web = ranges.iter().filter(|range| range.source == Source::Browser);
    let mut rows = web.map(|range| range.rows).peekable();
    rows.peek()?;
    Some(rows.sum())
}

/// Every follower charged once, however often its row was read; what a browser read is not charged.
fn estimated_charge(scan: &Scan, summary: &Summary, by_browser: Option<i64>) -> Option<Usd> {
    let platform: Platform = scan.spec.account.platform.parse().ok()?;
    let read = summary.scanned - by_browser.unwrap_or(0);
    let unique = summary.result.as_ref()?.rows.min(read);
    let charge = platform
        .price(Family::Followers, unique)
        .plus(platform.price(Family::Lookup, summary.requests.lookups));
    // A browser looks accounts up for nothing.
    let charge = charge.min(summary.spent.plus(summary.surplus));
    (charge > Usd::ZERO).then_some(charge)
}

/// The reports side by side, a fact a line.
pub(crate) fn table(reports: &[ScanReport]) -> String {
    let mut rows = Vec::new();
    let mut line = |label: &str, cell: &dyn Fn(&ScanReport) -> String| {
        rows.push(
            std::iter::once(label.to_owned())
                .chain(reports.iter().map(cell))
                .collect::<Vec<_>>(),
        );
    };
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), grouped);
    line("", &|report| report.account.clone());
    line("phase", &|report| report.phase.clone());
    line("platform count", &|report| grouped(report.platform_count));
    line("rows scanned", &|report| grouped(report.rows_scanned));
    if reports.iter().any(|report| report.rows_by_browser.is_some()) {
        line("… by a browser", &|report| number(report.rows_by_browser));
    }
    line("unique followers", &|report| number(report.unique_followers));
    line("duplicates removed", &|report| number(report.duplicates_removed));
    line("re-fetched rows", &|report| grouped(report.refetched_rows));
    line("ranges", &|report| grouped(report.ranges));
    line("splits", &|report| number(report.splits));
    line("requests / necessary", &|report| {
        report.requests.map_or_else(
            || "-".to_owned(),
            |r| format!("{} / {}", grouped(r.made), grouped(r.necessary)),
        )
    });
    line("cost", &|report| format!("${}", report.cost_usd));
    line("… rows once a day", &|report| {
        let charge = report.estimated_charge_usd.as_ref();
        charge.map_or_else(|| "-".to_owned(), |charge| format!("${charge} (estimate)"))
    });
    line("time", &|report| seconds(report.milliseconds));
    line("certificate", &|report| {
        report
            .result
            .as_ref()
            .map_or_else(|| "-".to_owned(), |result| result.guarantee.clone())
    });
    let certificate = |report: &ScanReport| {
        report
            .result
            .as_ref()
            .and_then(|result| result.certificate.clone())
    };
    line("… order of the list", &|report| {
        certificate(report).map_or_else(|| "-".to_owned(), |certificate| certificate.grade.to_string())
    });
    line("… hidden / unexplained", &|report| {
        certificate(report).map_or_else(
            || "-".to_owned(),
            |c| format!("{} / {}", grouped(c.hidden), grouped(c.unexplained)),
        )
    });
    let mut text = columns(&rows);
    for report in reports {
        text.push_str(&files(report));
    }
    text
}

fn files(report: &ScanReport) -> String {
    let Some(result) = &report.result else {
        return String::new();
    };
    let mut lines = vec![format!("\n{}, {}:", report.account, result.guarantee)];
    // What is not exact says why, before people use it.
    let evidence = result
        .certificate
        .iter()
        .flat_map(|certificate| &certificate.evidence);
    lines.extend(evidence.map(|why| format!("  because {why}")));
    let certificates = result.certificate.iter();
    lines.extend(
        certificates
            .clone()
            .flat_map(|c| &c.support)
            .map(|what| format!("  for it: {what}")),
    );
    lines.extend(certificates.map(|c| format!("  order of the list, {}: {}", c.grade, c.basis)));
    lines.extend(result.parquet.iter().map(|path| format!("  {path}")));
    lines.push(format!("  {} (certificate)\n", result.manifest));
    lines.join("\n")
}

/// A short time with tenths, a long one as people say it.
pub(crate) fn seconds(milliseconds: i64) -> String {
    if milliseconds < 60_000 {
        format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
    } else {
        lasting(milliseconds / 1000)
    }
}
