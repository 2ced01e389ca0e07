//! Everything the decision about a Sandbox depends on.

use followlytics_core::sandbox::decide::Observed;
use followlytics_crds::Sandbox;

use crate::{Context, Error, objects};

/// Reads only.
pub(super) async fn observe(ctx: &Context, sandbox: &Sandbox) -> Result<Observed, Error> {
    let uid = objects::uid(sandbox)?;
    Ok(Observed {
        instance: ctx.backend.observe(uid).await,
        contact: ctx.ledger.sandbox_seen(uid).await?,
        unhonoured: ctx.backend.unhonoured(&sandbox.spec),
    })
}
