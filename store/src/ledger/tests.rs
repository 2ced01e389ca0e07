//! The ledger as the broker uses it: one desk, one clock that stands still until a test moves it.

mod adoption;
mod browser;
mod consents;
mod cycles;
mod edits;
mod ends;
mod fallback;
mod leases;
mod limits;
mod lone;
mod model;
mod money;
mod parallel;
mod records;
mod refusals;
mod since;
mod sweeps;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use followlytics_core::{
    account::{AccountRef, Platform},
    page::Header,
    platform::{Auth, Family, server::Server},
    retry::{Class, Failure},
    scan::{
        plan::{AccountReport, Wishes},
        range::{Place, RangeId},
        window::Rule,
    },
    wire::{Failed, Finding, Found, Held, Lease, Mode, Permit, Release, Reply, Step},
};
use jiff::Timestamp;

use super::{Claimed, Ledger, NewPage, Sandbox, SandboxIdentity, ScanRequest};
use crate::testing;

/// A ledger, its clock and one scan of X.
struct Desk {
    ledger: Ledger,
    seconds: Arc<AtomicI64>,
    request: ScanRequest,
}

impl Desk {
    async fn new(budget: &str, monthly_budget: Option<&str>) -> Self {
        let seconds = Arc::new(AtomicI64::new(1_790_000_000));
        let names = AtomicU64::new(0);
        let clock = Arc::clone(&seconds);
        let ledger = Ledger::new(
            testing::database(),
            Arc::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap()),
            Arc::new(move || format!("id-{}", names.fetch_add(1, Ordering::Relaxed))),
        );
        let request = ScanRequest {
            budget: budget.parse().unwrap(),
            monthly_budget: monthly_budget.map(|text| text.parse().unwrap()),
            ..model()
        };
        ledger.ensure_scan(&request).await.unwrap();
        Self {
            ledger,
            seconds,
            request,
        }
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// A sandbox that showed its token.
    async fn sandbox(&self, name: &str) -> Sandbox {
        self.sandbox_of("scan", name).await
    }

    /// One of another scan.
    async fn sandbox_of(&self, scan: &str, name: &str) -> Sandbox {
        let identity = SandboxIdentity {
            uid: name.into(),
            name: name.into(),
            scan_uid: scan.into(),
        };
        let token = self.ledger.issue_sandbox_token(&identity).await.unwrap();
        self.ledger.find_sandbox(&token, None).await.unwrap().unwrap()
    }

    async fn claim(&self, sandbox: &Sandbox) -> Lease {
        let Claimed::Range { held, .. } = self.ledger.claim(sandbox).await.unwrap() else {
            panic!("no range")
        };
        self.ledger.open_lease(sandbox, held).await.unwrap()
    }

    /// Looks the account up, and its server where that is asked: afterwards its one chain can be claimed.
    async fn resolve(&self, sandbox: &Sandbox, followers: i64) -> Reply {
        let reply = self.look_up(sandbox, followers).await;
        let Step::Permit(next) = &reply.step else {
            return reply;
        };
        if next.family != Family::Server {
            return reply;
        }
        let found = Found {
            held: Held { range: 0, epoch: 1 },
            permit: next.id.clone(),
            finding: Finding::Server(Server::new(Server::APP_VIEW, "")),
            told: None,
        };
        self.ledger.record_finding(sandbox, &found).await.unwrap()
    }

    async fn look_up(&self, sandbox: &Sandbox, followers: i64) -> Reply {
        let lease = self.claim(sandbox).await;
        let report = AccountReport {
            followers,
            ..report()
        };
        let found = Found {
            held: held(&lease),
            permit: permit(&lease.step).id,
            finding: Finding::Account(report),
            told: None,
        };
        self.ledger.record_finding(sandbox, &found).await.unwrap()
    }

    /// A page of `rows` rows for a permit.
    fn page(lease: &Lease, permit: &Permit, rows: i64, last: bool) -> NewPage {
        let header = Header {
            format: Header::FORMAT,
            scan: "scan".into(),
            platform: Platform::X,
            account_id: "11".into(),
            range: lease.range,
            epoch: lease.epoch,
            seq: permit.seq,
            input: permit.place.clone(),
            output: Place {
                position: permit.place.position.saturating_add(1),
                cursor: Some(format!("token-{}", permit.seq)),
            },
            exhausted: last,
            permit: permit.id.clone(),
            seen_at: permit.seen_at,
            price_version: 1,
            source: followlytics_core::scan::source::Source::Api,
            returned: 0,
            total: None,
            anomalies: Vec::new(),
        };
        let key = format!("pages/scan/{}/{}/{}", lease.range, lease.epoch, permit.seq);
        NewPage {
            sha256: key.clone(),
            key,
            header,
            lines: rows,
            bytes: 1,
            met: false,
            again: 0,
            told: None,
        }
    }

    /// Requests counted in the scan's window.
    async fn slots(&self) -> i64 {
        let used = self
            .ledger
            .credential_use(&self.request.credential)
            .await
            .unwrap();
        used.windows[0].used
    }

    async fn fail(&self, sandbox: &Sandbox, lease: &Lease, class: Class) -> Reply {
        self.ledger
            .record_failure(sandbox, &failed(lease, class))
            .await
            .unwrap()
    }

    /// The credential that this range goes on by.
    async fn credential_of(&self, scan: &str, range: RangeId) -> String {
        let ranges = self.ledger.list_ranges(scan).await.unwrap();
        let range = ranges.into_iter().find(|other| other.id == range).unwrap();
        range.terms.unwrap().credential
    }

    async fn give_back(&self, sandbox: &Sandbox, lease: &Lease) {
        let release = Release {
            held: held(lease),
            unused: None,
        };
        self.ledger.release(sandbox, &release).await.unwrap();
    }
}

/// The report of a failure of the lease's request.
fn failed(lease: &Lease, class: Class) -> Failed {
    Failed {
        held: held(lease),
        permit: permit(&lease.step).id,
        failure: Failure {
            class,
            message: "said so".into(),
            told: None,
            retry_after_ms: None,
        },
    }
}

fn report() -> AccountReport {
    AccountReport {
        id: "11".into(),
        handle: "nasa".into(),
        followers: 0,
        created: None,
    }
}

/// A scan of X as most tests ask for it.
fn model() -> ScanRequest {
    ScanRequest {
        uid: "scan".into(),
        namespace: "default".into(),
        name: "scan".into(),
        generation: 1,
        account: AccountRef::new("x", "nasa", None).unwrap(),
        base_url: "https://api.x.com".into(),
        credential: "default/x".into(),
        auth: Auth::AppBearer,
        rules: vec![Rule::new(Family::Followers, 300, 900_000)],
        budget: "1000.00".parse().unwrap(),
        monthly_budget: None,
        wishes: Wishes {
            max_runners: 4,
            rows_per_range: 10_000,
            max_rows: 0,
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

fn held(lease: &Lease) -> Held {
    Held {
        range: lease.range,
        epoch: lease.epoch,
    }
}

fn permit(step: &Step) -> Permit {
    let Step::Permit(permit) = step else {
        panic!("no permit: {step:?}")
    };
    permit.clone()
}
