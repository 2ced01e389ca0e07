//! Carries a Sandbox's plan out, in an order that survives a crash between any two steps.

use followlytics_core::sandbox::{
    Finalizer, Instance,
    build::FINALIZER,
    decide::{Holdings, Plan, Run},
};
use followlytics_crds::Sandbox;
use followlytics_store::ledger::SandboxIdentity;
use kube::ResourceExt as _;

use crate::{
    Context, Error,
    backends::{BackendError, Launch},
    objects,
};

/// What was done, and what waits for the status to be written.
pub(super) struct Applied {
    /// What runs now, if this pass started it.
    pub(super) started: Option<Instance>,
    /// Why the backend will never start it.
    pub(super) refused: Option<String>,
    finalizer: Finalizer,
}

impl Applied {
    /// Whether the object goes: nobody is left to read its status.
    pub(super) fn lets_go(&self) -> bool {
        self.finalizer == Finalizer::Remove
    }
}

/// Everything that comes before the status.
pub(super) async fn act(ctx: &Context, sandbox: &Sandbox, plan: Plan) -> Result<Applied, Error> {
    let Plan {
        finalizer,
        run,
        holdings,
        announce,
    } = plan;
    let uid = objects::uid(sandbox)?;
    let mut applied = Applied {
        started: None,
        refused: None,
        finalizer,
    };
    if finalizer == Finalizer::Add {
        objects::set_finalizer(&ctx.client, sandbox, FINALIZER, true).await?;
    }
    match run {
        Run::Leave => {}
        Run::Destroy => ctx.backend.destroy(uid).await?,
        Run::Start => match start_it(ctx, sandbox).await {
            Ok(instance) => applied.started = Some(instance),
            Err(Error::Backend(BackendError::Refused { detail })) => applied.refused = Some(detail),
            Err(error) => return Err(error),
        },
    }
    // Only once nothing runs any more: a lease that is given back may be claimed by another at once.
    match holdings {
        Holdings::Keep => {}
        Holdings::Release => ctx.ledger.release_sandbox(uid).await?,
        Holdings::Revoke => ctx.ledger.revoke_sandbox(uid).await?,
    }
    if let Some(news) = &announce {
        objects::announce(ctx, sandbox, news).await?;
    }
    Ok(applied)
}

/// Everything that comes after the status.
pub(super) async fn let_go(ctx: &Context, sandbox: &Sandbox, applied: &Applied) -> Result<(), Error> {
    if applied.lets_go() {
        objects::set_finalizer(&ctx.client, sandbox, FINALIZER, false).await?;
        ctx.memory().forget(objects::uid(sandbox)?);
    }
    Ok(())
}

/// A new token voids an earlier one, so this is done only when nothing of the sandbox runs.
async fn start_it(ctx: &Context, sandbox: &Sandbox) -> Result<Instance, Error> {
    let uid = objects::uid(sandbox)?.to_owned();
    let name = sandbox.name_any();
    let Some(scan) = &sandbox.spec.scan_ref else {
        let detail = "spec.scanRef: a sandbox of class Scan needs the Scan it works for".to_owned();
        return Err(Error::Backend(BackendError::Refused { detail }));
    };
    let identity = SandboxIdentity {
        uid: uid.clone(),
        name: name.clone(),
        scan_uid: scan.uid.clone(),
    };
    let token = ctx.ledger.issue_sandbox_token(&identity).await?;
    let launch = Launch {
        uid,
        name,
        class: sandbox.spec.class,
        broker: ctx.settings.broker.clone(),
        token: token.into(),
    };
    let started = ctx.backend.ensure(&launch).await;
    if let (Err(BackendError::Unavailable { source, .. }), Some(monitor)) = (&started, ctx.ledger.monitor()) {
        monitor.note_disk(source);
    }
    Ok(started?)
}
