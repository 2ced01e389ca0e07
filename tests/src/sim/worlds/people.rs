//! Worlds by what people ask for, and what they change their minds about.

use followlytics_core::{account::Platform, money::Usd};
use followlytics_crds::SourceChoice;

use super::lists::ROW;
use crate::sim::{
    chance::Chance,
    scenario::{Again, CredentialEdit, Edit, Scenario},
    web::WebScan,
};

fn has_x(world: &Scenario) -> bool {
    world.scans.iter().any(|plan| plan.platform == Platform::X)
}

/// What all lists of X cost.
fn price(world: &Scenario) -> Usd {
    let of_x = world.scans.iter().filter(|plan| plan.platform == Platform::X);
    ROW.times(of_x.map(|plan| i64::try_from(plan.followers).unwrap_or(0)).sum())
}

/// A budget that a second look at a page may already exceed.
pub(super) fn tight_budget(world: &mut Scenario, c: &mut Chance) {
    for plan in &mut world.scans {
        if plan.platform == Platform::X && plan.web.is_none() {
            let rows = i64::try_from(plan.followers).unwrap_or(0);
            plan.budget = ROW.times(rows + c.between(1, 150));
        }
    }
}

pub(super) fn monthly_budget(world: &mut Scenario, c: &mut Chance) {
    if has_x(world) {
        let percent = c.between(20, 150);
        world.month = Some(Usd::from_nanos(price(world).nanos() / 100 * percent).plus(ROW.times(100)));
    }
}

pub(super) fn row_cap(world: &mut Scenario, c: &mut Chance) {
    for plan in world.scans.iter_mut().filter(|plan| plan.sweeps == 1) {
        plan.max_rows = c.between(1, i64::try_from(plan.followers).unwrap_or(0) * 11 / 10 + 1);
    }
}

pub(super) fn edits(world: &mut Scenario, c: &mut Chance) {
    for plan in &mut world.scans {
        for _ in 0..c.between(1, 4) {
            let edit = match c.below(7) {
                0 | 1 => Edit::Budget(c.between(5, 300)),
                2 => Edit::Runners(u32::try_from(c.between(1, 6)).unwrap_or(1)),
                3 => Edit::Size(u32::try_from(c.between(1, 1_000)).unwrap_or(1)),
                4 => Edit::Priority(i32::try_from(c.between(-5, 5)).unwrap_or(0)),
                _ if plan.platform == Platform::X => Edit::Credential,
                _ => continue,
            };
            plan.edits.push((c.between(0, 60), edit));
        }
        plan.edits.sort_by_key(|(at, _)| *at);
    }
}

/// One scan, of X, by both sources.
pub(super) fn two_sources(world: &mut Scenario, c: &mut Chance) {
    world.scans.truncate(1);
    let Some(plan) = world.scans.first_mut() else {
        return;
    };
    plan.platform = Platform::X;
    "account0".clone_into(&mut plan.handle);
    plan.host = None;
    plan.sweeps = 1;
    plan.web = Some(WebScan {
        source: SourceChoice::Auto,
        credits: None,
        returning: if c.happens(400) { 60 } else { 0 },
    });
}

/// A browser that is quick reads the older part of a list, and then the budget pays for the slow API to come as far.
pub(super) fn budget_raised(world: &mut Scenario, c: &mut Chance) {
    for plan in &mut world.scans {
        let both = |web: &WebScan| web.source == SourceChoice::Auto && web.credits.is_none();
        if !plan.web.as_ref().is_some_and(both) {
            continue;
        }
        // A page is paid for as if it were full: the chain begins where the budget pays for one, whatever it holds.
        world.x_page = c.between(250, 350);
        world.x_window = (1, c.between(3_000, 5_000));
        world.web.window = (4, c.between(4_500, 7_000));
        world.web.count = 100;
        world.web.enters |= c.happens(300);
        plan.followers = u64::try_from(c.between(1_600, 2_400)).unwrap_or(1_600);
        plan.budget = ROW.times(c.between(700, 1_300));
        plan.edits
            .push((c.between(5, 22), Edit::Budget(c.between(220, 400))));
        plan.edits.sort_by_key(|(at, _)| *at);
    }
}

pub(super) fn limits_edited(world: &mut Scenario, c: &mut Chance) {
    for _ in 0..c.between(1, 3) {
        let requests = c.between(1, world.x_window.0);
        edit_credential(world, c, CredentialEdit::Requests(requests));
    }
}

pub(super) fn month_edited(world: &mut Scenario, c: &mut Chance) {
    let percent = c.between(5, 150);
    let month = Usd::from_nanos(price(world).nanos() / 100 * percent);
    edit_credential(world, c, CredentialEdit::Month(Some(month)));
    if c.happens(300) {
        edit_credential(world, c, CredentialEdit::Month(None));
    }
}

fn edit_credential(world: &mut Scenario, c: &mut Chance, edit: CredentialEdit) {
    if has_x(world) {
        world.credential_edits.push((c.between(0, 60), edit));
        world.credential_edits.sort_by_key(|(at, _)| *at);
    }
}

pub(super) fn cancelled(world: &mut Scenario, c: &mut Chance) {
    end(world, c, Edit::Cancel);
}

pub(super) fn deleted(world: &mut Scenario, c: &mut Chance) {
    end(world, c, Edit::Delete);
}

/// A person ends the first scan.
fn end(world: &mut Scenario, c: &mut Chance, how: Edit) {
    if let Some(plan) = world.scans.first_mut() {
        plan.edits.push((c.between(0, 60), how));
        plan.edits.sort_by_key(|(at, _)| *at);
    }
}

pub(super) fn read_again(world: &mut Scenario, _: &mut Chance) {
    world.again = Some(Again::Whole);
    stay(world);
}

/// Lists that are read whole every time give way to Mastodon's, and every other world has accounts that hide theirs for
/// a while.
pub(super) fn read_since(world: &mut Scenario, c: &mut Chance) {
    world.again = Some(Again::Since);
    stay(world);
    for (number, plan) in world.scans.iter_mut().enumerate() {
        plan.web = None;
        plan.sweeps = 1;
        plan.max_rows = 0;
        if matches!(plan.platform, Platform::Gitea | Platform::GitHub) {
            plan.platform = Platform::Mastodon;
            plan.handle = format!("account{number}");
            plan.host = Some("mastodon.test".to_owned());
        }
    }
    if c.happens(500) {
        world.hides = u32::try_from(c.between(20, 250)).unwrap_or(20);
    }
}

/// Nobody ends a scan that is to be read twice.
fn stay(world: &mut Scenario) {
    for plan in &mut world.scans {
        plan.edits
            .retain(|(_, edit)| !matches!(edit, Edit::Cancel | Edit::Delete));
    }
}
