//! Worlds by what is listed.

use followlytics_core::{account::Platform, money::Usd};
use followlytics_simulator::GiteaOrder;

use crate::sim::{
    chance::Chance,
    scenario::{ScanPlan, Scenario},
};

/// What X charges for a row.
pub(in crate::sim) const ROW: Usd = Usd::from_nanos(10_000_000);

/// Scans that no browser helps are of X, where every row is paid for.
pub(super) fn paid(world: &mut Scenario, c: &mut Chance) {
    for (number, plan) in world.scans.iter_mut().enumerate() {
        if plan.web.is_some() || plan.platform == Platform::X {
            continue;
        }
        plan.platform = Platform::X;
        plan.handle = format!("account{number}");
        plan.host = None;
        plan.sweeps = 1;
        plan.followers = u64::try_from(c.between(1, 3_500)).unwrap_or(1);
        plan.budget = ROW.times(i64::try_from(plan.followers).unwrap_or(0) * 2 + 3_000);
    }
}

/// Pages of X hold fewer rows than were asked for, and its lists are as much shorter.
pub(super) fn short_pages(world: &mut Scenario, c: &mut Chance) {
    let page = c.between(120, 300);
    let part = |whole: i64| whole * page / world.x_page;
    for plan in &mut world.scans {
        if plan.platform == Platform::X {
            plan.followers = u64::try_from(part(i64::try_from(plan.followers).unwrap_or(0))).unwrap_or(0);
            plan.rows_per_range = u32::try_from(part(i64::from(plan.rows_per_range)).max(30)).unwrap_or(30);
            plan.budget = Usd::from_nanos(part(plan.budget.nanos()));
        }
    }
    world.web.count = u32::try_from(part(i64::from(world.web.count)).max(8)).unwrap_or(8);
    world.x_page = page;
}

pub(super) fn cut_short(world: &mut Scenario, _: &mut Chance) {
    world.lists.cut_short = true;
    world.faults.platform = world.faults.platform.max(20);
}

pub(super) fn lead_back(world: &mut Scenario, _: &mut Chance) {
    world.lists.lead_back = true;
    world.faults.platform = world.faults.platform.max(20);
}

pub(super) fn cursors_expire(world: &mut Scenario, c: &mut Chance) {
    world.lists.expire = u32::try_from(c.between(200, 700)).unwrap_or(50);
}

pub(super) fn surplus(world: &mut Scenario, _: &mut Chance) {
    world.lists.surplus = true;
    world.faults.platform = world.faults.platform.max(20);
}

/// One short list by row number, whose followers leave, return and come.
pub(super) fn returners(world: &Scenario) -> Scenario {
    let seed = world.seed;
    let scans = world.scans.iter().take(1).map(|scan| ScanPlan {
        platform: Platform::Gitea,
        handle: "returners".to_owned(),
        host: Some("gitea.test".to_owned()),
        followers: 150 + seed,
        churn: 60,
        returns: (60, if seed.is_multiple_of(2) { 1 } else { 12 }),
        max_rows: 0,
        runners: 4,
        rows_per_range: 50,
        web: None,
        ..scan.clone()
    });
    Scenario {
        scans: scans.collect(),
        gitea_page: 8,
        gitea_order: GiteaOrder::Follow,
        ..world.clone()
    }
}
