//! What one simulated world is made of. [`super::worlds`] draws it from a seed.

use followlytics_core::{account::Platform, money::Usd};
use followlytics_simulator::GiteaOrder;

use super::web::{Web, WebScan};

/// One simulated world.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The seed it was drawn from.
    pub seed: u64,
    /// Names of the worlds whose trouble it has, in the order of [`super::worlds::WORLDS`].
    pub worlds: Vec<&'static str>,
    /// The scans.
    pub scans: Vec<ScanPlan>,
    /// Seconds of chaos before everything heals.
    pub chaos_seconds: i64,
    /// What goes wrong by chance.
    pub faults: Faults,
    /// What is away for a while.
    pub outages: Vec<Outage>,
    /// What lists do that no list should.
    pub lists: Lists,
    /// Clocks that differ.
    pub clocks: Clocks,
    /// Follower requests a window on X, and its length in milliseconds.
    pub x_window: (i64, i64),
    /// Rows of a page on X, at most.
    pub x_page: i64,
    /// Rows of a page on Gitea.
    pub gitea_page: u32,
    /// In which order Gitea lists: every other world has the one order that is proven.
    pub gitea_order: GiteaOrder,
    /// What ids of Mastodon's server look like: 0 and 1 numbers, 2 and 3 texts of two kinds.
    pub mastodon_ids: usize,
    /// What browsers find on X.
    pub web: Web,
    /// Whether user tokens that end within the scan are used on X.
    pub x_user_token: bool,
    /// Dollars that X's Credential may spend in a month.
    pub month: Option<Usd>,
    /// Edits of X's Credential, by seconds after the start.
    pub credential_edits: Vec<(i64, CredentialEdit)>,
    /// How each account is scanned once more, after its first result.
    pub again: Option<Again>,
    /// Times, in a thousand looks at it, that an account on Mastodon hides its lists, or shows them again.
    pub hides: u32,
}

/// How often each thing goes wrong, in a thousand; never after the healing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Messages lost, each way.
    pub lost: u32,
    /// Runners killed, at each end of a message.
    pub kill: u32,
    /// Runners frozen for up to 40 s.
    pub freeze: u32,
    /// Calls of the object store that fail.
    pub objects: u32,
    /// Calls of the object store that take up to 40 s: a broker or a worker is frozen there.
    pub slow_objects: u32,
    /// Requests of the controllers that are lost, each way.
    pub api: u32,
    /// Requests that the broker dies over.
    pub broker: u32,
    /// Messages at which the machine fails: everything that runs on it dies at once.
    pub power: u32,
    /// Looks at a worker that kill it.
    pub worker: u32,
    /// Commits of the database that are durable and not answered.
    pub commits: u32,
    /// Requests that a platform answers wrongly.
    pub platform: u32,
    /// Requests that a platform takes up to a minute for.
    pub slow_platform: u32,
    /// Requests of browsers that go wrong.
    pub browser: u32,
}

/// What can be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The object store refuses everything.
    Objects,
    /// The database refuses everything.
    Database,
    /// Nobody answers runners.
    Broker,
    /// No platform can be reached.
    Platform,
    /// No controller runs.
    Controllers,
}

/// A stretch of time without a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// What is away.
    pub of: Part,
    /// Seconds after the start.
    pub from: i64,
    /// Seconds.
    pub length: i64,
}

/// What lists do that no list should.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lists {
    /// They end before their end, now and then.
    pub cut_short: bool,
    /// Their cursors lead back to the first page, now and then.
    pub lead_back: bool,
    /// Requests, in a thousand, whose cursor is refused as one that has expired.
    pub expire: u32,
    /// Their pages have a row too many, which is charged too.
    pub surplus: bool,
}

/// Clocks that differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Seconds by which the clock of a runner is ahead of or behind everybody else's, at most.
    pub skew_seconds: i64,
    /// When the database's clock is set, in seconds after the start, and by how many seconds.
    pub database: Option<(i64, i64)>,
    /// When the clocks of all runners are set, likewise.
    pub runners: Option<(i64, i64)>,
}

/// How an account is scanned once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// All of it.
    Whole,
    /// What is new since the first result.
    Since,
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
    /// Rows wanted at most; 0 is all.
    pub max_rows: i64,
    /// Runners at once.
    pub runners: u32,
    /// Rows a range aims at.
    pub rows_per_range: u32,
    /// Dollars.
    pub budget: Usd,
    /// Seconds after the start when a person suspends it, and for how long.
    pub suspend: Option<(i64, i64)>,
    /// Edits of the Scan, by seconds after the start.
    pub edits: Vec<(i64, Edit)>,
    /// How a browser helps it, or does it all.
    pub web: Option<WebScan>,
}

/// An edit of a Scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// The budget becomes so many hundredths of the plan's.
    Budget(i64),
    /// So many runners at once.
    Runners(u32),
    /// A size of ranges and a row cap that only another scan would have.
    Size(u32),
    /// Goes first, or last.
    Priority(i32),
    /// X's other Credential is named, or the first one again.
    Credential,
    /// The scan ends with what was read.
    Cancel,
    /// The Scan is deleted.
    Delete,
}

/// An edit of X's Credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialEdit {
    /// It states so many follower requests a window.
    Requests(i64),
    /// It may spend so much a month, or everything.
    Month(Option<Usd>),
}

impl ScanPlan {
    /// Whether this edit is among its edits.
    pub fn has_edit(&self, edit: Edit) -> bool {
        self.edits.iter().any(|(_, planned)| *planned == edit)
    }

    /// Whether a person ends it before it is read.
    pub fn is_ended(&self) -> bool {
        self.has_edit(Edit::Cancel) || self.has_edit(Edit::Delete)
    }
}

impl Scenario {
    /// Whether nothing goes wrong in it but outages of the object store, and nobody changes anything.
    pub fn is_calm(&self) -> bool {
        self.faults == Faults::default()
            && self.lists == Lists::default()
            && self.outages.iter().all(|outage| outage.of == Part::Objects)
            && self.scans.iter().all(|plan| plan.edits.is_empty())
            && self.credential_edits.is_empty()
            && self.month.is_none()
            && self.hides == 0
    }

    /// Whether this part is away at some time.
    pub fn has_outage(&self, of: Part) -> bool {
        self.outages.iter().any(|outage| outage.of == of)
    }

    /// Why this world cannot be, if it contradicts itself.
    pub fn contradiction(&self) -> Option<String> {
        let since = self.again == Some(Again::Since);
        self.scans.iter().find_map(|plan| {
            let by_row = matches!(plan.platform, Platform::Gitea | Platform::GitHub);
            let says = |wrong: bool, what: &str| wrong.then(|| format!("{}: {what}", plan.handle));
            says(
                plan.web.is_some() && plan.platform != Platform::X,
                "a browser reads X only",
            )
            .or_else(|| says(plan.sweeps > 1 && !by_row, "only lists by row number are swept"))
            .or_else(|| says(plan.sweeps > 1 && plan.max_rows > 0, "a sweep of a capped list"))
            .or_else(|| says(since && plan.max_rows > 0, "a row cap since an earlier result"))
            .or_else(|| {
                says(
                    self.again.is_some() && plan.is_ended(),
                    "read again and ended by a person",
                )
            })
            .or_else(|| {
                says(
                    plan.returns.0 > 0 && plan.churn == 0,
                    "nobody who left can return",
                )
            })
        })
    }
}
