//! Sandbox: a process is started for it, its end is noticed, and what it held is given back.

mod act;
mod observe;
mod status;

use std::sync::Arc;

use followlytics_core::sandbox::{
    Requeue,
    decide::{Decision, decide},
};
use followlytics_crds::Sandbox;

use crate::{Context, Error, objects, reconcile::drive};

/// Brings one [`Sandbox`] one step closer to its spec. Safe to call at any time, any number of times.
pub async fn reconcile(sandbox: Arc<Sandbox>, ctx: Arc<Context>) -> Result<Requeue, Error> {
    drive(&*sandbox, &ctx, Box::pin(step(&sandbox, &ctx))).await
}

async fn step(cached: &Sandbox, ctx: &Context) -> Result<Requeue, Error> {
    let Some(sandbox) = objects::find_fresh(&ctx.client, cached).await? else {
        ctx.memory().forget(objects::uid(cached)?);
        return Ok(Requeue::OnChange);
    };
    let seen = observe::observe(ctx, &sandbox).await?;
    let Decision {
        plan,
        report,
        requeue,
    } = decide(&sandbox, &seen, &ctx.settings.sandboxes, ctx.now());
    let applied = act::act(ctx, &sandbox, plan).await?;
    status::write(ctx, &sandbox, &applied, report).await?;
    act::let_go(ctx, &sandbox, &applied).await?;
    Ok(requeue)
}
