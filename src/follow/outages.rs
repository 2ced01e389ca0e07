//! Storage outages in the progress of an attached command.

use followlytics_core::{
    health::{Cause, Health, Outage, Part},
    scan::summary::Hold,
};
use followlytics_crds::reasons;

use crate::{connect::Session, exit::Failure, figures::Figures};

/// Health of the storage, where this process knows it; another process's control plane writes it into the status.
pub(super) fn at_hand(session: &Session) -> Health {
    let plane = session.plane.as_ref();
    plane.map(|plane| plane.monitor.health()).unwrap_or_default()
}

/// The outage that explains why the scan could not be read: also a full disk, on which SQLite cannot grow the index of
/// its log. Anything else is the failure itself.
pub(super) async fn behind(session: &Session, failure: Failure) -> Result<Health, Failure> {
    match session.health().await {
        Some(health)
            if health
                .find(Part::Database)
                .is_some_and(|outage| outage.cause.is_away() || outage.cause == Cause::NoSpace) =>
        {
            Ok(health)
        }
        _ => Err(failure),
    }
}

/// Shows outages as what the scan waits on, unless a person has to change something first.
pub(super) fn show_in(figures: &mut Figures, health: &Health) {
    let messages: Vec<String> = health.outages.iter().map(Outage::message).collect();
    let stuck = figures
        .hold
        .as_ref()
        .is_some_and(|hold| hold.until.is_none() && !super::ends_by_itself(hold));
    if messages.is_empty() || stuck || figures.phase.is_final() {
        return;
    }
    figures.hold = Some(Hold {
        reason: reasons::STORAGE_UNAVAILABLE.to_owned(),
        message: messages.join("; "),
        until: None,
    });
}
