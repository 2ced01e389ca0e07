//! Carries a Scan's plan out, in an order that survives a crash between any two steps.

use followlytics_core::{
    sandbox::Finalizer,
    scan::decide::{FINALIZER, Plan},
};
use followlytics_crds::{ResultPolicy, Sandbox, Scan};
use kube::ResourceExt as _;

use crate::{Context, Error, objects};

/// What was done, and what waits for the status to be written.
pub(super) struct Applied {
    finalizer: Finalizer,
    forget: Option<ResultPolicy>,
    expire: bool,
}

impl Applied {
    /// Whether the object goes: nobody is left to read its status.
    pub(super) fn lets_go(&self) -> bool {
        self.finalizer == Finalizer::Remove
    }
}

/// Everything that comes before the status.
pub(super) async fn act(ctx: &Context, scan: &Scan, plan: Plan) -> Result<Applied, Error> {
    let Plan {
        finalizer,
        record,
        delete,
        create,
        announce,
        outages,
        forget,
        expire,
    } = plan;
    // The finalizer stands before the ledger knows of the scan, or a deletion in between would leave its rows.
    if finalizer == Finalizer::Add {
        objects::set_finalizer(&ctx.client, scan, FINALIZER, true).await?;
    }
    if let Some(record) = record {
        ctx.ledger.ensure_scan(&record).await?;
    }
    // Replacements before what they replace: they carry the count of failures on.
    for sandbox in &create {
        objects::ensure(&ctx.client, sandbox).await?;
    }
    let sandboxes = objects::api::<Sandbox>(&ctx.client, scan);
    for victim in &delete {
        objects::delete(&sandboxes, &victim.name, &victim.uid).await?;
    }
    // Before the status: the phase it will show is what tells the next pass that this was said.
    for news in announce.iter().chain(&outages) {
        objects::announce(ctx, scan, news).await?;
        if let Some(occurrence) = &news.occurrence {
            let uid = objects::uid(scan)?.to_owned();
            let mut memory = ctx.memory();
            memory
                .announced
                .entry(uid)
                .or_default()
                .insert(occurrence.clone());
        }
    }
    Ok(Applied {
        finalizer,
        forget,
        expire,
    })
}

/// Everything that comes after the status.
pub(super) async fn let_go(ctx: &Context, scan: &Scan, applied: Applied) -> Result<(), Error> {
    let Applied {
        finalizer,
        forget,
        expire,
    } = applied;
    let uid = objects::uid(scan)?;
    if let Some(policy) = forget {
        ctx.ledger
            .forget_scan(uid, policy == ResultPolicy::Retain)
            .await?;
    }
    if finalizer == Finalizer::Remove {
        objects::set_finalizer(&ctx.client, scan, FINALIZER, false).await?;
        ctx.memory().forget(uid);
    }
    if expire {
        let scans = objects::api::<Scan>(&ctx.client, scan);
        objects::delete(&scans, &scan.name_any(), uid).await?;
    }
    Ok(())
}
