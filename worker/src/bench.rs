//! A workbench for tests: scans with hand-made pages in real tables and real objects.

use std::{
    fmt::Display,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use followlytics_core::{
    account::AccountRef,
    layout,
    money::Usd,
    page::{self, Header},
    platform::Auth,
    row::{Line, Row},
    scan::{
        plan::{AccountReport, Plan, Wishes},
        range::{Place, Span},
        summary::ResultRecord,
    },
    wire::Mode,
};
use followlytics_store::{
    db::Db,
    ledger::{Ledger, ScanRequest},
    objects::Objects,
    params,
};
use jiff::Timestamp;

use crate::Settings;

mod failing;

pub(crate) use failing::FailingStore;

pub(crate) struct Bench {
    pub(crate) ledger: Ledger,
    pub(crate) objects: Objects,
    pub(crate) db: Db,
    clock: Arc<AtomicI64>,
}

/// A page of a scan: its place and its lines.
#[derive(Debug, Clone)]
pub(crate) struct TestPage {
    pub(crate) range: u32,
    pub(crate) epoch: u64,
    pub(crate) seq: u32,
    pub(crate) seen: i64,
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) lines: Vec<Line>,
}

/// A row with an id and a handle that says where it was seen.
pub(crate) fn row(id: impl Display, handle: &str) -> Line {
    Line::Row(Row {
        id: id.to_string(),
        handle: handle.into(),
        ..Row::default()
    })
}

/// The `seq`-th page of range 1, as a chain gives it.
pub(crate) fn chain(seq: u32, lines: Vec<Line>) -> TestPage {
    let input = i64::from(seq);
    TestPage {
        range: 1,
        epoch: 1,
        seq,
        seen: 100 + input,
        input,
        output: input + 1,
        lines,
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Db::memory().unwrap(), Objects::memory())
    }

    pub(crate) fn files(folder: &Path) -> Self {
        Self::with(
            Db::open(&folder.join("ledger.db")).unwrap(),
            Objects::files(&folder.join("objects")).unwrap(),
        )
    }

    /// Objects in a store whose writes fail when it is told so.
    pub(crate) fn failing() -> (Self, Arc<FailingStore>) {
        let store = Arc::new(FailingStore::default());
        (
            Self::with(Db::memory().unwrap(), Objects::new(store.clone())),
            store,
        )
    }

    fn with(db: Db, objects: Objects) -> Self {
        let clock = Arc::new(AtomicI64::new(0));
        let hand = Arc::clone(&clock);
        let now = move || Timestamp::from_second(hand.load(Ordering::SeqCst)).unwrap();
        let ledger = Ledger::new(db.clone(), Arc::new(now), Arc::new(String::new));
        Self {
            ledger,
            objects,
            db,
            clock,
        }
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A scan of this account, read to its end as these pages, whose merge is queued.
    pub(crate) async fn scan(&self, uid: &str, account: &str, row_cap: i64, pages: &[TestPage]) {
        let account: AccountRef = account.parse().unwrap();
        let request = request(uid, account.clone(), row_cap);
        self.ledger.ensure_scan(&request).await.unwrap();
        let rows: i64 = pages
            .iter()
            .map(|page| i64::try_from(page.lines.len()).unwrap())
            .sum();
        let followers = rows + 1;
        let report = AccountReport {
            id: "42".into(),
            handle: account.handle.clone(),
            followers,
            created: None,
        };
        let plan = plan(&account, &report, row_cap);
        self.execute(
            "UPDATE scans SET stage = 'Merging', report = $2, plan = $3, lines = $4 WHERE uid = $1",
            params![
                uid,
                serde_json::to_string(&report).unwrap(),
                serde_json::to_string(&plan).unwrap(),
                rows
            ],
        )
        .await;
        self.execute("UPDATE ranges SET state = 'Done' WHERE scan = $1", params![uid])
            .await;
        self.range(uid, &account, plan.root).await;
        for page in pages {
            self.page(uid, &account, page).await;
        }
        self.execute(
            "INSERT INTO jobs (id, kind, scan, state, not_before, created_at) VALUES ($1, 'Merge', $2, 'Queued', 0, 0)",
            params![format!("merge-{uid}"), uid],
        )
        .await;
    }

    async fn range(&self, uid: &str, account: &AccountRef, root: Option<Span>) {
        self.execute(
            "INSERT INTO ranges (scan, id, kind, lo, hi, walk, position, claimed, seq, epoch, state, attempts, lines, \
               lease_lines, expected) VALUES ($1, 1, 'Listing', $2, $3, $4, 0, 0, 0, 1, 'Done', 0, 0, 0, 0)",
            params![uid, root.map(|root| root.lo), root.map(|root| root.hi), account.platform.facts().walk.to_string()],
        )
        .await;
    }

    async fn page(&self, uid: &str, account: &AccountRef, page: &TestPage) {
        let header = Header {
            format: Header::FORMAT,
            scan: uid.into(),
            platform: account.platform,
            account_id: "42".into(),
            range: page.range,
            epoch: page.epoch,
            seq: page.seq,
            input: Place::at(page.input),
            output: Place::at(page.output),
            exhausted: false,
            permit: format!("p-{}-{}", page.range, page.seq),
            seen_at: Timestamp::from_second(page.seen).unwrap(),
            price_version: 0,
            source: followlytics_core::scan::source::Source::Api,
            returned: u32::try_from(page.lines.len()).unwrap(),
            total: None,
            anomalies: Vec::new(),
        };
        let object = page::encode(&header, &page.lines).unwrap();
        let hash = page::sha256(&object);
        let key = layout::page(uid, page.range, page.epoch, page.seq, &hash);
        let bytes = i64::try_from(object.len()).unwrap();
        self.objects.create(&key, object).await.unwrap();
        self.execute(
            "INSERT INTO pages (scan, range_id, seq, epoch, key, sha256, lines, bytes, input_position, \
               output_position, exhausted, permit, price, seen_at, committed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 0, $12, 0)",
            params![
                uid,
                page.range,
                page.seq,
                i64::try_from(page.epoch).unwrap(),
                &key,
                hash,
                header.returned,
                bytes,
                page.input,
                page.output,
                &header.permit,
                header.seen_at,
            ],
        )
        .await;
    }

    /// Puts the sorting of a range's pages on the list, while the scan goes on or after its end.
    pub(crate) async fn queue_compact(&self, uid: &str, range: u32, is_open: bool) {
        self.execute(
            "INSERT INTO jobs (id, kind, scan, range_id, state, not_before, created_at) \
             VALUES ($1, 'Compact', $2, $3, 'Queued', -1, 0) \
             ON CONFLICT (id) DO UPDATE SET state = 'Queued'",
            params![format!("compact-{uid}-{range}"), uid, range],
        )
        .await;
        let state = if is_open { "Open" } else { "Done" };
        self.execute(
            "UPDATE ranges SET state = $2 WHERE scan = $1",
            params![uid, state],
        )
        .await;
    }

    pub(crate) async fn execute(&self, sql: &str, params: &[followlytics_store::db::Value]) {
        let mut tx = self.db.begin().await.unwrap();
        tx.execute(sql, params).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Does the one job that is due, and returns what it published.
    pub(crate) async fn merged(&self, uid: &str) -> ResultRecord {
        self.merged_with(uid, &Settings::default()).await
    }

    pub(crate) async fn merged_with(&self, uid: &str, settings: &Settings) -> ResultRecord {
        let done = crate::run_one_with(&self.ledger, &self.objects, "w", settings).await;
        assert!(done.unwrap());
        let summary = self.ledger.summary(uid).await.unwrap().unwrap();
        assert_eq!(summary.failure, None);
        self.ledger.find_result(uid).await.unwrap().unwrap()
    }
}

fn request(uid: &str, account: AccountRef, max_rows: i64) -> ScanRequest {
    ScanRequest {
        uid: uid.into(),
        namespace: "team".into(),
        name: uid.into(),
        generation: 1,
        account,
        base_url: "https://example.org".into(),
        credential: "team/c".into(),
        auth: Auth::AppBearer,
        rules: Vec::new(),
        budget: Usd::ZERO,
        monthly_budget: None,
        wishes: Wishes {
            max_runners: 1,
            rows_per_range: 10_000,
            max_rows,
            since: None,
            sweeps: 1,
        },
        source: followlytics_core::scan::source::Wish::Auto,
        browser: None,
        priority: 0,
        mode: Mode::Run,
        dry_run: false,
        consent: followlytics_core::scan::consent::Consent::Budget,
        kept: None,
    }
}

fn plan(account: &AccountRef, report: &AccountReport, max_rows: i64) -> Plan {
    let wishes = Wishes {
        max_runners: 1,
        rows_per_range: u32::MAX,
        max_rows,
        since: None,
        sweeps: 1,
    };
    followlytics_core::scan::plan::plan(account.platform, report, &[], &wishes, &[], Timestamp::UNIX_EPOCH)
}
