//! What a seed means: a swarm of small worlds, each with some of the faults and not with others.

use followlytics_core::{account::Platform, money::Usd};
use followlytics_simulator::GiteaOrder;

use super::{
    chance::Chance,
    web::{Web, WebScan},
};

/// One simulated world.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The seed it was made from.
    pub seed: u64,
    /// The scans.
    pub scans: Vec<ScanPlan>,
    /// Seconds of chaos before everything heals.
    pub chaos_seconds: i64,
    /// Messages lost, in a thousand, each way.
    pub lost: u32,
    /// Kills at each end of a message, in a thousand.
    pub kill: u32,
    /// Freezes, in a thousand.
    pub freeze: u32,
    /// Failures of the object store, in a thousand.
    pub objects: u32,
    /// Requests of the controllers that are lost, in a thousand, each way.
    pub api: u32,
    /// Faults of the platforms, in a thousand requests.
    pub platform: u32,
    /// Follower requests a window on X, and its length in milliseconds.
    pub x_window: (i64, i64),
    /// Rows of a page on Gitea.
    pub gitea_page: u32,
    /// In which order Gitea lists: every other world has the one order that is proven.
    pub gitea_order: GiteaOrder,
    /// Whether lists end before their end, now and then: weight one world in ten.
    pub cut_short: bool,
    /// What ids of Mastodon's server look like: 0 and 1 numbers, 2 and 3 texts of two kinds.
    pub mastodon_ids: usize,
    /// What browsers find on X.
    pub web: Web,
    /// Mishaps of browsers, in a thousand requests.
    pub browser: u32,
    /// Whether user tokens that end within the scan are used on X.
    pub x_user_token: bool,
    /// When the object store refuses everything, in seconds after the start, and for how long.
    pub objects_away: Option<(i64, i64)>,
    /// Seconds by which the clock of a runner is ahead of or behind everybody else's, at most.
    pub skew_seconds: i64,
    /// When the database's clock is set, in seconds after the start, and by how many seconds.
    pub step: Option<(i64, i64)>,
    /// Whether each account is scanned once more, since its first result.
    pub again: bool,
    /// Times, in a thousand looks at it, that an account on Mastodon hides its lists, or shows them again.
    pub hides: u32,
}

/// One scan.
#[derive(Debug, Clone)]
pub struct ScanPlan {
    /// Where.
    pub platform: Platform,
    /// Whose.
    pub handle: String,
    /// On which server, where the platform has many.
    pub host: Option<String>,
    /// Followers at the start.
    pub followers: u64,
    /// Unfollows and follows a page, each, in a hundred.
    pub churn: u32,
    /// Times a page, in a hundred, that accounts which unfollowed follow again, and how many together.
    pub returns: (u32, u32),
    /// Passes over a list by row number.
    pub sweeps: u32,
    /// Runners at once.
    pub runners: u32,
    /// Rows a range aims at.
    pub rows_per_range: u32,
    /// Dollars.
    pub budget: Usd,
    /// Seconds after the start when a person suspends it, and for how long.
    pub suspend: Option<(i64, i64)>,
    /// How a browser helps it, or does it all.
    pub web: Option<WebScan>,
}

impl Scenario {
    /// The world of this seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let c = &mut chance;
        let count = c.between(1, 2);
        let scans = (0..count).map(|n| scan(c, n)).collect();
        let mut some = |most: i64| {
            if c.happens(600) {
                u32::try_from(c.between(1, most)).unwrap_or(0)
            } else {
                0
            }
        };
        let (lost, kill, freeze, objects, platform, api) =
            (some(40), some(25), some(25), some(40), some(60), some(20));
        let scenario = Self {
            seed,
            scans,
            web: Web::default(),
            browser: 0,
            chaos_seconds: c.between(20, 90),
            lost,
            kill,
            freeze,
            objects,
            api,
            platform,
            x_window: (c.between(1, 4), c.between(2_000, 20_000)),
            gitea_page: u32::try_from(c.between(5, 50)).unwrap_or(50),
            x_user_token: c.happens(400),
            mastodon_ids: c.below(4),
            gitea_order: match c.below(4) {
                0 => GiteaOrder::User,
                1 => GiteaOrder::Plan,
                _ => GiteaOrder::Follow,
            },
            cut_short: c.happens(100),
            objects_away: objects_away(seed),
            skew_seconds: skew_seconds(seed),
            step: None,
            again: false,
            hides: 0,
        };
        scenario.with_browsers().with_returns()
    }

    /// The same world; where the seed wants it, accounts that unfollow follow again, and lists by row number are read twice. Drawn apart, so that the other
    /// worlds stay as they are.
    fn with_returns(mut self) -> Self {
        let mut chance = Chance::new(self.seed ^ 0x2E_7012);
        let mut small = |most| u32::try_from(chance.between(1, most)).unwrap_or(1);
        for scan in &mut self.scans {
            let (some, rate, together) = (small(10) <= 6, small(60), small(20));
            // Half of them one by one.
            let together = if rate % 2 == 0 { 1 } else { together };
            let by_row = matches!(scan.platform, Platform::Gitea | Platform::GitHub);
            scan.sweeps = if by_row && small(10) <= 3 { 2 } else { 1 };
            scan.returns = if some && scan.churn > 0 {
                (rate, together)
            } else {
                (0, 1)
            };
        }
        self
    }

    /// A calm world whose object store is away for minutes, with X in most seeds: what is asked of its money is exact.
    pub fn outage(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x0b1e_c75a);
        let away = Some((chance.between(0, 20), chance.between(60, 600)));
        let mut world = Self::calm(seed);
        for (number, plan) in world.scans.iter_mut().enumerate() {
            if plan.web.is_none() && chance.happens(800) {
                plan.platform = Platform::X;
                plan.handle = format!("account{number}");
                plan.host = None;
                plan.sweeps = 1;
                plan.followers = u64::try_from(chance.between(1, 6_000)).unwrap_or(1);
                plan.budget =
                    Usd::from_nanos(10_000_000).times(i64::try_from(plan.followers).unwrap_or(0) + 3_000);
            }
        }
        Self {
            objects_away: away,
            ..world
        }
    }

    /// The world of this seed, in which the database's clock is set by up to an hour while scans run.
    pub fn step(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x57e9);
        let by = chance.between(60, 3_600);
        let by = if chance.happens(500) { by } else { -by };
        Self {
            step: Some((chance.between(1, 60), by)),
            ..Self::of(seed)
        }
    }

    /// The world of this seed, in which each list is read twice: the second time since the first result. Lists that are
    /// read whole every time give way to Mastodon's, and every other world has accounts that hide theirs for a while.
    pub fn since(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x51_4ce0);
        let mut world = Self::of(seed);
        for (number, plan) in world.scans.iter_mut().enumerate() {
            plan.web = None;
            plan.sweeps = 1;
            if matches!(plan.platform, Platform::Gitea | Platform::GitHub) {
                plan.platform = Platform::Mastodon;
                plan.handle = format!("account{number}");
                plan.host = Some("mastodon.test".to_owned());
            }
        }
        Self {
            again: true,
            hides: if chance.happens(500) {
                u32::try_from(chance.between(20, 250)).unwrap_or(20)
            } else {
                0
            },
            ..world
        }
    }

    /// The same world without a fault: what is asked of it is exact.
    pub fn calm(seed: u64) -> Self {
        Self {
            lost: 0,
            kill: 0,
            freeze: 0,
            objects: 0,
            api: 0,
            platform: 0,
            browser: 0,
            cut_short: false,
            objects_away: None,
            ..Self::of(seed)
        }
    }

    /// A short list by row number whose followers leave, return and come: its seams once ended at the known row of
    /// an account that had returned.
    pub fn returners(seed: u64) -> Self {
        let calm = Self::calm(seed);
        let scans = calm.scans.iter().take(1).map(|scan| ScanPlan {
            platform: Platform::Gitea,
            handle: "returners".to_owned(),
            host: Some("gitea.test".to_owned()),
            followers: 150 + seed,
            churn: 60,
            returns: (60, if seed.is_multiple_of(2) { 1 } else { 12 }),
            runners: 4,
            rows_per_range: 50,
            web: None,
            ..scan.clone()
        });
        Self {
            scans: scans.collect(),
            gitea_page: 8,
            gitea_order: GiteaOrder::Follow,
            ..calm.clone()
        }
    }

    /// Whether nothing goes wrong in it.
    pub fn is_calm(&self) -> bool {
        self.lost + self.kill + self.freeze + self.objects + self.api + self.platform + self.browser == 0
    }
}

/// In one world of three every runner has a clock of its own. Drawn apart, as [`objects_away`].
fn skew_seconds(seed: u64) -> i64 {
    let mut chance = Chance::new(seed ^ 0x5ce3);
    if chance.happens(333) { 60 } else { 0 }
}

/// In one world of eight the object store is away for minutes. Drawn apart, so that the rest of a seed stays as it was.
fn objects_away(seed: u64) -> Option<(i64, i64)> {
    let mut chance = Chance::new(seed ^ 0xa3a7);
    chance
        .happens(125)
        .then(|| (chance.between(0, 60), chance.between(30, 300)))
}

fn scan(c: &mut Chance, number: i64) -> ScanPlan {
    let platform = match c.below(8) {
        0 => Platform::X,
        1 | 2 => Platform::Bluesky,
        3 | 4 => Platform::Gitea,
        5 => Platform::GitHub,
        _ => Platform::Mastodon,
    };
    let (most, handle) = match platform {
        Platform::X => (4_000, format!("account{number}")),
        Platform::Bluesky => (1_800, format!("account{number}.example.org")),
        Platform::Gitea => (1_200, format!("account{number}")),
        Platform::GitHub | Platform::Mastodon => (2_400, format!("account{number}")),
    };
    let followers = if c.happens(50) {
        0
    } else {
        u64::try_from(c.between(1, most)).unwrap_or(1)
    };
    ScanPlan {
        platform,
        handle,
        host: platform.has_servers().then(|| format!("{platform}.test")),
        followers,
        churn: if c.happens(700) {
            u32::try_from(c.between(5, 60)).unwrap_or(5)
        } else {
            0
        },
        returns: (0, 1),
        sweeps: 1,
        runners: u32::try_from(c.between(1, 4)).unwrap_or(1),
        rows_per_range: u32::try_from(c.between(100, 600)).unwrap_or(100),
        // Between too little for what a bad day re-reads and plenty.
        budget: Usd::from_nanos(10_000_000)
            .times(i64::try_from(followers).unwrap_or(0) * c.between(11, 40) / 10 + 3_000),
        suspend: c.happens(250).then(|| (c.between(1, 20), c.between(5, 200))),
        web: None,
    }
}
