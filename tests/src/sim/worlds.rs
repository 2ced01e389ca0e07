//! Which trouble a world has: a table of worlds with their weights, drawn apart, so that one more leaves the others
//! as they were.

mod base;
mod lists;
mod machines;
mod people;

pub(super) use self::lists::ROW;
use super::{
    chance::Chance,
    scenario::{Edit, Faults, Lists, Outage, Part, Scenario},
};

/// A kind of trouble.
pub struct World {
    /// What it is called in reports, and by [`Scenario::with`].
    pub name: &'static str,
    /// How many seeds in a thousand have it.
    pub per_mille: u32,
    change: fn(&mut Scenario, &mut Chance),
}

const fn world(name: &'static str, per_mille: u32, change: fn(&mut Scenario, &mut Chance)) -> World {
    World {
        name,
        per_mille,
        change,
    }
}

/// Every kind, in the order in which they are applied. Besides, in 600 seeds of a thousand each: messages are lost,
/// runners are killed, runners freeze, objects fail, platforms fail, the API server fails.
pub const WORLDS: [World; 32] = [
    world("paid", 350, lists::paid),
    world("short pages", 800, lists::short_pages),
    world("tight budget", 200, people::tight_budget),
    world("monthly budget", 250, people::monthly_budget),
    world("row cap", 80, people::row_cap),
    world("cut short", 100, lists::cut_short),
    world("cursors that lead back", 80, lists::lead_back),
    world("cursors expire", 450, lists::cursors_expire),
    world("surplus rows", 120, lists::surplus),
    world("broker dies", 350, machines::broker_dies),
    world("power fails", 450, machines::power_fails),
    world("workers die", 300, machines::workers_die),
    world("frozen brokers and workers", 150, machines::slow_objects),
    world("slow platforms", 200, machines::slow_platforms),
    world("unanswered commits", 200, machines::unanswered_commits),
    world("objects away", 125, machines::objects_away),
    world("database away", 100, machines::database_away),
    world("broker away", 100, machines::broker_away),
    world("platforms away", 100, machines::platforms_away),
    world("controllers away", 80, machines::controllers_away),
    world("skewed clocks", 333, machines::skewed_clocks),
    world("database's clock is set", 80, machines::database_clock_is_set),
    world("runners' clocks are set", 80, machines::runner_clocks_are_set),
    world("two sources", 270, people::two_sources),
    world("edits", 250, people::edits),
    world("budget raised", 750, people::budget_raised),
    world("limits edited", 150, people::limits_edited),
    world("month edited", 100, people::month_edited),
    world("cancelled", 50, people::cancelled),
    world("deleted", 50, people::deleted),
    world("read again", 50, people::read_again),
    world("read since", 80, people::read_since),
];

impl Scenario {
    /// The world of this seed.
    pub fn of(seed: u64) -> Self {
        WORLDS
            .iter()
            .fold(base::draw(seed), |scenario, world| world.perhaps(scenario))
    }

    /// The lists of this seed with the trouble of exactly these worlds.
    ///
    /// # Errors
    /// A name that is not in [`WORLDS`].
    pub fn with(seed: u64, names: &[&str]) -> Result<Self, String> {
        let mut scenario = base::draw(seed);
        for name in names {
            let world = WORLDS.iter().find(|world| world.name == *name);
            scenario = world
                .ok_or_else(|| format!("there is no world {name:?}"))?
                .apply(scenario);
        }
        Ok(scenario)
    }

    /// The world of this seed without a fault: what is asked of it is exact.
    pub fn calm(seed: u64) -> Self {
        let mut world = base::draw(seed).without_faults();
        for name in ["skewed clocks", "row cap"] {
            if let Some(kind) = WORLDS.iter().find(|kind| kind.name == name) {
                world = kind.perhaps(world);
            }
        }
        world
    }

    /// A calm world whose object store is away for minutes, with X in most seeds: what is asked of its money is exact.
    pub fn outage(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x0b1e_c75a);
        let outage = Outage {
            of: Part::Objects,
            from: chance.between(0, 20),
            length: chance.between(60, 600),
        };
        let mut world = Self::calm(seed);
        world.outages = vec![outage];
        if chance.happens(800) {
            lists::paid(&mut world, &mut chance);
        }
        world
    }

    /// The lists of this seed, and an object store that is away from the fifth second on, for two minutes: dollars were
    /// lost in such worlds once.
    pub fn objects_away(seed: u64) -> Self {
        let outage = Outage {
            of: Part::Objects,
            from: 5,
            length: 125,
        };
        Self {
            outages: vec![outage],
            ..base::draw(seed)
        }
    }

    /// A short list by row number whose followers leave, return and come: its seams once ended at the known row of
    /// an account that had returned.
    pub fn returners(seed: u64) -> Self {
        lists::returners(&Self::calm(seed))
    }

    fn without_faults(mut self) -> Self {
        self.faults = Faults::default();
        self.lists = Lists::default();
        for plan in &mut self.scans {
            plan.edits
                .retain(|(_, edit)| !matches!(edit, Edit::Cancel | Edit::Delete));
        }
        self
    }
}

impl World {
    /// What is drawn for this kind depends on the seed and its name alone.
    fn chance(&self, seed: u64) -> Chance {
        let salt = self.name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Chance::new(seed ^ salt)
    }

    fn perhaps(&self, scenario: Scenario) -> Scenario {
        if self.chance(scenario.seed).happens(self.per_mille) {
            self.apply(scenario)
        } else {
            scenario
        }
    }

    fn apply(&self, mut scenario: Scenario) -> Scenario {
        // The first draw decides whether it is applied.
        let mut chance = self.chance(scenario.seed ^ 1);
        (self.change)(&mut scenario, &mut chance);
        scenario.worlds.push(self.name);
        scenario
    }
}
