//! Everything the decision about a Scan depends on.

use followlytics_core::{
    sandbox::phase::is_over,
    scan::{
        decide::{Observed, Runner, Want, share},
        lease,
        summary::Summary,
    },
};
use followlytics_crds::{Credential, CredentialRef, CredentialSpec, Sandbox, Scan};
use followlytics_store::health::Monitor;
use kube::{Api, api::ListParams};

use crate::{Context, Error, objects};

/// Reads only.
pub(super) async fn observe(ctx: &Context, scan: &Scan) -> Result<Observed, Error> {
    let uid = objects::uid(scan)?;
    let recorded = ctx.ledger.find_scan(uid).await?.map(|row| row.request);
    let summary = ctx.ledger.summary(uid).await?;
    let credential = find_credential(ctx, scan, scan.spec.credential_ref.as_ref()).await?;
    let session = find_credential(ctx, scan, scan.spec.session_ref.as_ref()).await?;
    let kept = summary
        .as_ref()
        .and_then(|summary| summary.kept_credential.as_deref());
    let kept = find_by_secret(ctx, scan, kept).await?;
    let everyone = list_sandboxes(ctx).await?;
    let (mine, others): (Vec<Sandbox>, Vec<Sandbox>) =
        everyone.into_iter().partition(|one| belongs_to(one, uid));
    let runners = list_runners(ctx, uid, &mine, summary.as_ref()).await?;
    let alive = others.iter().filter(|other| is_alive(other)).count();
    let served = ctx.settings.serves.works_on(uid).unwrap_or(false);
    let share = find_share(
        ctx,
        scan,
        summary.as_ref(),
        u32::try_from(alive).unwrap_or(u32::MAX),
    )?;
    let progress_written = ctx.memory().written.get(uid).copied();
    let announced = ctx.memory().announced.get(uid).cloned().unwrap_or_default();
    let health = ctx.ledger.monitor().map(Monitor::health).unwrap_or_default();
    Ok(Observed {
        recorded: recorded.map(|request| *request),
        summary,
        credential,
        session,
        kept,
        runners,
        served,
        share: if served { share } else { 0 },
        progress_written,
        health,
        announced,
    })
}

async fn find_credential(
    ctx: &Context,
    scan: &Scan,
    reference: Option<&CredentialRef>,
) -> Result<Option<CredentialSpec>, Error> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    let api = objects::api::<Credential>(&ctx.client, scan);
    let found = api
        .get_opt(&reference.name)
        .await
        .map_err(Error::api("get", "Credential"))?;
    Ok(found
        .filter(|found| found.metadata.deletion_timestamp.is_none())
        .map(|found| found.spec))
}

/// The Credential that a chain keeps: the ledger knows it by its secret, as `namespace/name`.
async fn find_by_secret(
    ctx: &Context,
    scan: &Scan,
    key: Option<&str>,
) -> Result<Option<CredentialSpec>, Error> {
    let Some((_, secret)) = key.and_then(|key| key.split_once('/')) else {
        return Ok(None);
    };
    let api = objects::api::<Credential>(&ctx.client, scan);
    let list = api.list(&ListParams::default()).await;
    let all = list.map_err(Error::api("list", "Credential"))?.items;
    let mut named = all.into_iter().filter(|one| {
        one.metadata.deletion_timestamp.is_none()
            && one.spec.platform == scan.spec.account.platform
            && one.spec.secret_ref.name == secret
    });
    // Of two nothing says whose limits the chain began under: those stay.
    let found = named.next().filter(|_| named.next().is_none());
    Ok(found.map(|one| one.spec))
}

/// Every Sandbox of the installation, from the server: with stale ones a second set of runners would start.
async fn list_sandboxes(ctx: &Context) -> Result<Vec<Sandbox>, Error> {
    let api: Api<Sandbox> = Api::all(ctx.client.clone());
    let list = api
        .list(&ListParams::default())
        .await
        .map_err(Error::api("list", "Sandbox"))?;
    Ok(list.items)
}

fn belongs_to(sandbox: &Sandbox, scan_uid: &str) -> bool {
    sandbox
        .spec
        .scan_ref
        .as_ref()
        .is_some_and(|reference| reference.uid == scan_uid)
}

fn is_alive(sandbox: &Sandbox) -> bool {
    !sandbox
        .status
        .as_ref()
        .is_some_and(|status| is_over(status.phase))
}

async fn list_runners(
    ctx: &Context,
    uid: &str,
    sandboxes: &[Sandbox],
    summary: Option<&Summary>,
) -> Result<Vec<Runner>, Error> {
    let wanted = summary.map_or(0, |summary| summary.wanted_runners);
    // Who holds what matters only when some have to go.
    let too_many =
        sandboxes.len() > usize::try_from(wanted.min(ctx.settings.max_runners)).unwrap_or(usize::MAX);
    let ranges = if too_many && wanted > 0 {
        ctx.ledger.list_ranges(uid).await?
    } else {
        Vec::new()
    };
    let now = ctx.now();
    let holds = |sandbox: &Sandbox| {
        let held = ranges
            .iter()
            .filter(|range| range.is_held(now))
            .filter_map(|range| range.holder.as_ref());
        sandbox
            .metadata
            .uid
            .as_ref()
            .is_some_and(|uid| held.into_iter().any(|holder| lease::is_held_by(holder, uid)))
    };
    let mut runners: Vec<Runner> = sandboxes
        .iter()
        .filter_map(|sandbox| Runner::of(sandbox, holds(sandbox)))
        .collect();
    runners.sort_by(|one, two| (one.number, &one.uid).cmp(&(two.number, &two.uid)));
    Ok(runners)
}

/// Runners that the installation allows this scan while `others` belong to other scans.
///
/// What other scans want is what their own last passes saw: to ask the ledger for all of them in every pass
/// would cost the square of their number.
fn find_share(ctx: &Context, scan: &Scan, summary: Option<&Summary>, others: u32) -> Result<u32, Error> {
    let uid = objects::uid(scan)?;
    let most = ctx.settings.max_runners;
    let left = most.saturating_sub(others);
    let wants: Vec<Want> = {
        let mut memory = ctx.memory();
        match want(scan, summary) {
            Some(want) => memory.wants.insert(uid.to_owned(), want),
            None => memory.wants.remove(uid),
        };
        memory.wants.values().cloned().collect()
    };
    let total = wants
        .iter()
        .fold(0_u32, |sum, want| sum.saturating_add(want.wanted));
    if total <= most {
        return Ok(left);
    }
    Ok(share(most, &wants).remove(uid).unwrap_or(0).min(left))
}

/// What the scan wants: nothing while it is paused, over, or waits for a window. The ledger knows.
fn want(scan: &Scan, summary: Option<&Summary>) -> Option<Want> {
    let meta = &scan.metadata;
    let wanted = summary?.wanted_runners.min(scan.spec.parallelism.max_runners);
    Some(Want {
        uid: meta.uid.clone()?,
        priority: i64::from(scan.spec.priority),
        created: meta.creation_timestamp.as_ref()?.0,
        wanted,
    })
    .filter(|want| want.wanted > 0)
}
