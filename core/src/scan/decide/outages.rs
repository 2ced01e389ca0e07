//! Storage outages in the status and events of a Scan.
//!
//! An outage of the database cannot be written while it lasts: its event follows once the database answers again.

use followlytics_crds::{ConditionExt as _, Scan, ScanPhase, reasons};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{CLOCK_IN_SYNC, Observed, STORAGE_AVAILABLE, is_paused, report::Inputs};
use crate::{
    health::{Ended, Outage},
    mutants::{self, Mutant},
    sandbox::Announcement,
};

/// The outages in one sentence; `None` if every part is available.
pub(super) fn message(seen: &Observed) -> Option<String> {
    let all: Vec<String> = seen.health.outages.iter().map(Outage::message).collect();
    (!all.is_empty() && !mutants::on(Mutant::OutageUnsaid)).then(|| all.join("; "))
}

/// Status, reason and message of the condition. Absent until the first outage, and once the scan is over.
pub(super) fn condition(inputs: &Inputs<'_>, earlier: &[Condition]) -> Option<(bool, &'static str, String)> {
    if inputs.phase.is_final() {
        return None;
    }
    match message(inputs.seen) {
        Some(message) => Some((false, reasons::STORAGE_UNAVAILABLE, message)),
        None => earlier
            .find(STORAGE_AVAILABLE)
            .map(|_| (true, reasons::STORAGE_AVAILABLE, String::new())),
    }
}

/// Status, reason and message of the condition about clocks. Absent until the first difference, and once the scan is
/// over.
pub(super) fn clocks(inputs: &Inputs<'_>, earlier: &[Condition]) -> Option<(bool, &'static str, String)> {
    if inputs.phase.is_final() {
        return None;
    }
    match inputs.seen.health.clock_skew() {
        Some(said) => Some((false, reasons::CLOCK_SKEWED, said)),
        None => earlier
            .find(CLOCK_IN_SYNC)
            .map(|_| (true, reasons::CLOCKS_AGREE, String::new())),
    }
}

/// Events of outages that this scan has not announced yet: one per outage.
pub(super) fn news(scan: &Scan, seen: &Observed, phase: ScanPhase) -> Vec<Announcement> {
    if phase.is_final() || is_paused(scan) {
        return Vec::new();
    }
    let created = scan.metadata.creation_timestamp.as_ref().map(|time| time.0);
    // What ended before the scan existed did not delay it.
    let ended = seen.health.ended.iter();
    let ended = ended.filter(|ended| created.is_none_or(|created| ended.until > created));
    let now = seen
        .health
        .outages
        .iter()
        .map(|outage| (outage, outage.message()));
    ended
        .map(|ended| (&ended.outage, past(ended)))
        .chain(now)
        .map(|(outage, note)| (occurrence(outage), note))
        .filter(|(occurrence, _)| {
            !seen.announced.contains(occurrence) && !mutants::on(Mutant::OutageUnannounced)
        })
        .map(|(occurrence, note)| Announcement {
            reason: reasons::STORAGE_UNAVAILABLE,
            note,
            warning: true,
            occurrence: Some(occurrence),
        })
        .collect()
}

fn past(ended: &Ended) -> String {
    let Ended { outage, until } = ended;
    let time = |at: &jiff::Timestamp| at.strftime("%H:%M:%S").to_string();
    format!(
        "{} from {} to {} UTC",
        outage.brief(),
        time(&outage.since),
        time(until)
    )
}

fn occurrence(outage: &Outage) -> String {
    let part = <&str>::from(outage.part).to_ascii_lowercase();
    format!("{part}-{}", outage.since.as_millisecond())
}
