//! Tells people where a Sandbox stands, only when there is something new.

use followlytics_core::sandbox::decide::{Report, could_not_start};
use followlytics_crds::Sandbox;

use super::act::Applied;
use crate::{Context, Error, objects};

/// Writes the status if it differs from what is there: a write that changes nothing would wake its writer.
pub(super) async fn write(
    ctx: &Context,
    sandbox: &Sandbox,
    applied: &Applied,
    report: Report,
) -> Result<(), Error> {
    let Report { mut status } = report;
    if let Some(detail) = &applied.refused {
        let (failed, news) = could_not_start(sandbox, detail, ctx.now());
        objects::announce(ctx, sandbox, &news).await?;
        status = failed;
    }
    if let Some(started) = &applied.started {
        status.instance = Some(started.id.clone());
    }
    if applied.lets_go() || sandbox.status.as_ref() == Some(&status) {
        return Ok(());
    }
    objects::apply_status(&ctx.client, sandbox, &status).await
}
