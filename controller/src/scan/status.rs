//! Tells people how a Scan goes, only when there is something new.

use followlytics_core::scan::decide::Report;
use followlytics_crds::Scan;

use super::act::Applied;
use crate::{Context, Error, objects};

/// Writes the status if it differs from what is there: a write that changes nothing would wake its writer.
pub(super) async fn write(
    ctx: &Context,
    scan: &Scan,
    applied: &Applied,
    report: &Report,
) -> Result<(), Error> {
    let Report { status } = report;
    if applied.lets_go() || scan.status.clone().unwrap_or_default() == *status {
        return Ok(());
    }
    objects::apply_status(&ctx.client, scan, status).await?;
    ctx.memory()
        .written
        .insert(objects::uid(scan)?.to_owned(), ctx.now());
    Ok(())
}
