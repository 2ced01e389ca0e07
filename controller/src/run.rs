//! Calls the reconcilers as objects change, as the ledger changes, and now and then.

use std::{future::Future, sync::Arc, time::Duration};

use followlytics_crds::{Credential, Sandbox, Scan};
use followlytics_store::health::Monitor;
use futures::{
    FutureExt as _, StreamExt as _,
    stream::{self, Stream},
};
use kube::{
    Api,
    runtime::{
        Controller, controller,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use tokio::sync::{mpsc, watch};

use crate::{
    Context, Error, credential,
    objects::Kind,
    reconcile::{action, error_policy},
    sandbox, scan,
};

/// The ledger changes with every page; scans are woken no more often than this.
const GATHER: Duration = Duration::from_millis(200);
/// A change that another process made gives no hint.
const FLOOR: Duration = Duration::from_secs(5);
/// How often permits without an outcome are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Runs every controller until `stop` becomes true, then lets running reconciles end.
///
/// `exits` yields the uid of each sandbox whose process ended.
pub async fn run(ctx: Arc<Context>, exits: mpsc::UnboundedReceiver<String>, stop: watch::Receiver<bool>) {
    let scans = run_scans(Arc::clone(&ctx), stop.clone());
    let sandboxes = run_sandboxes(Arc::clone(&ctx), exits, stop.clone());
    let credentials = run_credentials(Arc::clone(&ctx), stop.clone());
    let sweeper = sweep_permits(&ctx).map(|()| ());
    let controllers = futures::future::join3(scans, sandboxes, credentials);
    tokio::select! {
        _ = controllers => {}
        () = sweeper => {}
    }
}

fn run_scans(ctx: Arc<Context>, stop: watch::Receiver<bool>) -> impl Future<Output = ()> {
    let controller = Controller::new(Api::<Scan>::all(ctx.client.clone()), watcher::Config::default());
    let known = controller.store();
    controller
        .owns(
            Api::<Sandbox>::all(ctx.client.clone()),
            watcher::Config::default(),
        )
        .watches(
            Api::<Credential>::all(ctx.client.clone()),
            watcher::Config::default(),
            move |credential| users(&known, &credential),
        )
        .reconcile_all_on(ledger_changes(&ctx))
        .reconcile_all_on(storage_changes(&ctx))
        .graceful_shutdown_on(stopped(stop))
        .run(
            |scan, ctx: Arc<Context>| async move {
                let requeue = scan::reconcile(scan, Arc::clone(&ctx)).await?;
                Ok::<_, Error>(action(requeue, ctx.now()))
            },
            error_policy::<Scan>,
            ctx,
        )
        .for_each(log_lost)
}

fn run_sandboxes(
    ctx: Arc<Context>,
    exits: mpsc::UnboundedReceiver<String>,
    stop: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let exits = stream::unfold(exits, |mut exits| async move {
        exits.recv().await.map(|_| ((), exits))
    });
    Controller::new(
        Api::<Sandbox>::all(ctx.client.clone()),
        watcher::Config::default(),
    )
    .reconcile_all_on(exits)
    .graceful_shutdown_on(stopped(stop))
    .run(
        |sandbox, ctx: Arc<Context>| async move {
            let requeue = sandbox::reconcile(sandbox, Arc::clone(&ctx)).await?;
            Ok::<_, Error>(action(requeue, ctx.now()))
        },
        error_policy::<Sandbox>,
        ctx,
    )
    .for_each(log_lost)
}

fn run_credentials(ctx: Arc<Context>, stop: watch::Receiver<bool>) -> impl Future<Output = ()> {
    Controller::new(
        Api::<Credential>::all(ctx.client.clone()),
        watcher::Config::default(),
    )
    .graceful_shutdown_on(stopped(stop))
    .run(
        |credential, ctx: Arc<Context>| async move {
            let requeue = credential::reconcile(credential, Arc::clone(&ctx)).await?;
            Ok::<_, Error>(action(requeue, ctx.now()))
        },
        error_policy::<Credential>,
        ctx,
    )
    .for_each(log_lost)
}

/// The scans that name this credential, for the API or as a browser's session.
fn users(scans: &Store<Scan>, credential: &Credential) -> Vec<ObjectRef<Scan>> {
    let names = |scan: &Scan| {
        let spec = &scan.spec;
        let mut named = [&spec.credential_ref, &spec.session_ref].into_iter().flatten();
        scan.metadata.namespace == credential.metadata.namespace
            && named.any(|named| Some(&named.name) == credential.metadata.name.as_ref())
    };
    scans
        .state()
        .iter()
        .filter(|scan| names(scan))
        .map(|scan| ObjectRef::from_obj(&**scan))
        .collect()
}

/// One item for each burst of changes, and one now and then without any.
fn ledger_changes(ctx: &Context) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(ctx.ledger.changes(), |mut changes| async move {
        tokio::time::sleep(GATHER).await;
        match tokio::time::timeout(FLOOR, changes.changed()).await {
            // The ledger is gone: everything is shutting down.
            Ok(Err(_)) => None,
            Ok(Ok(())) | Err(_) => Some(((), changes)),
        }
    })
}

/// One item for each part of the storage that becomes unavailable or available.
fn storage_changes(ctx: &Context) -> impl Stream<Item = ()> + Send + 'static {
    let changes = ctx.ledger.monitor().map(Monitor::subscribe);
    stream::unfold(changes, |changes| async move {
        let mut changes = changes?;
        changes.changed().await.ok()?;
        Some(((), Some(changes)))
    })
}

/// Pauses become true by themselves: a permit whose outcome never came is settled once its time is over.
async fn sweep_permits(ctx: &Context) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = ctx.ledger.sweep_permits().await {
            tracing::warn!(error = Error::from(error).chain(), "failed to sweep permits");
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone cannot ask to stop any more; its owner is gone too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Failed reconciles were told where they happened; what is left are watches that broke and come back.
async fn log_lost<K: Kind>(
    result: Result<(ObjectRef<K>, controller::Action), controller::Error<Error, watcher::Error>>,
) {
    match result {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_)) => {}
        Err(error) => tracing::warn!(kind = K::NAME, %error, "failed to watch"),
    }
}
