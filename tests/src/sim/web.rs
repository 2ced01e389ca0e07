//! Which scans a browser takes part in, and what it finds: drawn apart, so that the other worlds stay as they are.

use followlytics_core::{account::Platform, money::Usd};
use followlytics_crds::SourceChoice;

use super::{chance::Chance, scenario::Scenario};

/// X's web client in one world.
#[derive(Debug, Clone, Default)]
pub struct Web {
    /// Follower pages a window, and its length in milliseconds.
    pub window: (i64, i64),
    /// Whether a list can be entered by a cursor that was computed.
    pub enters: bool,
    /// Rows of a page.
    pub count: u32,
}

/// A browser's part in a scan.
#[derive(Debug, Clone)]
pub struct WebScan {
    /// What the user wants.
    pub source: SourceChoice,
    /// Requests of its API after which the credits are used up.
    pub credits: Option<u64>,
    /// Old followers, in a thousand, that leave and come back at each look at the scan.
    pub returning: u32,
}

impl Scenario {
    /// The same world; where the seed wants it, browsers take part.
    pub(super) fn with_browsers(mut self) -> Self {
        let mut chance = Chance::new(self.seed ^ 0xB0_05E5);
        let c = &mut chance;
        self.web = Web {
            window: (c.between(5, 50), c.between(2_000, 20_000)),
            enters: c.happens(700),
            count: u32::try_from(c.between(20, 100)).unwrap_or(20),
        };
        let mishaps = u32::try_from(c.between(40, 300)).unwrap_or(0);
        let joins = c.happens(400);
        for (number, scan) in self.scans.iter_mut().enumerate() {
            let drawn = draw(c);
            let followers = u64::try_from(c.between(20, 2_000)).unwrap_or(20);
            let share = c.between(30, 98);
            let (slow, window) = (c.happens(600), c.between(4_000, 20_000));
            if joins && number == 0 {
                scan.platform = Platform::X;
                scan.handle = format!("account{number}");
                scan.host = None;
                scan.followers = followers;
            } else if scan.platform != Platform::X || !c.happens(600) {
                continue;
            }
            let price = Usd::from_nanos(10_000_000).times(i64::try_from(scan.followers).unwrap_or(0));
            let part = Usd::from_nanos(price.nanos() / 100 * share);
            scan.budget = match (drawn.source, drawn.credits) {
                (SourceChoice::Auto, None) => part.plus(Usd::from_nanos(20_000_000)),
                _ => price.times(3).plus(Usd::from_nanos(30_000_000_000)),
            };
            if drawn.source == SourceChoice::Auto && drawn.credits.is_none() && slow {
                // So slow an API is still at it when the browser comes.
                self.x_window = (1, window);
            }
            scan.web = Some(drawn);
            self.faults.browser = if c.happens(700) { mishaps } else { 0 };
        }
        self
    }
}

fn draw(c: &mut Chance) -> WebScan {
    let (source, credits) = match c.below(6) {
        0..=2 => (SourceChoice::Auto, None),
        3 => (SourceChoice::Browser, None),
        4 => (SourceChoice::Auto, u64::try_from(c.between(0, 4)).ok()),
        // A budget for all of it: only faults bring the browser.
        _ => (SourceChoice::Auto, Some(u64::MAX)),
    };
    WebScan {
        source,
        credits,
        returning: if c.happens(400) { 60 } else { 0 },
    }
}
