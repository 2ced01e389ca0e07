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

/// The part of this process's storage that has no space left.
pub(super) fn full(session: &Session) -> Option<Outage> {
    let mut outages = at_hand(session).outages.into_iter();
    outages.find(|outage| outage.cause == Cause::NoSpace)
}

/// The outage that explains why the scan could not be read. Anything else is the failure itself.
pub(super) async fn behind(session: &Session, failure: Failure) -> Result<Health, Failure> {
    match session.health().await {
        Some(health)
            if health
                .find(Part::Database)
                .is_some_and(|outage| outage.cause.is_away()) =>
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
        .is_some_and(|hold| hold.until.is_none() && hold.reason != reasons::STORAGE_UNAVAILABLE);
    if messages.is_empty() || stuck || figures.phase.is_final() {
        return;
    }
    figures.hold = Some(Hold {
        reason: reasons::STORAGE_UNAVAILABLE.to_owned(),
        message: messages.join("; "),
        until: None,
    });
}
