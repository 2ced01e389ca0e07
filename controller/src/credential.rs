//! Credential: people see its windows and what was spent with it. Its secret is nobody's business here.

use std::sync::Arc;

use followlytics_core::{
    account::Platform,
    sandbox::Requeue,
    scan::{decide::limits, source::Month},
};
use followlytics_crds::{Credential, CredentialStatus, WindowStatus, condition, reasons};
use followlytics_store::ledger::CredentialUse;
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{Context, Error, objects, reconcile::drive};

/// Condition: the platform did not refuse it.
const VALID: &str = "Valid";
/// Condition: under four fifths of the monthly budget are used.
const WITHIN_BUDGET: &str = "WithinBudget";
/// Figures only: no decision waits for them.
const EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Brings one [`Credential`]'s status up to date. Safe to call at any time, any number of times.
pub async fn reconcile(credential: Arc<Credential>, ctx: Arc<Context>) -> Result<Requeue, Error> {
    drive(&*credential, &ctx, Box::pin(step(&credential, &ctx))).await
}

async fn step(cached: &Credential, ctx: &Context) -> Result<Requeue, Error> {
    let Some(credential) = objects::find_fresh(&ctx.client, cached).await? else {
        return Ok(Requeue::OnChange);
    };
    let namespace = credential.metadata.namespace.clone().unwrap_or_default();
    let key = format!("{namespace}/{}", credential.spec.secret_ref.name);
    let used = ctx.ledger.credential_use(&key).await?;
    let budget = credential
        .spec
        .monthly_budget_usd
        .as_ref()
        .and_then(|text| text.parse().ok());
    let month = match budget {
        Some(budget) => Some(Month {
            budget,
            used: ctx.ledger.month_used(&key).await?,
        }),
        None => None,
    };
    let now = ctx.now();
    let status = report(&credential, used, month, now);
    if credential.status.as_ref() != Some(&status) {
        objects::apply_status(&ctx.client, &credential, &status).await?;
    }
    Ok(Requeue::At(now.saturating_add(EVERY).unwrap_or(now)))
}

fn report(
    credential: &Credential,
    used: CredentialUse,
    month: Option<Month>,
    now: jiff::Timestamp,
) -> CredentialStatus {
    let earlier = credential
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let generation = credential.metadata.generation;
    let refused = |reason, message: &str| condition(earlier, VALID, false, reason, message, generation, now);
    let spec = &credential.spec;
    let limits = spec
        .platform
        .parse()
        .map(|platform| limits::stated(platform, &spec.rate_limits));
    let valid = match (limits, &used.refused) {
        (Err(_), _) => {
            let platform = &spec.platform;
            let message = format!(
                "spec.platform: {platform:?} is not known; known are {}",
                Platform::known()
            );
            refused(reasons::UNKNOWN_PLATFORM, &message)
        }
        (Ok(Err(error)), _) => refused(reasons::INVALID_SPEC, &format!("spec.{error}")),
        (_, Some(message)) => refused(reasons::CREDENTIAL_INVALID, message),
        (Ok(Ok(_)), None) => {
            let message = difference(&used);
            condition(earlier, VALID, true, reasons::ACCEPTED, &message, generation, now)
        }
    };
    let windows = used.windows.into_iter().map(|window| WindowStatus {
        family: window.family.to_string(),
        used: window.used,
        limit: window.limit,
        reset: Some(Time(window.reset)),
    });
    CredentialStatus {
        observed_generation: generation,
        conditions: std::iter::once(valid)
            .chain(month.map(|month| within_budget(earlier, month, generation, now)))
            .collect(),
        windows: windows.collect(),
        spent_usd: Some(used.spent.to_string()),
        fingerprint: used.fingerprint,
    }
}

/// Says where the platform reports another limit than is stated or published; empty if it does not.
fn difference(used: &CredentialUse) -> String {
    let differing = used.windows.iter().filter_map(|window| {
        let (stated, reported) = window.differs?;
        Some(format!(
            "the platform reports {reported} requests of {} per window, {stated} are stated: {} count",
            window.family, window.limit
        ))
    });
    differing.collect::<Vec<_>>().join("; ")
}

/// M-34: four fifths of the month are spent. Scans with another source go there; people are told.
fn within_budget(
    earlier: &[Condition],
    month: Month,
    generation: Option<i64>,
    now: jiff::Timestamp,
) -> Condition {
    let (reason, message) = if month.is_short() {
        let message = format!(
            "${} of the monthly ${} are used: raise spec.monthlyBudgetUsd, or expect scans to wait for the next UTC month",
            month.used, month.budget
        );
        (reasons::OVER_80_PERCENT, message)
    } else {
        (reasons::ACCEPTED, String::new())
    };
    condition(
        earlier,
        WITHIN_BUDGET,
        !month.is_short(),
        reason,
        &message,
        generation,
        now,
    )
}
