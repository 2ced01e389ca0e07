//! The Scan object behind a `scan`: the unfinished one of this account, or a new one.

use std::time::Duration;

use followlytics_core::{
    money::Usd,
    scan::consent::{self, default_name},
};
use followlytics_crds::{
    AccountSpec, Budget, CredentialRef, OperatingMode, Parallelism, ResultPolicy, Scan, ScanSpec, Since,
    reasons,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::Scanning;
use crate::{
    connect::Session,
    edge,
    exit::{Exit, Failure},
    follow::{exit_of, look},
    scan_name,
};

/// The Scan object of this command.
pub(super) struct Ensured {
    /// As it was last written.
    pub(super) scan: Scan,
    /// Whether this command created it.
    pub(super) is_new: bool,
}

impl Scanning<'_> {
    /// Name of the Scan, or what its number is put behind.
    fn wanted(&self) -> String {
        self.args
            .name
            .clone()
            .unwrap_or_else(|| default_name(&self.account))
    }

    fn account_spec(&self) -> AccountSpec {
        AccountSpec {
            platform: self.account.platform.to_string(),
            handle: self.account.handle.clone(),
            host: self.account.host.clone(),
        }
    }

    /// The unfinished scan of this account.
    pub(super) async fn unfinished(&self, scans: &Api<Scan>) -> Result<Option<Scan>, Failure> {
        let existing = scans.list(&ListParams::default()).await?.items;
        Ok(scan_name::unfinished(&existing, &self.wanted(), &self.account_spec()).cloned())
    }

    /// The Scan object: the unfinished one of this account, or a new one.
    pub(super) async fn ensure(&self, scans: &Api<Scan>) -> Result<Ensured, Failure> {
        if self.args.dry_run {
            let spec = self.spec(self.credential(None).await?);
            let id = edge::new_id().simple().to_string();
            let name = format!("{}-plan-{}", self.wanted(), id.get(..8).unwrap_or_default());
            return self.create(scans, &name, spec).await;
        }
        if let Some(found) = self.unfinished(scans).await? {
            self.refuse_differences(&found).await?;
            let credential = self.credential(Some(&found)).await?;
            if !self.global.quiet {
                eprintln!(
                    "scan {} goes on where it stopped{}",
                    found.name_any(),
                    stored(&found)
                );
            }
            let spec = self.spec(credential);
            return self.go_on(scans, &found, &spec).await;
        }
        let spec = self.spec(self.credential(None).await?);
        let name = match &self.args.name {
            Some(name) => name.clone(),
            None => scan_name::free(&scans.list(&ListParams::default()).await?.items, &self.wanted()),
        };
        self.create(scans, &name, spec).await
    }

    /// Creates the Scan. Behind a control plane of this command's own, this command pays for it only while it lives.
    async fn create(&self, scans: &Api<Scan>, name: &str, spec: ScanSpec) -> Result<Ensured, Failure> {
        let mut scan = Scan::new(name, spec);
        if self.session.plane.is_some() {
            let annotations = scan.metadata.annotations.get_or_insert_default();
            annotations.insert(consent::ANNOTATION.to_owned(), consent::ATTACHED.to_owned());
        }
        let scan = scans.create(&PostParams::default(), &scan).await?;
        Ok(Ensured { scan, is_new: true })
    }

    /// What may be said anew of a scan that goes on: that it runs, its budget, its width, its credential.
    async fn go_on(&self, scans: &Api<Scan>, found: &Scan, spec: &ScanSpec) -> Result<Ensured, Failure> {
        let name = found.name_any();
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
        let consent = if self.session.has_up() {
            // `up` works on after this command: what it may spend is the budget.
            Some(by_budget())
        } else {
            self.args.budget.and_then(|_| self.by_lease())
        };
        let patch = merge_patch(&wish, consent);
        let scan = scans
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(Ensured { scan, is_new: false })
    }

    /// Patches the budget of an unfinished Scan to what a user confirmed.
    pub(super) async fn raise_budget(
        &self,
        scans: &Api<Scan>,
        name: &str,
        budget: Usd,
    ) -> Result<Scan, Failure> {
        let spec = json!({"budget": {"maxUsd": budget.to_string()}});
        let patch = merge_patch(&spec, self.by_lease());
        let patched = scans
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(patched)
    }

    /// Metadata of a Scan whose budget is given by a command with its own control plane: that consent ends with the
    /// command, also where `apply` had consented to less.
    fn by_lease(&self) -> Option<Value> {
        let attached = json!({"annotations": {(consent::ANNOTATION): consent::ATTACHED}});
        self.session.plane.is_some().then_some(attached)
    }

    fn spec(&self, credential_ref: Option<CredentialRef>) -> ScanSpec {
        let usual = Parallelism::default();
        ScanSpec {
            account: self.account_spec(),
            credential_ref,
            session_ref: self.args.session.clone().map(|name| CredentialRef { name }),
            source: self.args.source.unwrap_or_default().into(),
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

/// A merge patch of a spec, and of metadata if there is any: a null would delete them.
fn merge_patch(spec: &Value, metadata: Option<Value>) -> Value {
    match metadata {
        Some(metadata) => json!({"metadata": metadata, "spec": spec}),
        None => json!({"spec": spec}),
    }
}

/// Metadata of a Scan whose budget is the consent to its cost.
pub(crate) fn by_budget() -> Value {
    json!({"annotations": {(consent::ANNOTATION): null}})
}

/// What is stored of a scan and may surprise whoever goes on with it.
fn stored(scan: &Scan) -> String {
    let spec = &scan.spec;
    let mut facts = Vec::new();
    if let Some(budget) = &spec.budget {
        let spent = scan.status.as_ref().and_then(|status| status.cost.as_ref());
        let spent = spent.map_or("0.00", |cost| cost.spent_usd.as_str());
        facts.push(format!("${spent} of ${} spent", budget.max_usd));
    }
    if spec.max_followers > 0 {
        facts.push(format!("the first {} followers", spec.max_followers));
    }
    if facts.is_empty() {
        String::new()
    } else {
        format!(": {}", facts.join(", "))
    }
}

/// Deletes a Scan that nobody wants: a dry run's, or one that was refused. What is still there after a moment goes with the next
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
