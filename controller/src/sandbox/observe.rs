//! Everything the decision about a Sandbox depends on.

use followlytics_core::sandbox::decide::Observed;
use followlytics_crds::Sandbox;

use crate::{Context, Error, objects};

/// Reads only.
pub(super) async fn observe(ctx: &Context, sandbox: &Sandbox) -> Result<Observed, Error> {
    let uid = objects::uid(sandbox)?;
    let contact = ctx.ledger.sandbox_contact(uid).await?;
    Ok(Observed {
        instance: ctx.backend.observe(uid).await,
        contact: contact.map(|contact| contact.first),
        clock_ahead: contact.and_then(|contact| contact.clock_ahead),
        unhonoured: ctx.backend.unhonoured(&sandbox.spec),
    })
}
