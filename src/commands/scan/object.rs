//! The Scan object behind a `scan`: the unfinished one of this account, or a new one.

use std::time::Duration;

use followlytics_crds::{
    AccountSpec, Budget, CredentialRef, OperatingMode, Parallelism, ResultPolicy, Scan, ScanSpec, Since,
    reasons,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::Scanning;
use crate::{
    connect::Session,
    edge,
    exit::{Exit, Failure},
    follow::{exit_of, look},
    scan_name,
};

impl Scanning<'_> {
    /// The Scan object: the unfinished one of this account, or a new one.
    pub(super) async fn ensure(
        &self,
        scans: &Api<Scan>,
        credential: Option<CredentialRef>,
    ) -> Result<String, Failure> {
        let existing = scans.list(&ListParams::default()).await?.items;
        let wanted = self
            .args
            .name
            .clone()
            .unwrap_or_else(|| scan_name::of(&self.account));
        let spec = self.spec(credential);
        if self.args.dry_run {
            let name = format!(
                "{wanted}-plan-{}",
                edge::new_id().simple().to_string().get(..8).unwrap_or_default()
            );
            scans
                .create(&PostParams::default(), &Scan::new(&name, spec))
                .await?;
            return Ok(name);
        }
        if let Some(found) = scan_name::unfinished(&existing, &wanted, &spec.account) {
            let name = found.metadata.name.clone().unwrap_or_default();
            if !self.global.quiet {
                eprintln!("scan {name} goes on where it stopped");
            }
            self.go_on(scans, found, &spec).await?;
            return Ok(name);
        }
        let name = match &self.args.name {
            Some(name) => name.clone(),
            None => scan_name::free(&existing, &wanted),
        };
        scans
            .create(&PostParams::default(), &Scan::new(&name, spec))
            .await?;
        Ok(name)
    }

    /// What may be said anew of a scan that goes on: that it runs, its budget, its width, its credential.
    async fn go_on(&self, scans: &Api<Scan>, found: &Scan, spec: &ScanSpec) -> Result<(), Failure> {
        let name = found.metadata.name.clone().unwrap_or_default();
        if holds_for_a_person(found) {
            let pause = json!({"spec": {"operatingMode": "Suspended"}});
            let patched = scans
                .patch(&name, &PatchParams::default(), &Patch::Merge(&pause))
                .await?;
            settle(self.session, scans, &patched).await?;
        }
        let mut wish = json!({"operatingMode": "Running"});
        if let Some(fields) = wish.as_object_mut() {
            if let Some(budget) = &spec.budget {
                fields.insert("budget".to_owned(), json!(budget));
            }
            if let Some(runners) = self.args.runners {
                fields.insert("parallelism".to_owned(), json!({"maxRunners": runners}));
            }
            if let Some(credential) = &spec.credential_ref {
                fields.insert("credentialRef".to_owned(), json!(credential));
            }
            if let Some(session) = &spec.session_ref {
                fields.insert("sessionRef".to_owned(), json!(session));
            }
        }
        let patch = json!({"spec": wish});
        let patched = scans
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        settle(self.session, scans, &patched).await
    }

    fn spec(&self, credential_ref: Option<CredentialRef>) -> ScanSpec {
        let usual = Parallelism::default();
        ScanSpec {
            account: AccountSpec {
                platform: self.account.platform.to_string(),
                handle: self.account.handle.clone(),
                host: self.account.host.clone(),
            },
            credential_ref,
            session_ref: self.args.session.clone().map(|name| CredentialRef { name }),
            source: self.args.source.into(),
            parallelism: Parallelism {
                max_runners: self.args.runners.unwrap_or(usual.max_runners),
                followers_per_range: self.args.followers_per_range.unwrap_or(usual.followers_per_range),
            },
            max_followers: self.args.max_followers,
            since: self.args.since.map(|since| Since {
                version: since.to_string(),
            }),
            budget: self.args.budget.map(|usd| Budget {
                max_usd: usd.to_string(),
            }),
            priority: 0,
            operating_mode: OperatingMode::default(),
            cancelled: false,
            dry_run: self.args.dry_run,
            result_policy: ResultPolicy::default(),
            sweeps: self.args.sweeps,
            ttl_seconds_after_finished: None,
        }
    }
}

/// Deletes the Scan of a dry run: only its plan was wanted. What is still there after a moment goes with the next
/// control plane.
pub(super) async fn clear_away(scans: &Api<Scan>, name: &str) {
    if scans.delete(name, &DeleteParams::default()).await.is_err() {
        return;
    }
    for _ in 0..20 {
        if matches!(scans.get_metadata_opt(name).await, Ok(None)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a pause and its end would let it try again: a person asks for that by running the command again.
fn holds_for_a_person(scan: &Scan) -> bool {
    let waiting = scan.status.as_ref().and_then(|status| status.waiting_on.as_ref());
    waiting.is_some_and(|waiting| {
        exit_of(&waiting.reason) != Exit::Failed || waiting.reason == reasons::RUNNERS_FAILING
    })
}

/// Waits until people can see in the object what the scan waits on: the control plane may end with this command.
/// Two seconds at most, for what is waited on may change meanwhile.
pub(super) async fn told(
    session: &Session,
    scans: &Api<Scan>,
    name: &str,
    reason: &str,
) -> Result<(), Failure> {
    for _ in 0..40 {
        let status = look(session, scans, name).await?.scan.status.unwrap_or_default();
        if status.waiting_on.is_some_and(|waiting| waiting.reason == reason) || status.phase.is_final() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Waits until the controller has seen the change: an older status must not be read as its answer.
pub(super) async fn settle(session: &Session, scans: &Api<Scan>, patched: &Scan) -> Result<(), Failure> {
    let name = patched.metadata.name.clone().unwrap_or_default();
    for _ in 0..50 {
        let seen = look(session, scans, &name).await?;
        let observed = seen
            .scan
            .status
            .as_ref()
            .and_then(|status| status.observed_generation);
        if observed >= patched.metadata.generation {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
