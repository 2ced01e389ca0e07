//! Storage outages in the answer of `why`, as the control plane's memory has them.

use followlytics_core::health::{Health, Outage, Part};
use followlytics_crds::{Scan, reasons};
use jiff::Timestamp;

use super::{Answer, remedy::remedy};

/// The answer where the scan itself cannot be read; `None` where the database is available.
pub(super) fn unread(name: &str, health: &Health) -> Option<Answer> {
    health
        .find(Part::Database)
        .filter(|outage| outage.cause.is_away())?;
    Some(Answer {
        scan: name.to_owned(),
        phase: "Unknown".to_owned(),
        reason: Some(reasons::STORAGE_UNAVAILABLE.to_owned()),
        message: Some(message(health)),
        since: since(health),
        until: None,
        clocks: health.clock_skew(),
        remedy: Some(change(health)),
    })
}

/// The answer with the outages of this moment: the status follows a moment later.
pub(super) fn update(answer: Answer, scan: &Scan, health: &Health) -> Answer {
    let status = scan.status.clone().unwrap_or_default();
    let waiting = status.waiting_on.as_ref();
    // A wait that does not end by itself comes first.
    let stuck = waiting.is_some_and(|waiting| {
        waiting.until.is_none()
            && ![reasons::STORAGE_UNAVAILABLE, reasons::RUNNER_STARTING].contains(&waiting.reason.as_str())
    });
    if health.outages.is_empty() || stuck || status.phase.is_final() {
        return answer;
    }
    Answer {
        reason: Some(reasons::STORAGE_UNAVAILABLE.to_owned()),
        message: Some(message(health)),
        since: since(health),
        until: None,
        remedy: remedy(reasons::STORAGE_UNAVAILABLE, scan),
        ..answer
    }
}

fn message(health: &Health) -> String {
    let all: Vec<String> = health.outages.iter().map(Outage::message).collect();
    all.join("; ")
}

fn since(health: &Health) -> Option<Timestamp> {
    health.outages.iter().map(|outage| outage.since).min()
}

fn change(health: &Health) -> String {
    let all: Vec<String> = health
        .outages
        .iter()
        .map(|outage| outage.cause.remedy().to_owned())
        .collect();
    all.join("; ")
}
