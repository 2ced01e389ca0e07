//! What people do about their scans: pause them, edit them, end them, and help where one says that it needs help.

use anyhow::{Context as _, Result, ensure};
use followlytics_api::credentials::SecretStore as _;
use followlytics_core::{
    money::Usd,
    scan::summary::{Stage, Summary},
    wire::Mode,
};
use followlytics_crds::{ConditionExt as _, OperatingMode, Scan};
use followlytics_store::params;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    invariants::Pause,
    run::Simulation,
    scenario::{CredentialEdit, Edit},
    world,
};

/// Why a scan waits for the next month, or for a larger one.
const MONTH: &str = followlytics_core::scan::edit::MONTHLY_BUDGET;
/// What a person adds, beyond as much again.
const MORE: Usd = Usd::from_nanos(1_000_000_000);
/// Permits settle within 55 s, a lease nobody gave back ends 15 s later, controllers may die meanwhile.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(120);

impl Simulation {
    /// What a person does about one scan; whether it is still open.
    pub(super) async fn attend(&mut self, index: usize, healed: bool) -> Result<bool> {
        let Some(target) = self.targets.get(index).filter(|target| !target.is_verified) else {
            return Ok(false);
        };
        let Some(scan) = self.plane.scan(&target.name).await? else {
            return Ok(false);
        };
        let since = self.shared.passed();
        let pause = target
            .plan
            .suspend
            .is_some_and(|(from, length)| since >= from && since < from + length);
        let mode = if pause {
            OperatingMode::Suspended
        } else {
            OperatingMode::Running
        };
        if scan.spec.operating_mode != mode {
            let edit = json!({"spec": {"operatingMode": mode}});
            self.plane.edit(&target.name, &edit).await?;
            self.shared.lock().invariants.suspended.remove(&target.uid);
            return Ok(true);
        }
        self.edit(index).await?;
        self.check_pause(index, &scan).await?;
        self.let_some_return(index)?;
        self.let_lists_be_hidden(index)?;
        let phase = scan
            .status
            .as_ref()
            .map(|status| status.phase)
            .unwrap_or_default();
        let helps = healed && !pause;
        let summary = if helps || phase.is_final() {
            let target = self.targets.get(index).context("no target")?;
            self.ledger.summary(&target.uid).await?
        } else {
            None
        };
        // A killed runner's request is in doubt until its permit is due, which may be after the scan's end.
        let waits_for_an_outcome = summary.as_ref().is_some_and(|summary| summary.open_permits > 0);
        if let Some(summary) = summary.filter(|_| helps) {
            self.help(index, &summary).await?;
        }
        let deletes = scan.metadata.deletion_timestamp.is_some();
        Ok(!phase.is_final() || waits_for_an_outcome || deletes)
    }

    /// Makes the next edit of a scan, if it is time.
    async fn edit(&mut self, index: usize) -> Result<()> {
        let passed = self.shared.passed();
        let target = self.targets.get(index).context("no target")?;
        let due = target
            .plan
            .edits
            .get(target.edits)
            .filter(|(at, _)| *at <= passed);
        let Some(&(_, edit)) = due else {
            return Ok(());
        };
        self.shared.trace(&format!("edit {} {edit:?}", target.name));
        let (name, named, mut budget) = (target.name.clone(), target.names_other, target.budget);
        let spec = match edit {
            Edit::Budget(percent) => {
                budget = Usd::from_nanos(target.plan.budget.nanos() / 100 * percent);
                json!({"budget": {"maxUsd": budget.to_string()}})
            }
            Edit::Runners(runners) => json!({"parallelism": {"maxRunners": runners}}),
            Edit::Size(rows) => {
                // A cap is refused beside a second pass, and where an earlier result is extended.
                let capped = target.plan.sweeps == 1 && self.shared.scenario.again.is_none();
                let rows_at_most = if capped { rows } else { 0 };
                json!({"parallelism": {"followersPerRange": rows}, "maxFollowers": rows_at_most})
            }
            Edit::Priority(priority) => json!({"priority": priority}),
            Edit::Credential => json!({"credentialRef": {"name": world::name_of_credential(!named)}}),
            Edit::Cancel => json!({"cancelled": true}),
            Edit::Delete => Value::Null,
        };
        if edit == Edit::Delete {
            self.plane.delete(&name).await?;
        } else {
            self.plane.edit(&name, &json!({"spec": spec})).await?;
        }
        self.shared.count("edits");
        let target = self.targets.get_mut(index).context("no target")?;
        target.edits += 1;
        target.budget = budget;
        target.names_other = named ^ (edit == Edit::Credential);
        Ok(())
    }

    /// Makes the next edit of X's Credential, if it is time.
    pub(super) async fn edit_credential(&mut self) -> Result<()> {
        let passed = self.shared.passed();
        let edits = &self.shared.scenario.credential_edits;
        let due = edits.get(self.credential_edits).filter(|(at, _)| *at <= passed);
        let Some(&(_, edit)) = due else {
            return Ok(());
        };
        self.shared.trace(&format!("edit x {edit:?}"));
        let spec = match edit {
            CredentialEdit::Requests(requests) => {
                json!({"rateLimits": world::limits(&self.shared.scenario, requests)})
            }
            CredentialEdit::Month(month) => {
                json!({"monthlyBudgetUsd": month.map(|month| month.to_string())})
            }
        };
        self.plane.edit_credential(&json!({"spec": spec})).await?;
        if matches!(edit, CredentialEdit::Month(_)) {
            self.note_month(edit);
        }
        self.shared.count("edits of a credential");
        self.credential_edits += 1;
        Ok(())
    }

    /// From here on the Credential of X may spend so much: as soon as the ledger knows.
    fn note_month(&mut self, edit: CredentialEdit) {
        self.new_month = Some(edit);
        self.shared.lock().invariants.month = None;
    }

    /// An edited month binds what is granted once every scan's row has it; what is held by then is not taken back.
    pub(super) async fn settle_month(&mut self) -> Result<()> {
        let Some(CredentialEdit::Month(month)) = self.new_month else {
            return Ok(());
        };
        for target in &self.targets {
            let Some(row) = self.ledger.find_scan(&target.uid).await? else {
                continue;
            };
            let kept = row
                .request
                .kept
                .as_ref()
                .map(|terms| (&terms.credential, terms.monthly_budget));
            let mut known = [(&row.request.credential, row.request.monthly_budget)]
                .into_iter()
                .chain(kept);
            let is_open = matches!(row.stage, Stage::Resolving | Stage::Scanning);
            if is_open && known.any(|(name, budget)| name == world::CREDENTIAL && budget != month) {
                return Ok(());
            }
        }
        let held = self.ledger.month_used(world::CREDENTIAL).await?;
        self.shared.lock().invariants.month = month.map(|month| month.max(held));
        self.new_month = None;
        Ok(())
    }

    /// After the healing a person does what the holds ask for: more budget, signing in again.
    async fn help(&mut self, index: usize, summary: &Summary) -> Result<()> {
        let hold = summary.hold.as_ref();
        let Some(hold) = hold.filter(|hold| hold.until.is_none() || hold.reason == MONTH) else {
            return Ok(());
        };
        let reason = hold.reason.clone();
        let Some(target) = self.targets.get_mut(index) else {
            return Ok(());
        };
        self.shared.count("helped");
        self.shared.trace(&format!("help {} {reason}", target.name));
        if reason == MONTH {
            let used = self.ledger.month_used(world::CREDENTIAL).await?;
            let stated = match self.new_month {
                Some(CredentialEdit::Month(month)) => month,
                _ => self.shared.lock().invariants.month,
            };
            let month = stated.unwrap_or_default().max(used);
            let month = month.plus(month).plus(MORE);
            let spec = json!({"monthlyBudgetUsd": month.to_string()});
            self.plane.edit_credential(&json!({"spec": spec})).await?;
            self.note_month(CredentialEdit::Month(Some(month)));
            return Ok(());
        }
        if reason == "CredentialInvalid" {
            for (name, secret) in world::sign_in(&self.world, &self.shared.scenario)? {
                self.secrets.put(name, &secret)?;
            }
        }
        if reason == "SessionEnded" {
            self.sign_ins += 1;
            self.secrets.put(
                "default/session",
                &world::sign_in_web(&self.world, self.sign_ins)?,
            )?;
        }
        target.budget = target.budget.plus(target.budget).plus(MORE);
        let budget = json!({"spec": {"budget": {"maxUsd": target.budget.to_string()}}});
        self.plane.edit(&target.name, &budget).await
    }

    /// PAUSE: no permit is granted once the ledger knows of it; from the moment it is true nothing starts.
    async fn check_pause(&mut self, index: usize, scan: &Scan) -> Result<()> {
        let now = self.shared.now();
        let Some(target) = self.targets.get_mut(index) else {
            return Ok(());
        };
        let row = self.ledger.find_scan(&target.uid).await?;
        let open = row
            .as_ref()
            .is_some_and(|row| matches!(row.stage, Stage::Resolving | Stage::Scanning));
        if row.is_none_or(|row| row.request.mode != Mode::Suspend) {
            target.paused_since = None;
            self.shared.lock().invariants.suspended.remove(&target.uid);
            return Ok(());
        }
        let asked = *target.paused_since.get_or_insert(now);
        let mut tx = self.db.begin().await?;
        let later = tx
            .find(
                "SELECT 1 FROM permits WHERE scan = $1 AND granted_at > $2",
                params![&target.uid, asked],
            )
            .await?;
        drop(tx);
        ensure!(
            later.is_none() || self.shared.scenario.clocks.database.is_some(),
            "PAUSE: a permit was granted after the pause was asked for"
        );
        let away = self
            .shared
            .scenario
            .outages
            .iter()
            .map(|outage| outage.length)
            .sum();
        let longest = LONGEST_PAUSE + SignedDuration::from_secs(away);
        let conditions = scan
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let suspended =
            conditions.is_true("Suspended") && scan.spec.operating_mode == OperatingMode::Suspended;
        let resumed = scan.spec.operating_mode == OperatingMode::Running;
        ensure!(
            suspended || resumed || !open || now.duration_since(asked) < longest,
            "PAUSE: still not true after {longest:?}: {:?}",
            scan.status
        );
        if suspended && open && !self.shared.lock().invariants.suspended.contains_key(&target.uid) {
            let summary = self
                .ledger
                .summary(&target.uid)
                .await?
                .context("the scan vanished")?;
            let quiet = summary.open_permits == 0 && summary.ranges.active == 0;
            ensure!(
                quiet,
                "PAUSE: Suspended is true while requests are open or ranges are held: {summary:?}"
            );
            let account = summary.account_id.unwrap_or_else(|| target.plan.handle.clone());
            let pause = Pause {
                account,
                since: self.world.order(),
            };
            self.shared.count("suspended");
            self.shared
                .lock()
                .invariants
                .suspended
                .insert(target.uid.clone(), pause);
        }
        Ok(())
    }
}
