//! What must hold at the end of a simulation.

mod meeting;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use followlytics_core::{
    account::Platform,
    layout,
    money::Usd,
    page,
    platform::{Family, Seek, list::Hides},
    scan::{
        certificate::{Certificate, Guarantee},
        observed::Anomaly,
        source::Source,
        summary::{Stage, Summary},
    },
    wire::MOST_TABS,
};
use followlytics_simulator::GiteaOrder;
use followlytics_store::{ledger::PageRow, params};
use jiff::Timestamp;

use super::{
    again::Known,
    run::{Simulation, Target},
    scenario::{Again, Edit, Part, Scenario},
    worlds::ROW,
};
use crate::toolkit::simulated;

impl Simulation {
    /// What must hold at the end.
    pub(super) async fn verify(&self) -> Result<()> {
        // All may have ended in mid-chaos: what is looked at from here on is looked at without faults.
        self.shared.end();
        for target in self.targets.iter().filter(|target| !target.is_verified) {
            let Some(summary) = self.ledger.summary(&target.uid).await? else {
                self.verify_deleted(target).await?;
                continue;
            };
            self.shared.trace(&format!(
                "end {} {:?} scanned {} spent {}",
                target.name, summary.stage, summary.scanned, summary.spent
            ));
            if summary.stage == Stage::Ended && target.has_made(Edit::Cancel) {
                ensure!(
                    summary.result.is_none(),
                    "VISIBLE-ONCE: a result of a cancelled scan"
                );
                self.shared.count("cancelled scans");
                continue;
            }
            ensure!(
                summary.stage == Stage::Merged,
                "NO-LOSS: {} ended without a result: {:?}",
                target.name,
                summary.failure
            );
            let verified = match target.known.as_ref().filter(|known| known.how == Again::Since) {
                None => self.verify_result(target, &summary).await,
                Some(known) => self.verify_since(target, known, &summary).await,
            };
            verified.with_context(|| target.name.clone())?;
            self.verify_adoption(target).await?;
            self.cover(&summary);
        }
        self.verify_charges().await
    }

    /// PAY-BOUND: what the platform charged is spent, or ambiguous where no outcome reached the broker. Where only the
    /// object store failed, to the cent, and no page that a runner had in hand is fetched again.
    async fn verify_charges(&self) -> Result<()> {
        let scenario = &self.shared.scenario;
        for target in &self.targets {
            let Some(summary) = self.ledger.summary(&target.uid).await? else {
                continue;
            };
            ensure!(
                summary.reserved == Usd::ZERO,
                "PAY-BOUND: {} is reserved by a scan that has ended",
                summary.reserved
            );
            if scenario.is_calm() && target.plan.suspend.is_none() && target.plan.web.is_none() {
                ensure!(
                    summary.requests.refetched_pages == 0 && summary.ambiguous == Usd::ZERO,
                    "PAY-BOUND: {} pages that runners had in hand were fetched again, {} is ambiguous",
                    summary.requests.refetched_pages,
                    summary.ambiguous
                );
            }
        }
        let charged = Usd::from_nanos(self.world.totals().charged_nano_usd);
        let spent = self.sum("SELECT COALESCE(SUM(price), 0) FROM usage").await?;
        let held = "SELECT COALESCE(SUM(price), 0) FROM permits WHERE state = 'Ambiguous'";
        let deleted = "SELECT COALESCE(SUM(price), 0) FROM ambiguous_charges \
                       WHERE scan NOT IN (SELECT uid FROM scans)";
        let ambiguous = self.sum(held).await?.plus(self.sum(deleted).await?);
        // Of a page that never came nobody knows whether it had a row too many.
        let surplus = ROW.times(self.shared.lock().invariants.surplus_rows);
        ensure!(
            spent <= charged && charged <= spent.plus(ambiguous).plus(surplus),
            "PAY-BOUND: the platform charged {charged}, {spent} is spent and {ambiguous} ambiguous"
        );
        ensure!(
            !scenario.is_calm() || charged == spent.plus(ambiguous),
            "PAY-BOUND: the platform charged {charged} and the ledger says {spent} and {ambiguous} ambiguous"
        );
        Ok(())
    }

    async fn verify_result(&self, target: &Target, summary: &Summary) -> Result<()> {
        let record = summary
            .result
            .as_ref()
            .context("VISIBLE-ONCE: merged without a result")?;
        let version = 1 + i64::from(target.known.is_some());
        ensure!(
            record.version == version,
            "VISIBLE-ONCE: the result has version {} and is number {version}",
            record.version
        );
        let ids = followlytics_worker::result_ids(&self.objects, record).await?;
        let unique: BTreeSet<&String> = ids.iter().collect();
        no_double(ids.len(), unique.len())?;
        let committed = self.committed_ids(&target.uid).await?;
        let wanted = match usize::try_from(target.plan.max_rows)? {
            0 => committed.len(),
            most => committed.len().min(most),
        };
        ensure!(
            unique.len() == wanted && unique.iter().all(|id| committed.contains(*id)),
            "NO-LOSS: {} committed, {} in the result, {wanted} wanted",
            committed.len(),
            unique.len()
        );
        self.verify_certificate(target, summary, &record.certificate, &unique)
            .await?;
        let (rows, lookups) = self.charged_for(target, summary).await?;
        let paid = Platform::price(target.plan.platform, Family::Followers, rows)
            .plus(Platform::price(target.plan.platform, Family::Lookup, 1).times(lookups));
        let spent = summary.spent.plus(summary.surplus);
        ensure!(spent == paid, "PAY-BOUND: {spent} spent for rows worth {paid}");
        if self.shared.scenario.is_calm() {
            let scenario = &self.shared.scenario;
            let facts = (scenario.web.enters, scenario.has_outage(Part::Objects));
            verify_requests(target, summary, facts)?;
        }
        self.verify_meeting(target).await
    }

    /// STABLE: what the certificate says is true, and it says as much as the facts allow.
    async fn verify_certificate(
        &self,
        target: &Target,
        summary: &Summary,
        certificate: &Certificate,
        ids: &BTreeSet<&String>,
    ) -> Result<()> {
        let missed = self.missed(target, ids)?;
        let list = self.ledger.merge_input(&target.uid).await?.list;
        let is_exact = certificate.guarantee == Guarantee::Exact;
        ensure!(
            missed.is_empty() || !is_exact && !certificate.complete,
            "STABLE: Exact, and {} who followed throughout are missing: {:?}",
            missed.len(),
            missed.first()
        );
        ensure!(
            !is_exact || certificate.unexplained == 0,
            "STABLE: Exact beside {} unexplained",
            certificate.unexplained
        );
        let scenario = &self.shared.scenario;
        let observed = self.ledger.merge_input(&target.uid).await?.observed;
        let in_order = target.plan.platform != Platform::Gitea || scenario.gitea_order == GiteaOrder::Follow;
        // A chain goes on by the server's own cursor, which skips what shares a key with a page's last row.
        let seek = summary.plan.as_ref().map(|plan| plan.seek);
        let by_key = target.plan.platform != Platform::Bluesky || seek != Some(Seek::Chain);
        let ordered = in_order && by_key && observed.anomalies.is_empty();
        // A range that was given up says so.
        let cut_short = may_be_cut_short(scenario, summary) || target.plan.max_rows > 0;
        ensure!(
            missed.is_empty() || !ordered || cut_short,
            "STABLE: {} who followed throughout are missing of a list in order: {:?}",
            missed.len(),
            missed.first()
        );
        let hidden = ids.is_empty() && summary.expected > 0;
        // Everybody older may have left between one range's end and another's.
        let odd = |anomaly: &Anomaly| match anomaly {
            Anomaly::SurplusRows | Anomaly::KeysTied => true,
            Anomaly::KeyRose => scenario.lists.lead_back,
            _ => false,
        };
        let may_contradict = target.plan.churn > 0 || cut_short || observed.anomalies.keys().any(odd);
        ensure!(
            is_exact == (list.carries_exact() && !hidden)
                || !is_exact && may_contradict && list.carries_exact(),
            "STABLE: {:?} where the facts promise otherwise: {:?}",
            certificate.guarantee,
            certificate.evidence
        );
        let whole = target.plan.max_rows == 0 && summary.ranges.failed == 0;
        let quiet = target.plan.churn == 0 && list.hides == Hides::Nothing && !hidden && whole;
        let lacking = i64::try_from(missed.len()).unwrap_or(i64::MAX);
        ensure!(
            !quiet || certificate.unexplained == lacking,
            "STABLE: {lacking} are missing of a quiet list, and {} are said to be",
            certificate.unexplained
        );
        let mut state = self.shared.lock();
        let told = if is_exact { "exact results" } else { "best efforts" };
        *state.coverage.entry(told).or_insert(0) += 1;
        *state
            .coverage
            .entry("best efforts that miss somebody")
            .or_insert(0) += u64::from(!missed.is_empty());
        Ok(())
    }

    /// What goes on from an earlier result holds that result and what was read, and misses nobody it does not say it may
    /// miss.
    async fn verify_since(&self, target: &Target, known: &Known, summary: &Summary) -> Result<()> {
        let record = summary
            .result
            .as_ref()
            .context("VISIBLE-ONCE: merged without a result")?;
        ensure!(
            record.version == 2 && record.certificate.extends == Some(1),
            "VISIBLE-ONCE: the second result has version {} and extends {:?}",
            record.version,
            record.certificate.extends
        );
        let ids = followlytics_worker::result_ids(&self.objects, record).await?;
        let unique: BTreeSet<String> = ids.iter().cloned().collect();
        no_double(ids.len(), unique.len())?;
        let committed = self.committed_ids(&target.uid).await?;
        let union: BTreeSet<String> = known.ids.union(&committed).cloned().collect();
        ensure!(
            union == unique,
            "NO-LOSS: {} known or committed, {} in the result",
            union.len(),
            unique.len()
        );
        let platform = simulated(target.plan.platform);
        let truth =
            self.world
                .truth_between(platform, &target.plan.handle, known.from, self.world.order())?;
        let missed: Vec<&String> = truth.iter().filter(|id| !unique.contains(*id)).collect();
        let certificate = &record.certificate;
        ensure!(
            missed.is_empty() && known.complete || !certificate.complete,
            "STABLE: complete, and {} who followed throughout are missing: {:?}",
            missed.len(),
            missed.first()
        );
        let observed = self.ledger.merge_input(&target.uid).await?.observed;
        let scenario = &self.shared.scenario;
        let cut_short = may_be_cut_short(scenario, summary);
        ensure!(
            missed.is_empty() || cut_short || !known.complete || !observed.anomalies.is_empty(),
            "STABLE: {} who followed throughout are missing of a list in order: {:?}",
            missed.len(),
            missed.first()
        );
        let told = if certificate.complete {
            "complete again"
        } else {
            "best efforts again"
        };
        self.shared.count(told);
        Ok(())
    }

    /// Who followed throughout and is missing; an error where somebody was invented.
    fn missed(&self, target: &Target, ids: &BTreeSet<&String>) -> Result<Vec<String>> {
        let plan = &target.plan;
        let from = target.known.as_ref().map_or(0, |known| known.from);
        let platform = simulated(plan.platform);
        let account = self.world.account(platform, &plan.handle)?;
        let of_account: Vec<u64> = self
            .world
            .requests(0, usize::MAX)
            .into_iter()
            .filter(|request| request.account.as_deref() == Some(account.id.as_str()))
            .filter(|request| request.order >= from)
            .map(|request| request.order)
            .collect();
        let (Some(first), Some(last)) = (of_account.first(), of_account.last()) else {
            return Ok(Vec::new());
        };
        let ever: BTreeSet<String> = self
            .world
            .ever_present_between(platform, &plan.handle, *first, *last)?
            .into_iter()
            .collect();
        let invented = ids.iter().find(|id| !ever.contains(**id));
        ensure!(invented.is_none(), "NO-LOSS: {invented:?} never followed");
        let truth = self.world.truth_between(platform, &plan.handle, *first, *last)?;
        Ok(truth.into_iter().filter(|id| !ids.contains(id)).collect())
    }

    /// PAY-BOUND: no page is fetched again that the broker had when it gave the range to the next holder.
    async fn verify_adoption(&self, target: &Target) -> Result<()> {
        let pages = self.pages(&target.uid).await?;
        let committed: BTreeSet<String> = pages.into_iter().map(|page| page.key).collect();
        let prefix = layout::pages_of_scan(&target.uid);
        let puts: Vec<(String, Timestamp)> = {
            let state = self.shared.lock();
            let ours = state
                .puts
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix) && !committed.contains(*key));
            ours.map(|(key, at)| (key.clone(), *at)).collect()
        };
        for (key, put) in puts {
            let header = page::decode_header(&self.objects.get(&key).await?)?.0;
            // A page for people costs a slot and no money; one that a browser fetched may have been asked for by a
            // cursor that expired since, and then its range begins again at the same place.
            if header.source == Source::Browser {
                continue;
            }
            let state = self.shared.lock();
            let grants = state.invariants.grants.get(&(target.uid.clone(), header.range));
            let next = grants.and_then(|grants| grants.iter().find(|grant| grant.epoch > header.epoch));
            let ignored = next.is_some_and(|next| put < next.at && header.seq == next.seq)
                && state.puts.keys().any(|other| is_again(other, &key));
            ensure!(
                !ignored,
                "PAY-BOUND: {key} was there when its range was given on, and was fetched again"
            );
        }
        Ok(())
    }

    /// Nothing of a deleted scan is left, but what it cost and its result.
    async fn verify_deleted(&self, target: &Target) -> Result<()> {
        ensure!(target.has_made(Edit::Delete), "NO-LOSS: {} vanished", target.name);
        for table in ["ranges", "pages", "permits", "jobs", "sandboxes"] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE scan = $1");
            let row = self.db.find(&sql, params![&target.uid]).await?;
            let rows: i64 = row.map_or(Ok(0), |row| row.get(0))?;
            ensure!(rows == 0, "NO-LOSS: {rows} {table} of {} are left", target.name);
        }
        self.shared.count("deleted scans");
        Ok(())
    }

    async fn sum(&self, sql: &str) -> Result<Usd> {
        let row = self.db.find(sql, params![]).await?;
        Ok(Usd::from_nanos(row.map_or(Ok(0), |row| row.get(0))?))
    }

    fn cover(&self, summary: &Summary) {
        let requests = &summary.requests;
        let counts = [
            ("splits", requests.splits),
            ("seam pages", requests.seam_pages),
            ("failed requests", requests.failed),
            ("unanswered requests", requests.unanswered),
            ("refetched pages", requests.refetched_pages),
            ("ambiguous dollars", i64::from(summary.ambiguous > Usd::ZERO)),
        ];
        let mut state = self.shared.lock();
        for (what, count) in counts {
            *state.coverage.entry(what).or_insert(0) += u64::try_from(count).unwrap_or(0);
        }
    }

    async fn pages(&self, uid: &str) -> Result<Vec<PageRow>> {
        let mut pages = Vec::new();
        for range in self.ledger.merge_input(uid).await?.ranges {
            pages.extend(self.ledger.list_pages(uid, range.id, 0, u32::MAX).await?);
        }
        Ok(pages)
    }

    async fn committed_ids(&self, uid: &str) -> Result<BTreeSet<String>> {
        let mut ids = BTreeSet::new();
        for row in self.pages(uid).await? {
            let page = page::decode(&self.objects.get(&row.key).await?)?;
            ids.extend(page.rows().map(|row| row.id.clone()));
        }
        Ok(ids)
    }
}

fn no_double(rows: usize, followers: usize) -> Result<()> {
    ensure!(followers == rows, "NO-DOUBLE: {rows} rows, {followers} followers");
    Ok(())
}

/// Whether a list may have ended before its end, or a range of it was given up.
fn may_be_cut_short(scenario: &Scenario, summary: &Summary) -> bool {
    scenario.lists.cut_short || scenario.hides > 0 || summary.ranges.failed > 0
}

/// Whether an object holds the page of another one, fetched under a later lease.
fn is_again(other: &str, key: &str) -> bool {
    let parts = |key: &str| {
        let mut parts = key.split('/').map(str::to_owned);
        let (scan, range, epoch) = (parts.nth(1)?, parts.next()?, parts.next()?);
        let seq = parts.next()?.split('-').next()?.to_owned();
        Some(((scan, range, seq), epoch))
    };
    match (parts(other), parts(key)) {
        (Some((page, later)), Some((same, epoch))) => page == same && later > epoch,
        _ => false,
    }
}

/// Requests ÷ necessary = 1 where nothing went wrong.
fn verify_requests(target: &Target, summary: &Summary, (enters, objects_away): (bool, bool)) -> Result<()> {
    let requests = &summary.requests;
    // A list that cannot be entered says so once to each tab.
    let refused = i64::from(target.plan.web.is_some() && !enters) * i64::from(MOST_TABS);
    // While no page can be stored a suspended runner drops its page, and one tab may end what others have in hand.
    let in_flight = match (objects_away, target.plan.suspend, &target.plan.web) {
        (true, _, Some(_)) => i64::from(target.plan.runners + MOST_TABS),
        (true, Some(_), None) => i64::from(target.plan.runners),
        _ => 0,
    };
    // The tab that meets what was read ends the others: a page that one of them has in hand comes too late.
    let met = if target.plan.web.is_some() {
        i64::from(MOST_TABS)
    } else {
        0
    };
    ensure!(
        requests.failed <= refused && requests.unanswered <= in_flight + met,
        "requests failed in a calm world: {requests:?}"
    );
    ensure!(
        requests.refetched_pages <= in_flight,
        "pages were fetched twice in a calm world"
    );
    Ok(())
}
