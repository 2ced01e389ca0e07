//! A simulated X with a person signed in, and a data directory whose operator took on the risk.

use followlytics_simulator::{
    AccountSpec, Endpoint, FaultKind, FaultSpec, Platform, Trigger, WebConfig, WebLimits, WebSessionSpec,
    WorldConfig, XConfig,
};
use followlytics_store::{db::Db, params};
use followlytics_tests::toolkit::{Home, Process, Ran, Site, X_TOKEN, families, processes};
use serde_json::{Value, json};

/// What an operator writes.
pub(crate) const CONSENT: &str = "x=x-forbids-this-and-may-suspend-the-account";
/// The cookies of the person who is signed in.
pub(crate) const AUTH_TOKEN: &str = "c00k1e0fthereader";
pub(crate) const CT0: &str = "csrf0fthereader";
/// Who that is.
pub(crate) const READER: &str = "reader";
/// Whose list is read.
pub(crate) const WHO: &str = "nasa";
/// As many requests as there can be.
const MANY: u32 = 1_000_000;

/// A site and a data directory.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) home: Home,
}

impl Stage {
    /// An account with so many followers, on a site whose every answer takes this long.
    pub(crate) fn new(followers: u64, latency_ms: u64) -> Self {
        Self::of(site(followers, latency_ms))
    }

    /// On a site that refuses cursors it never gave, with the session stored as `me`.
    pub(crate) fn without_entry(followers: u64) -> Self {
        let stage = Self::of(site_that(followers, 0, false));
        stage.sign_in(&session(AUTH_TOKEN, READER));
        stage
    }

    fn of(site: Site) -> Self {
        let home = Home::new(&site)
            .with("FOLLOWLYTICS_BROWSER", CONSENT)
            .with("FOLLOWLYTICS_X_TOKEN", X_TOKEN);
        Self { site, home }
    }

    /// The same, with the session of the person who is signed in stored as `me`.
    pub(crate) fn signed_in(followers: u64, latency_ms: u64) -> Self {
        let stage = Self::new(followers, latency_ms);
        stage.sign_in(&session(AUTH_TOKEN, READER));
        stage
    }

    /// Stores a session as `me`.
    pub(crate) fn sign_in(&self, session: &Value) {
        let line = format!(
            "credential add me --platform x --type web-session --rate-limit followers={MANY}/1 --rate-limit lookup={MANY}/1"
        );
        let ran = self.home.run_with(&line, &session.to_string());
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// Stores the API's token as `app`, with so many dollars a month.
    pub(crate) fn has_a_month_of(&self, dollars: u32) {
        let line = format!("credential add app --platform x --type app-bearer --monthly-budget {dollars}");
        let ran = self.home.run_with(&line, X_TOKEN);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// A scan of the account, with these arguments behind it.
    pub(crate) fn scan(&self, more: &str) -> Ran {
        self.home
            .run(&format!("scan x:@{WHO} --session me {more} -q -o json"))
    }

    /// Something that goes wrong once, after so many requests of this kind.
    pub(crate) fn goes_wrong(&self, endpoint: Endpoint, after: u64, kind: FaultKind) {
        let spec = FaultSpec {
            endpoint: Some(endpoint),
            trigger: Trigger::After(after),
            ..FaultSpec::once(kind)
        };
        self.site.world.set_fault(spec).unwrap();
    }

    /// Rows that the ledger has of all scans, as the control plane writes them.
    pub(crate) fn rows(&self) -> i64 {
        self.count("SELECT CAST(COALESCE(SUM(lines), 0) AS BIGINT) FROM pages")
    }

    /// Ranges of which some page was read, of all scans.
    pub(crate) fn ranges_read(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM (SELECT DISTINCT scan, range_id FROM pages) AS ranges_read")
    }

    fn count(&self, sql: &str) -> i64 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let db = Db::open(&self.home.data().join("ledger.db")).unwrap();
            let mut tx = db.begin().await.unwrap();
            tx.find(sql, params![]).await.unwrap().unwrap().get(0).unwrap()
        })
    }

    /// Requests of this kind that reached the site.
    pub(crate) fn asked(&self, endpoint: Endpoint) -> usize {
        let requests = self.site.world.requests(0, usize::MAX);
        requests
            .iter()
            .filter(|request| request.endpoint == endpoint)
            .count()
    }
}

/// A site with [`WHO`], and [`READER`] signed in.
pub(crate) fn site(followers: u64, latency_ms: u64) -> Site {
    site_that(followers, latency_ms, true)
}

/// The same; whether it takes cursors that it never gave.
fn site_that(followers: u64, latency_ms: u64, accept_fabricated_cursor: bool) -> Site {
    let web = WebConfig {
        sessions: vec![WebSessionSpec {
            auth_token: AUTH_TOKEN.to_owned(),
            ct0: CT0.to_owned(),
            handle: READER.to_owned(),
        }],
        limits: WebLimits {
            followers: MANY,
            user_by_screen_name: MANY,
            window_ms: 1_000,
        },
        accept_fabricated_cursor,
        ..WebConfig::default()
    };
    let config = WorldConfig {
        seed: 7,
        latency_ms,
        x: XConfig {
            web,
            ..XConfig::default()
        },
        ..WorldConfig::default()
    };
    let accounts = [(WHO, followers), (READER, 3)];
    Site::new(
        config,
        accounts.map(|(handle, count)| AccountSpec::new(Platform::X, handle, count)),
    )
}

/// A session as a user supplies it.
pub(crate) fn session(auth_token: &str, handle: &str) -> Value {
    json!({"authToken": auth_token, "ct0": CT0, "handle": handle})
}

/// A scan ended well: it has them all, and this many rows of a browser.
pub(crate) fn complete(ran: &Ran, followers: i64) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = ran.json();
    assert_eq!(
        (&report["phase"], &report["uniqueFollowers"]),
        (&"Succeeded".into(), &followers.into()),
        "{report}"
    );
    report
}

/// What follows `name` in a process's arguments. Chromium writes those of its parts anew, with blanks between them.
pub(crate) fn argument<'a>(process: &'a Process, name: &str) -> Option<&'a str> {
    let mut words = process.words.iter().flat_map(|word| word.split_whitespace());
    words.find_map(|word| word.strip_prefix(name))
}

/// Processes of the browser with this profile, its crash handlers too: they belong to nobody.
pub(crate) fn browser(profile: &str) -> Vec<Process> {
    let mut all = processes().unwrap();
    all.retain(|process| process.words.iter().any(|word| word.contains(profile)));
    all
}

/// Processes below this one.
pub(crate) fn below(pid: i32) -> Vec<Process> {
    let mut all = families(&[pid]).unwrap();
    all.retain(|process| process.pid != pid);
    all
}
