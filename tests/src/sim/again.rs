//! What happens to lists beside the scans, and how they are read once more.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, Result};
use followlytics_core::account::Platform;

use super::{
    run::{Simulation, Target},
    scenario::Again,
    world,
};
use crate::toolkit::simulated;

/// What is known of a list before it is read once more.
pub(crate) struct Known {
    /// How it is read.
    pub(crate) how: Again,
    /// Followers in the first result.
    pub(crate) ids: BTreeSet<String>,
    /// Whether it promised to miss nobody.
    pub(crate) complete: bool,
    /// The platform's order when the second scan was created.
    pub(crate) from: u64,
}

impl Simulation {
    /// An old follower leaves and comes back: at the newest end, where nobody takes it for the rows around it.
    pub(super) fn let_some_return(&self, index: usize) -> Result<()> {
        let plan = self.targets.get(index).map(|target| &target.plan);
        let Some((plan, web)) = plan.and_then(|plan| Some((plan, plan.web.as_ref()?))) else {
            return Ok(());
        };
        if !self.shared.fault(web.returning) {
            return Ok(());
        }
        let platform = simulated(plan.platform);
        let now = self.world.order();
        let all = self.world.truth_between(platform, &plan.handle, now, now)?;
        let nth = self.shared.lock().chance.below(all.len());
        if let Some(follower) = all.get(nth) {
            self.world.unfollow_user(platform, &plan.handle, follower)?;
            self.world.follow_user(platform, &plan.handle, follower)?;
            self.shared.count("returned");
        }
        Ok(())
    }

    /// An account on Mastodon hides its lists, or shows them again.
    pub(super) fn let_lists_be_hidden(&mut self, index: usize) -> Result<()> {
        let Some(target) = self.targets.get(index) else {
            return Ok(());
        };
        let is_hidden = self.hidden.contains(&target.plan.handle);
        // It is shown again sooner than hidden.
        let chance = self.shared.scenario.hides * if is_hidden { 4 } else { 1 };
        if target.plan.platform == Platform::Mastodon && self.shared.fault(chance) {
            let handle = target.plan.handle.clone();
            self.world
                .set_hide_collections(simulated(Platform::Mastodon), &handle, !is_hidden)?;
            self.shared.count("hidden lists");
            if is_hidden {
                self.hidden.remove(&handle);
            } else {
                self.hidden.insert(handle);
            }
        }
        Ok(())
    }

    /// Shows every list that is hidden.
    pub(super) fn show_lists(&mut self) -> Result<()> {
        for handle in std::mem::take(&mut self.hidden) {
            self.world
                .set_hide_collections(simulated(Platform::Mastodon), &handle, false)?;
        }
        Ok(())
    }

    /// Some come, some return together in their old order; then every list is read once more, as badly as before.
    pub(super) async fn begin_again(&mut self, how: Again) -> Result<()> {
        let scenario = Arc::clone(&self.shared.scenario);
        for (number, plan) in scenario.scans.iter().enumerate() {
            let platform = simulated(plan.platform);
            let now = self.world.order();
            let all = self.world.truth_between(platform, &plan.handle, now, now)?;
            let block = usize::try_from(self.shared.draw(0, 60))?;
            for follower in all.iter().take(block) {
                self.world.unfollow_user(platform, &plan.handle, follower)?;
            }
            for follower in all.iter().take(block) {
                self.world.follow_user(platform, &plan.handle, follower)?;
            }
            let come = u64::try_from(self.shared.draw(0, 600))?;
            self.world.follow(platform, &plan.handle, come)?;
            let name = format!("again-{number}");
            let scan = match how {
                Again::Whole => world::scan(&name, plan),
                Again::Since => world::scan_since(&name, plan),
            };
            let scan = self.plane.create(&scan).await?;
            let first = self.targets.get_mut(number).context("no first scan")?;
            first.is_verified = true;
            let uid = first.uid.clone();
            let record = self.ledger.find_result(&uid).await?.context("no first result")?;
            let ids = followlytics_worker::result_ids(&self.objects, &record).await?;
            let mut target = Target::new(name, scan, plan)?;
            target.known = Some(Known {
                how,
                ids: ids.into_iter().collect(),
                complete: record.certificate.complete,
                from: self.world.order(),
            });
            self.targets.push(target);
        }
        world::set_faults(&self.world, &scenario)?;
        let uids = self.targets.iter().map(|target| target.uid.clone()).collect();
        if let Some(watched) = &self.shared.lock().invariants.watched {
            *watched
                .scans
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = uids;
        }
        self.shared.trace("again");
        self.shared.begin();
        Ok(())
    }
}
