use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use followlytics_core::{
    account::AccountRef,
    money::Usd,
    platform::Auth,
    scan::plan::{AccountReport, Wishes},
    wire::Mode,
};

use super::*;
use crate::{ledger::ScanRequest, testing};

/// A ledger whose clock stands still until it is moved.
pub(in crate::ledger) struct Bench {
    pub(in crate::ledger) ledger: Ledger,
    clock: Arc<AtomicI64>,
}

impl Bench {
    pub(in crate::ledger) fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(0));
        let hand = Arc::clone(&clock);
        let now = move || Timestamp::from_second(hand.load(Ordering::SeqCst)).unwrap();
        let ledger = Ledger::new(testing::database(), Arc::new(now), Arc::new(String::new));
        Self { ledger, clock }
    }

    pub(in crate::ledger) fn wait(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A scan of this account that has read everything.
    pub(in crate::ledger) async fn merging(&self, uid: &str, account: &str) {
        let request = ScanRequest {
            uid: uid.into(),
            namespace: "team".into(),
            name: uid.into(),
            generation: 1,
            account: AccountRef::new("gitea", account, Some("git.example.org")).unwrap(),
            base_url: "https://git.example.org".into(),
            credential: "anonymous".into(),
            auth: Auth::Anonymous,
            rules: Vec::new(),
            budget: Usd::ZERO,
            monthly_budget: None,
            wishes: Wishes {
                max_runners: 1,
                rows_per_range: 1000,
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
        };
        self.ledger.ensure_scan(&request).await.unwrap();
        let mut tx = self.ledger.db.begin().await.unwrap();
        let mut row = scans::get(&mut tx, uid).await.unwrap();
        let id = account.len().to_string();
        row.report = Some(AccountReport {
            id,
            handle: account.into(),
            followers: 3,
            created: None,
        });
        row.stage = Stage::Merging;
        scans::put(&mut tx, &row).await.unwrap();
        enqueue_merge(&mut tx, uid, self.ledger.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(in crate::ledger) async fn claim(&self, worker: &str) -> Job {
        self.ledger.claim_job(worker).await.unwrap().unwrap()
    }

    pub(in crate::ledger) async fn scan(&self, uid: &str) -> ScanState {
        let row = self.ledger.find_scan(uid).await.unwrap().unwrap();
        ScanState {
            stage: row.stage,
            hold: row.hold,
            failure: row.failure,
            ended: row.ended,
        }
    }
}

#[derive(Debug, PartialEq)]
pub(in crate::ledger) struct ScanState {
    pub(in crate::ledger) stage: Stage,
    pub(in crate::ledger) hold: Option<Hold>,
    pub(in crate::ledger) failure: Option<Hold>,
    pub(in crate::ledger) ended: Option<Timestamp>,
}

#[tokio::test]
async fn a_scan_has_one_merge_however_often_it_is_asked_for() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    for _ in 0..3 {
        let mut tx = bench.ledger.db.begin().await.unwrap();
        enqueue_merge(&mut tx, "s", bench.ledger.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let job = bench.claim("a").await;
    assert_eq!((job.scan.as_str(), job.kind, job.epoch), ("s", JobKind::Merge, 1));
    assert_eq!(bench.ledger.claim_job("b").await.unwrap(), None);
}

#[tokio::test]
async fn the_job_that_waited_longest_goes_first() {
    let bench = Bench::new();
    for uid in ["z", "m", "a"] {
        bench.merging(uid, "nasa").await;
        bench.wait(1);
    }
    for uid in ["z", "m", "a"] {
        assert_eq!(bench.claim("w").await.scan, uid);
    }
}

#[tokio::test]
async fn an_extended_job_stays_and_an_abandoned_one_is_taken_over() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let frozen = bench.claim("a").await;
    bench.wait(29);
    assert!(bench.ledger.extend_job(&frozen).await.unwrap());
    bench.wait(29);
    assert_eq!(bench.ledger.claim_job("b").await.unwrap(), None);
    bench.wait(1);
    let second = bench.claim("b").await;
    assert_eq!((second.epoch, second.holder.as_str()), (2, "b"));
    // The frozen worker wakes: none of its writes counts.
    assert!(!bench.ledger.extend_job(&frozen).await.unwrap());
    assert!(!bench.ledger.release_job(&frozen).await.unwrap());
    assert!(
        !bench
            .ledger
            .fail_job(&frozen, "late", Retry::Never)
            .await
            .unwrap()
    );
    assert_eq!(bench.scan("s").await.stage, Stage::Merging);
    assert!(bench.ledger.extend_job(&second).await.unwrap());
}

#[tokio::test]
async fn a_worker_that_froze_and_lost_nothing_goes_on() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("a").await;
    bench.wait(3600);
    assert!(bench.ledger.extend_job(&job).await.unwrap());
}

#[tokio::test]
async fn a_released_job_is_free_at_once() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("a").await;
    assert!(bench.ledger.release_job(&job).await.unwrap());
    assert_eq!(bench.claim("b").await.epoch, 2);
}

#[tokio::test]
async fn delays_double_up_to_five_minutes_and_the_scan_says_why_it_waits() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let mut delays = Vec::new();
    for _ in 0..11 {
        let job = bench.claim("a").await;
        assert!(
            bench
                .ledger
                .fail_job(&job, "the disk is full", Retry::Later)
                .await
                .unwrap()
        );
        let hold = bench.scan("s").await.hold.unwrap();
        assert_eq!(
            (hold.reason.as_str(), hold.message.as_str()),
            ("StorageUnavailable", "the disk is full")
        );
        let seconds = hold.until.unwrap().as_second() - bench.ledger.now().as_second();
        bench.wait(seconds - 1);
        assert_eq!(bench.ledger.claim_job("a").await.unwrap(), None);
        bench.wait(1);
        delays.push(seconds);
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(bench.scan("s").await.stage, Stage::Merging);
}

#[tokio::test]
async fn failed_jobs_are_due_at_once_when_storage_is_available_again() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    bench.ledger.retry_jobs().await.unwrap();
    for _ in 0..6 {
        let job = bench.claim("a").await;
        let later = Retry::Later;
        assert!(
            bench
                .ledger
                .fail_job(&job, "the disk is full", later)
                .await
                .unwrap()
        );
        bench.ledger.retry_jobs().await.unwrap();
        assert_eq!(bench.scan("s").await.hold, None);
    }
    assert!(bench.ledger.claim_job("a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_job() {
    let bench = Bench::new();
    bench.wait(3_600);
    bench.merging("s", "nasa").await;
    bench.wait(-3_600);
    let job = bench.claim("a").await;
    bench.wait(3_600);
    assert!(bench.ledger.extend_job(&job).await.unwrap());
    bench.wait(-3_600);
    let again = bench.claim("b").await;
    assert!(
        again.epoch > job.epoch,
        "its worker may have died before the clock was set"
    );
}

#[tokio::test]
async fn a_hopeless_job_ends_its_scan_with_the_reason() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("a").await;
    assert!(
        bench
            .ledger
            .fail_job(&job, "page k is damaged", Retry::Never)
            .await
            .unwrap()
    );
    bench.wait(100_000);
    assert_eq!(bench.ledger.claim_job("a").await.unwrap(), None);
    let scan = bench.scan("s").await;
    assert_eq!(
        (scan.stage, scan.hold, scan.ended),
        (Stage::Ended, None, Some(Timestamp::UNIX_EPOCH))
    );
    assert_eq!(scan.failure.unwrap().message, "page k is damaged");
}

#[tokio::test]
async fn a_job_that_kills_every_worker_is_given_up() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    for lost in 0..=MOST_LOST {
        assert_eq!(bench.claim("a").await.epoch, u64::from(lost) + 1);
        bench.wait(30);
    }
    assert_eq!(bench.ledger.claim_job("a").await.unwrap(), None);
    let failure = bench.scan("s").await.failure.unwrap();
    assert!(
        failure.message.contains("11 workers in a row died"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_worker_that_answers_clears_the_deaths_before_it() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    for _ in 0..3 {
        for _ in 0..MOST_LOST {
            bench.claim("a").await;
            bench.wait(30);
        }
        let job = bench.claim("a").await;
        assert!(bench.ledger.release_job(&job).await.unwrap());
    }
    assert_eq!(bench.scan("s").await.stage, Stage::Merging);
}

#[tokio::test]
async fn a_worker_that_starts_again_takes_its_own_job_up_at_once_and_nobody_elses() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let first = bench.claim("a").await;
    bench.ledger.abandon_jobs("b").await.unwrap();
    assert_eq!(bench.ledger.claim_job("b").await.unwrap(), None);
    bench.ledger.abandon_jobs("a").await.unwrap();
    let second = bench.claim("a").await;
    assert_eq!(
        (second.id.as_str(), second.epoch),
        (first.id.as_str(), first.epoch + 1)
    );
    assert!(
        !bench.ledger.extend_job(&first).await.unwrap(),
        "were the first still alive, it would be told"
    );
}
