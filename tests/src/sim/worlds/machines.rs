//! Worlds by what happens to machines: processes that die or freeze, parts that are away, clocks that are wrong.

use crate::sim::{
    chance::Chance,
    scenario::{Outage, Part, Scenario},
};

fn rate(c: &mut Chance, low: i64, high: i64) -> u32 {
    u32::try_from(c.between(low, high)).unwrap_or(0)
}

pub(super) fn broker_dies(world: &mut Scenario, c: &mut Chance) {
    world.faults.broker = rate(c, 40, 150);
}

pub(super) fn power_fails(world: &mut Scenario, c: &mut Chance) {
    world.faults.power = rate(c, 30, 120);
}

pub(super) fn workers_die(world: &mut Scenario, c: &mut Chance) {
    world.faults.worker = rate(c, 50, 400);
}

pub(super) fn slow_objects(world: &mut Scenario, c: &mut Chance) {
    world.faults.slow_objects = rate(c, 5, 60);
}

pub(super) fn slow_platforms(world: &mut Scenario, c: &mut Chance) {
    world.faults.slow_platform = rate(c, 50, 250);
}

pub(super) fn unanswered_commits(world: &mut Scenario, c: &mut Chance) {
    world.faults.commits = rate(c, 2, 25);
}

fn away(world: &mut Scenario, c: &mut Chance, of: Part) {
    world.outages.push(Outage {
        of,
        from: c.between(0, 60),
        length: c.between(20, 180),
    });
}

pub(super) fn objects_away(world: &mut Scenario, c: &mut Chance) {
    away(world, c, Part::Objects);
}

pub(super) fn database_away(world: &mut Scenario, c: &mut Chance) {
    away(world, c, Part::Database);
}

pub(super) fn broker_away(world: &mut Scenario, c: &mut Chance) {
    away(world, c, Part::Broker);
}

pub(super) fn platforms_away(world: &mut Scenario, c: &mut Chance) {
    away(world, c, Part::Platform);
}

pub(super) fn controllers_away(world: &mut Scenario, c: &mut Chance) {
    away(world, c, Part::Controllers);
}

pub(super) fn skewed_clocks(world: &mut Scenario, _: &mut Chance) {
    world.clocks.skew_seconds = 60;
}

/// By up to an hour, forwards or back.
fn step(c: &mut Chance) -> (i64, i64) {
    let by = c.between(60, 3_600);
    let by = if c.happens(500) { by } else { -by };
    (c.between(1, 60), by)
}

pub(super) fn database_clock_is_set(world: &mut Scenario, c: &mut Chance) {
    world.clocks.database = Some(step(c));
}

pub(super) fn runner_clocks_are_set(world: &mut Scenario, c: &mut Chance) {
    world.clocks.runners = Some(step(c));
}
