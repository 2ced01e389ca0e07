//! The demo's own proof: results against the simulator's log, and copies that outlive the temporary directory.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use followlytics_simulator::{Platform, World};
use followlytics_store::objects::Objects;
use serde::Serialize;

use crate::{
    connect::Session,
    exit::{Exit, Failure},
    follow::Seen,
    report::ScanReport,
};

/// What the simulator's log says of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    /// Followed from the first to the last request.
    pub(super) stable: i64,
    /// Of those, not in the result.
    pub(super) missing: i64,
    /// In the result, and never followed.
    pub(super) invented: i64,
    /// Requests that reached the platform, whatever became of their answers.
    pub(super) platform_requests: i64,
}

/// Compares a result with the log.
pub(super) async fn against_log(
    world: &World,
    platform: Platform,
    who: &str,
    session: &Session,
    seen: &Seen,
) -> Result<Checked, Failure> {
    let summary = seen.summary.as_ref();
    let (Some(record), Some(from), Some(to)) = (
        summary.and_then(|summary| summary.result.as_ref()),
        summary.and_then(|summary| summary.started),
        summary.and_then(|summary| summary.ended),
    ) else {
        return Err(Failure::new(
            Exit::Failed,
            format!("failed to check {who}: its scan has no result"),
        ));
    };
    let objects = Objects::files(&session.data.objects()).map_err(anyhow::Error::from)?;
    let ids = followlytics_worker::result_ids(&objects, record).await;
    let ids: BTreeSet<String> = ids.context("failed to read a result back")?.into_iter().collect();
    let stable = world
        .truth(platform, who, from, to)
        .context("failed to read the simulator's log")?;
    let ever = world
        .ever_present(platform, who, from, to)
        .context("failed to read the simulator's log")?;
    let account = world
        .account(platform, who)
        .context("failed to read the simulator's log")?
        .id;
    let requests = world.requests(0, usize::MAX);
    let mine = requests.iter().filter(|request| {
        request.platform == platform && request.account.as_deref().is_none_or(|id| id == account)
    });
    Ok(Checked {
        stable: count(stable.len()),
        missing: count(stable.iter().filter(|id| !ids.contains(*id)).count()),
        invented: count(ids.iter().filter(|id| !ever.contains(*id)).count()),
        platform_requests: count(mine.count()),
    })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Copies what a report names to `out/NAME/`, and lets the report name the copies.
pub(super) fn collect(out: &Path, report: &mut ScanReport) -> Result<(), Failure> {
    let folder = out.join(&report.name);
    let refused = |source: std::io::Error| {
        Failure::storage(format!(
            "failed to write {}: {source}; name another directory with --out DIR",
            folder.display()
        ))
    };
    // A result of an earlier demo must not lie beside this one.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(refused)?;
    }
    fs::create_dir_all(&folder).map_err(refused)?;
    let Some(result) = &mut report.result else {
        return Ok(());
    };
    for path in result.parquet.iter_mut().chain([&mut result.manifest]) {
        let from = PathBuf::from(&*path);
        let to = folder.join(from.file_name().unwrap_or_default());
        fs::copy(&from, &to).map_err(refused)?;
        *path = to.display().to_string();
    }
    Ok(())
}
