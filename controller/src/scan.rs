//! Scan: the ledger is told what is wanted, runners are kept, people are told how it goes.

mod act;
mod observe;
mod status;

use std::sync::Arc;

use followlytics_core::{
    money::Usd,
    sandbox::Requeue,
    scan::decide::{Decision, Observed, decide},
};
use followlytics_crds::Scan;

use crate::{Context, Error, objects, reconcile::drive};

/// Brings one [`Scan`] one step closer to its spec. Safe to call at any time, any number of times.
pub async fn reconcile(scan: Arc<Scan>, ctx: Arc<Context>) -> Result<Requeue, Error> {
    drive(&*scan, &ctx, Box::pin(step(&scan, &ctx))).await
}

async fn step(cached: &Scan, ctx: &Context) -> Result<Requeue, Error> {
    if is_settled(cached, ctx) {
        return Ok(Requeue::OnChange);
    }
    let is_deleted = cached.metadata.deletion_timestamp.is_some();
    if ctx.settings.serves.works_on(objects::uid(cached)?).is_none() && !is_deleted {
        // The ledger tells of a change once it is known.
        return Ok(Requeue::OnChange);
    }
    let Some(scan) = objects::find_fresh(&ctx.client, cached).await? else {
        ctx.memory().forget(objects::uid(cached)?);
        return Ok(Requeue::OnChange);
    };
    let (seen, decision) = look(ctx, &scan).await?;
    if decision.plan.create.is_empty() {
        return carry_out(ctx, &scan, &seen, decision).await;
    }
    // Runners will be started: count again while nobody else starts any.
    let _admission = ctx.admission.lock().await;
    let (seen, decision) = look(ctx, &scan).await?;
    carry_out(ctx, &scan, &seen, decision).await
}

async fn look(ctx: &Context, scan: &Scan) -> Result<(Observed, Decision), Error> {
    let seen = observe::observe(ctx, scan).await?;
    let decision = decide(scan, &seen, &ctx.settings.scans, ctx.now());
    Ok((seen, decision))
}

async fn carry_out(
    ctx: &Context,
    scan: &Scan,
    seen: &Observed,
    decision: Decision,
) -> Result<Requeue, Error> {
    let Decision {
        plan,
        report,
        requeue,
    } = decision;
    // What a killed request may have cost is open for a while: the last status tells how it came out.
    let accounted = seen
        .summary
        .as_ref()
        .is_some_and(|summary| summary.reserved == Usd::ZERO);
    let over = report.status.phase.is_final() && accounted && requeue == Requeue::OnChange;
    let applied = act::act(ctx, scan, plan).await?;
    status::write(ctx, scan, &applied, &report).await?;
    act::let_go(ctx, scan, applied).await?;
    if over {
        let generation = scan.metadata.generation.unwrap_or_default();
        ctx.memory()
            .settled
            .insert(objects::uid(scan)?.to_owned(), generation);
    }
    Ok(requeue)
}

/// Whether the scan is over, cleared away and unchanged since: the ledger wakes every scan, and most are over.
fn is_settled(scan: &Scan, ctx: &Context) -> bool {
    let (Some(uid), Some(generation)) = (&scan.metadata.uid, scan.metadata.generation) else {
        return false;
    };
    scan.metadata.deletion_timestamp.is_none() && ctx.memory().settled.get(uid) == Some(&generation)
}
