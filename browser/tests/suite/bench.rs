//! A world behind a socket, and a browser that reads its pages.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use followlytics_browser::{Options, WebX};
use followlytics_core::{
    account::AccountRef,
    platform::Auth,
    retry::Failure,
    row::{Line, Row},
    scan::{
        plan::AccountReport,
        range::{NEWEST, Place, Span, Walk},
    },
};
use followlytics_platforms::{
    clock::{Clock as _, SystemClock},
    connector::{Connector as _, Context, FetchedPage, PageRequest},
    http::from_service,
};
use followlytics_simulator::{
    AccountSpec, Endpoint, FaultKind, FaultSpec, Platform, World, WorldConfig, serve,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const WHO: &str = "nasa";

/// A world with one account, whoever reads its list, and the browser it is read with.
pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    /// Milliseconds that its clock is ahead.
    ahead: Arc<AtomicI64>,
    pub(crate) base: String,
    pub(crate) id: String,
    pub(crate) webx: WebX,
    /// When requests must have left the page.
    pub(crate) start_by: Timestamp,
    pub(crate) token: String,
    /// Where profiles and traces are: empty again when the browser is gone.
    pub(crate) root: TempDir,
    server: JoinHandle<()>,
}

/// What ties a process to its parent's life and then becomes it, as Debian has it.
pub(crate) fn shim() -> Vec<std::ffi::OsString> {
    ["setpriv", "--pdeathsig", "KILL", "--"].map(Into::into).to_vec()
}

pub(crate) fn root() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

pub(crate) fn options(root: &Path) -> Options {
    Options {
        shim: shim(),
        profile_root: Some(root.join("profiles")),
        traces: Some(root.join("traces")),
        patience: Duration::from_secs(15),
        ..Options::default()
    }
}

pub(crate) fn profiles(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("profiles")).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

impl Bench {
    /// `web` is the configuration's `x.web`, without sessions.
    pub(crate) async fn new(web: Value, followers: u64) -> Self {
        Self::with(web, followers, |options| options).await
    }

    pub(crate) async fn with(mut web: Value, followers: u64, adapt: impl FnOnce(Options) -> Options) -> Self {
        web["sessions"] = json!([{"authToken": "a1b2c3", "ct0": "csrfa1b2c3", "handle": "reader"}]);
        let config: WorldConfig = serde_json::from_value(json!({"x": {"web": web}})).unwrap();
        let ahead = Arc::new(AtomicI64::new(0));
        let skipped = Arc::clone(&ahead);
        let clock = move || SystemClock.now() + SignedDuration::from_millis(skipped.load(Ordering::Relaxed));
        let world = Arc::new(World::new(config, Arc::new(clock)));
        let view = world
            .create_account(AccountSpec::new(Platform::X, WHO, followers))
            .unwrap();
        world
            .create_account(AccountSpec::new(Platform::X, "reader", 3))
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::clone(&world);
        let root = root();
        Self {
            server: tokio::spawn(async move {
                serve(served, listener).await.unwrap();
            }),
            world,
            ahead,
            base,
            id: view.id,
            webx: WebX::new(adapt(options(root.path()))),
            start_by: Timestamp::MAX,
            token: json!({"authToken": "a1b2c3", "ct0": "csrfa1b2c3", "handle": "reader"}).to_string(),
            root,
        }
    }

    /// What every call comes with. Nothing ever goes out through its HTTP service.
    pub(crate) fn context(&self) -> Context {
        // Whatever came this way would be answered with 404, and no test would pass.
        let closed = Router::<()>::new();
        Context {
            http: from_service::<_, Body, _>(closed),
            base_url: self.base.clone(),
            auth: Auth::WebSession,
            token: Some(self.token.clone().into()),
            now: SystemClock.now(),
            start_by: self.start_by,
        }
    }

    pub(crate) async fn look_up(&self) -> Result<AccountReport, Failure> {
        let account: AccountRef = format!("x:@{WHO}").parse().unwrap();
        let found = self.webx.look_up(&self.context(), &account, None).await;
        found.map(|(report, _)| report)
    }

    pub(crate) async fn page(&self, place: &Place) -> Result<FetchedPage, Failure> {
        self.page_of(place, None).await
    }

    pub(crate) async fn page_of(&self, place: &Place, span: Option<Span>) -> Result<FetchedPage, Failure> {
        let request = PageRequest {
            account_id: &self.id,
            handle: WHO,
            walk: Walk::Down,
            span,
            place,
            max_rows: 20,
            page_rows: 20,
        };
        self.webx.page(&self.context(), request).await
    }

    /// Reads from a place down to below `lo`, or to the end.
    pub(crate) async fn walk(&self, from: Place, lo: i64) -> Vec<FetchedPage> {
        let span = Some(Span {
            lo,
            hi: from.position,
        });
        let (mut place, mut pages) = (from, Vec::new());
        loop {
            let page = self.page_of(&place, span).await.unwrap();
            let next = page.next.clone();
            pages.push(page);
            match next {
                Some(next) if next.position > lo => place = next,
                _ => return pages,
            }
            assert!(pages.len() < 1_000, "the list has no end");
        }
    }

    pub(crate) async fn walk_all(&self) -> Vec<FetchedPage> {
        self.walk(Place::at(NEWEST), 0).await
    }

    /// Lets time pass on the site.
    pub(crate) fn skip(&self, milliseconds: i64) {
        self.ahead.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn truth(&self) -> BTreeSet<String> {
        let now = self.world.now();
        self.world
            .truth(Platform::X, WHO, now, now)
            .unwrap()
            .into_iter()
            .collect()
    }

    pub(crate) fn set(&self, endpoint: Endpoint, kind: FaultKind) {
        let spec = FaultSpec {
            endpoint: Some(endpoint),
            ..FaultSpec::once(kind)
        };
        self.world.set_fault(spec).unwrap();
    }

    /// Requests the world has seen of one kind.
    pub(crate) fn seen(&self, endpoint: Endpoint) -> usize {
        let log = self.world.requests(0, 100_000);
        log.iter().filter(|record| record.endpoint == endpoint).count()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn rows(pages: &[FetchedPage]) -> impl Iterator<Item = &Row> {
    pages
        .iter()
        .flat_map(|page| &page.lines)
        .filter_map(|line| match line {
            Line::Row(row) => Some(row),
            Line::Unread { .. } => None,
        })
}

pub(crate) fn ids(pages: &[FetchedPage]) -> BTreeSet<String> {
    rows(pages).map(|row| row.id.clone()).collect()
}

/// Waits until something is so; the system's processes have no events to wait for.
pub(crate) async fn until(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(within, wait).await.is_ok(),
        "not within {within:?}: {what}"
    );
}
