//! Credential: people see its windows and what was spent with it. Its secret is nobody's business here.

use std::sync::Arc;

use followlytics_core::{account::Platform, sandbox::Requeue};
use followlytics_crds::{Credential, CredentialStatus, WindowStatus, condition, reasons};
use followlytics_store::ledger::CredentialUse;
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::{Context, Error, objects, reconcile::drive};

/// Condition: the platform did not refuse it.
const VALID: &str = "Valid";
/// Figures only: no decision waits for them.
const EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Brings one [`Credential`]'s status up to date. Safe to call at any time, any number of times.
pub async fn reconcile(credential: Arc<Credential>, ctx: Arc<Context>) -> Result<Requeue, Error> {
    drive(&*credential, &ctx, step(&credential, &ctx)).await
}

async fn step(cached: &Credential, ctx: &Context) -> Result<Requeue, Error> {
    let Some(credential) = objects::find_fresh(&ctx.client, cached).await? else {
        return Ok(Requeue::OnChange);
    };
    let namespace = credential.metadata.namespace.clone().unwrap_or_default();
    let used = ctx
        .ledger
        .credential_use(&format!("{namespace}/{}", credential.name_any()))
        .await?;
    let now = ctx.now();
    let status = report(&credential, used, now);
    if credential.status.as_ref() != Some(&status) {
        objects::apply_status(&ctx.client, &credential, &status).await?;
    }
    Ok(Requeue::At(now.saturating_add(EVERY).unwrap_or(now)))
}

fn report(credential: &Credential, used: CredentialUse, now: jiff::Timestamp) -> CredentialStatus {
    let earlier = credential
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let generation = credential.metadata.generation;
    let known = credential.spec.platform.parse::<Platform>().is_ok();
    let valid = match &used.refused {
        _ if !known => {
            let platform = &credential.spec.platform;
            let message = format!("spec.platform: {platform:?} is not known; known are x, bluesky and gitea");
            condition(
                earlier,
                VALID,
                false,
                reasons::UNKNOWN_PLATFORM,
                &message,
                generation,
                now,
            )
        }
        Some(message) => condition(
            earlier,
            VALID,
            false,
            reasons::CREDENTIAL_INVALID,
            message,
            generation,
            now,
        ),
        None => condition(earlier, VALID, true, reasons::ACCEPTED, "", generation, now),
    };
    let windows = used.windows.into_iter().map(|window| WindowStatus {
        family: window.family.to_string(),
        used: window.used,
        limit: window.limit,
        reset: Some(Time(window.reset)),
    });
    CredentialStatus {
        observed_generation: generation,
        conditions: vec![valid],
        windows: windows.collect(),
        spent_usd: Some(used.spent.to_string()),
    }
}
