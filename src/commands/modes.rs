//! `pause`, `resume`, `cancel`: what a person wants of a scan.

use clap::Args;
use followlytics_crds::{ConditionExt as _, Scan, ScanPhase};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::scan::by_budget;
use crate::{
    args::{Global, Output},
    connect::Session,
    exit::{Exit, Failure},
    output,
    plane::Options,
};

/// How often, and how many times, it is asked whether the wish came true.
const LOOK: std::time::Duration = std::time::Duration::from_millis(200);
const LOOKS: u32 = 150;

#[derive(Debug, Args)]
pub(crate) struct ScanName {
    /// Name of the scan, as `get scans` shows it
    name: String,
    /// Return at once, without waiting until it is true
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn pause(global: &Global, args: ScanName) -> Result<Exit, Failure> {
    let wish = json!({"spec": {"operatingMode": "Suspended"}});
    change(global, &args, &[wish], "paused", |scan| {
        let status = scan.status.clone().unwrap_or_default();
        status.phase.is_final() || status.conditions.is_true("Suspended")
    })
    .await
}

/// Also for a scan that no person paused: a hold that waits for one ends with a pause, as every pause's end.
pub(super) async fn resume(global: &Global, args: ScanName) -> Result<Exit, Failure> {
    let wishes = [
        json!({"spec": {"operatingMode": "Suspended"}}),
        // Also one that a `scan` command paid for: whoever resumes it consents to its budget.
        json!({"spec": {"operatingMode": "Running"}, "metadata": by_budget()}),
    ];
    change(global, &args, &wishes, "resumed", |scan| {
        scan.status
            .as_ref()
            .is_some_and(|status| !status.conditions.is_true("Suspended"))
    })
    .await
}

pub(super) async fn cancel(global: &Global, args: ScanName) -> Result<Exit, Failure> {
    let wish = json!({"spec": {"cancelled": true}});
    change(global, &args, &[wish], "cancelled", |scan| {
        scan.status.as_ref().is_some_and(|status| status.phase.is_final())
    })
    .await
}

async fn change(
    global: &Global,
    args: &ScanName,
    wishes: &[Value],
    done: &str,
    is_true: impl Fn(&Scan) -> bool,
) -> Result<Exit, Failure> {
    let session = Session::open(global, Options::objects_only()).await?;
    let scans: Api<Scan> = Api::namespaced(session.client.clone(), &global.namespace);
    let outcome = wish_for(&session, &scans, args, wishes, &is_true).await;
    let alone = session.plane.is_some();
    session.close().await;
    let (scan, reached) = outcome?;
    if matches!(global.output, Output::Json | Output::Yaml) {
        output::print_value(global.output, &scan)?;
    } else {
        let ended = scan
            .status
            .as_ref()
            .map(|status| status.phase)
            .filter(|phase| phase.is_final());
        let word = match ended {
            Some(ScanPhase::Cancelled) | None if reached => done.to_owned(),
            Some(phase) => format!("is over already ({phase:?})"),
            None => format!("will be {done}"),
        };
        output::print(&format!("scan.followlytics.io/{} {word}\n", args.name))?;
    }
    if alone && !reached && !global.quiet {
        eprintln!("note: no control plane runs on this data directory; it happens once one does");
    }
    Ok(Exit::Ok)
}

/// Writes the wishes one after another, and waits until the controller says that each is so.
async fn wish_for(
    session: &Session,
    scans: &Api<Scan>,
    args: &ScanName,
    wishes: &[Value],
    is_true: &impl Fn(&Scan) -> bool,
) -> Result<(Scan, bool), Failure> {
    let mut scan = scans.get(&args.name).await?;
    let mut reached = scan.status.as_ref().is_some_and(|status| status.phase.is_final());
    for (number, wish) in wishes.iter().enumerate() {
        if reached {
            break;
        }
        let patched = scans
            .patch(&args.name, &PatchParams::default(), &Patch::Merge(wish))
            .await?;
        let last = number + 1 == wishes.len();
        // Without a controller nobody would answer; the last wish is what it will find.
        let looks = if session.plane.is_some() || (args.no_wait && last) {
            1
        } else {
            LOOKS
        };
        let told = |scan: &Scan| {
            let observed = scan.status.as_ref().and_then(|status| status.observed_generation);
            observed >= patched.metadata.generation
        };
        for look in 0..looks {
            scan = scans.get(&args.name).await?;
            reached = last && told(&scan) && is_true(&scan);
            if reached || (!last && told(&scan)) {
                break;
            }
            if look + 1 < looks {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
    Ok((scan, reached))
}
