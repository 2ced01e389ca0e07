//! The lists of a seed, and the faults that most seeds have.

use followlytics_core::{account::Platform, money::Usd};
use followlytics_simulator::GiteaOrder;

use crate::sim::{
    chance::Chance,
    scenario::{Clocks, Faults, Lists, ScanPlan, Scenario},
    web::Web,
};

/// Seeds in a thousand that have one of the faults drawn here.
const SOME: u32 = 600;

pub(super) fn draw(seed: u64) -> Scenario {
    let mut chance = Chance::new(seed);
    let c = &mut chance;
    let count = c.between(1, 2);
    let scans = (0..count).map(|n| scan(c, n)).collect();
    let mut some = |most: i64| {
        if c.happens(SOME) {
            u32::try_from(c.between(1, most)).unwrap_or(0)
        } else {
            0
        }
    };
    let faults = Faults {
        lost: some(40),
        kill: some(25),
        freeze: some(25),
        objects: some(40),
        platform: some(60),
        api: some(20),
        ..Faults::default()
    };
    let scenario = Scenario {
        seed,
        worlds: Vec::new(),
        scans,
        faults,
        outages: Vec::new(),
        lists: Lists::default(),
        clocks: Clocks::default(),
        web: Web::default(),
        chaos_seconds: c.between(20, 90),
        x_window: (c.between(1, 4), c.between(2_000, 20_000)),
        x_page: 1_000,
        gitea_page: u32::try_from(c.between(5, 50)).unwrap_or(50),
        x_user_token: c.happens(400),
        mastodon_ids: c.below(4),
        gitea_order: match c.below(4) {
            0 => GiteaOrder::User,
            1 => GiteaOrder::Plan,
            _ => GiteaOrder::Follow,
        },
        month: None,
        credential_edits: Vec::new(),
        again: None,
        hides: 0,
    };
    scenario.with_browsers().with_returns()
}

impl Scenario {
    /// The same world; where the seed wants it, accounts that unfollow follow again, and lists by row number are read
    /// twice.
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
        Platform::X => (3_000, format!("account{number}")),
        Platform::Bluesky => (1_200, format!("account{number}.example.org")),
        Platform::Gitea => (800, format!("account{number}")),
        Platform::GitHub | Platform::Mastodon => (1_400, format!("account{number}")),
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
        max_rows: 0,
        runners: u32::try_from(c.between(1, 4)).unwrap_or(1),
        rows_per_range: u32::try_from(c.between(100, 600)).unwrap_or(100),
        // Between too little for what a bad day re-reads and plenty.
        budget: Usd::from_nanos(10_000_000)
            .times(i64::try_from(followers).unwrap_or(0) * c.between(11, 40) / 10 + 3_000),
        suspend: c.happens(250).then(|| (c.between(1, 20), c.between(5, 200))),
        edits: Vec::new(),
        web: None,
    }
}
