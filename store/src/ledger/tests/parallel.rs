//! Many connections at once: what SQLite's one writer gives for nothing must hold on PostgreSQL by its locks.

use std::{collections::BTreeSet, time::Duration};

use followlytics_core::money::Usd;
use tokio::{task::JoinSet, time::timeout};

use super::*;
use crate::{
    db::{Db, DbError, Key, Scope},
    ledger::LedgerError,
    params,
};

/// Ledgers of as many processes on one database, which goes by its own clock: theirs stand at 1970.
fn ledgers(processes: usize) -> Vec<Ledger> {
    let url = testing::postgres_url();
    (0..processes)
        .map(|process| ledger(Db::prepared(&url), process))
        .collect()
}

fn ledger(db: Db, process: usize) -> Ledger {
    let names = AtomicU64::new(0);
    let name = move || format!("id-{process}-{}", names.fetch_add(1, Ordering::Relaxed));
    Ledger::new(db, Arc::new(|| Timestamp::UNIX_EPOCH), Arc::new(name))
}

fn request(uid: &str, credential: &str, slots: i64) -> ScanRequest {
    ScanRequest {
        uid: uid.into(),
        name: uid.into(),
        account: AccountRef::new("x", &uid.replace('-', "_"), None).unwrap(),
        credential: credential.into(),
        rules: vec![Rule::new(Family::Followers, slots, 900_000)],
        ..model()
    }
}

async fn sandbox(ledger: &Ledger, scan: &str, name: &str) -> Sandbox {
    let identity = SandboxIdentity {
        uid: format!("{scan}-{name}"),
        name: name.into(),
        scan_uid: scan.into(),
    };
    let token = ledger.issue_sandbox_token(&identity).await.unwrap();
    ledger.find_sandbox(&token, None).await.unwrap().unwrap()
}

async fn open(ledger: &Ledger, sandbox: &Sandbox) -> Option<Lease> {
    match ledger.claim(sandbox).await.unwrap() {
        Claimed::Range { held, .. } => Some(ledger.open_lease(sandbox, held).await.unwrap()),
        _ => None,
    }
}

/// Creates the scan and looks its account up; what is left is its one chain.
async fn resolved(ledger: &Ledger, request: &ScanRequest) -> Sandbox {
    ledger.ensure_scan(request).await.unwrap();
    let sandbox = sandbox(ledger, &request.uid, "first").await;
    let lease = open(ledger, &sandbox).await.unwrap();
    let report = AccountReport {
        followers: 3000,
        ..report()
    };
    let found = Found {
        held: held(&lease),
        permit: permit(&lease.step).id,
        finding: Finding::Account(report),
        told: None,
    };
    ledger.record_finding(&sandbox, &found).await.unwrap();
    sandbox
}

fn page_of(scan: &str, lease: &Lease, permit: &Permit, last: bool) -> NewPage {
    let mut page = Desk::page(lease, permit, 10, last);
    page.header.scan = scan.into();
    page.key = format!("{scan}/{}", page.key);
    page
}

/// Commits pages until there is no permit for another, or `most` are there; answers how many.
async fn commit(ledger: Ledger, sandbox: Sandbox, most: usize) -> usize {
    let Some(lease) = open(&ledger, &sandbox).await else {
        return 0;
    };
    let mut step = lease.step.clone();
    let mut done = 0;
    while let Step::Permit(permit) = &step {
        let page = page_of(&sandbox.scan, &lease, permit, done + 1 == most);
        step = loop {
            match ledger.commit_page(&sandbox, &page).await {
                Ok(reply) => break reply.step,
                Err(LedgerError::Db(error)) if error.is_transient() => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        done += 1;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_scans_commit_at_once_and_every_page_counts_once() {
    let ledgers = ledgers(2);
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let ledger = ledgers[number % 2].clone();
        tasks.spawn(async move {
            let uid = format!("scan-{number}");
            let sandbox = resolved(&ledger, &request(&uid, &format!("default/{number}"), 300)).await;
            commit(ledger, sandbox, 25).await
        });
    }
    assert_eq!(tasks.join_all().await, [25; 8]);
    for number in 0..8 {
        // The other process sees what this one wrote.
        let other = &ledgers[(number + 1) % 2];
        let summary = other.summary(&format!("scan-{number}")).await.unwrap().unwrap();
        let expected = (250, "2.51".parse().unwrap(), Usd::ZERO, 0);
        let seen = (
            summary.scanned,
            summary.spent,
            summary.reserved,
            summary.open_permits,
        );
        assert_eq!(seen, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_claims_give_every_range_one_holder() {
    let ledgers = ledgers(2);
    let mut tasks = JoinSet::new();
    for scan in 0..4 {
        let uid = format!("scan-{scan}");
        let first = resolved(&ledgers[0], &request(&uid, &uid, 300)).await;
        for racer in 0..8 {
            let ledger = ledgers[racer % 2].clone();
            let box_of = if racer == 0 {
                first.clone()
            } else {
                sandbox(&ledger, &uid, &racer.to_string()).await
            };
            tasks.spawn(async move {
                match ledger.claim(&box_of).await.unwrap() {
                    Claimed::Range { held, .. } => Some((box_of.scan, held.range, held.epoch)),
                    _ => None,
                }
            });
        }
    }
    let won: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 4, "{won:?}");
    assert_eq!(won.iter().collect::<BTreeSet<_>>().len(), 4);
    assert!(won.iter().all(|(.., epoch)| *epoch == 1), "{won:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_races_with_the_next_claim_is_either_whole_or_fenced() {
    let url = testing::postgres_url();
    for round in 0..12 {
        let uid = format!("scan-{round}");
        // Two processes by one clock of the test's, so that the lease runs out at once.
        let seconds = Arc::new(AtomicI64::new(1_790_000_000));
        let process = |number: usize| {
            let (clock, names) = (Arc::clone(&seconds), AtomicU64::new(0));
            Ledger::new(
                Db::prepared(&url).with_callers_clock(),
                Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
                Arc::new(move || format!("{round}-{number}-{}", names.fetch_add(1, Ordering::SeqCst))),
            )
        };
        let (one, two) = (process(1), process(2));
        let old = resolved(&one, &request(&uid, &uid, 300)).await;
        let lease = open(&one, &old).await.unwrap();
        let page = page_of(&uid, &lease, &permit(&lease.step), false);
        let new = sandbox(&two, &uid, "next").await;
        seconds.fetch_add(16, Ordering::SeqCst);
        let (committed, claimed) = tokio::join!(one.commit_page(&old, &page), two.claim(&new));
        let took_over = matches!(claimed.unwrap(), Claimed::Range { .. });
        let scanned = one.summary(&uid).await.unwrap().unwrap().scanned;
        match committed {
            // It was first, and kept the lease alive.
            Ok(_) => assert!(!took_over && scanned == 10, "{took_over} {scanned}"),
            Err(LedgerError::Fenced) => assert!(took_over && scanned == 0, "{took_over} {scanned}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_window_that_scans_share_is_never_overspent() {
    let ledgers = ledgers(2);
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let ledger = ledgers[number % 2].clone();
        tasks.spawn(async move {
            let sandbox = resolved(&ledger, &request(&format!("scan-{number}"), "default/x", 40)).await;
            let mut done = 0;
            // A share that is held back now may be had once others have taken theirs.
            for _ in 0..20 {
                done += commit(ledger.clone(), sandbox.clone(), 1000).await;
            }
            done
        });
    }
    let pages: usize = tasks.join_all().await.into_iter().sum();
    let windows = ledgers[0].credential_use("default/x").await.unwrap().windows;
    assert_eq!((windows[0].used, windows[0].limit), (40, 40));
    assert_eq!(pages, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_month_that_scans_share_is_never_overspent() {
    let ledgers = ledgers(2);
    let mut tasks = JoinSet::new();
    // Looked up before any list is paid for: a month that is used up has nothing left for a look-up either.
    let mut sandboxes = Vec::new();
    for number in 0..8 {
        let month = ScanRequest {
            monthly_budget: Some("35.00".parse().unwrap()),
            ..request(&format!("scan-{number}"), "default/x", 300)
        };
        let ledger = ledgers[number % 2].clone();
        let sandbox = resolved(&ledger, &month).await;
        sandboxes.push((ledger, sandbox));
    }
    for (ledger, sandbox) in sandboxes {
        tasks.spawn(async move { open(&ledger, &sandbox).await });
    }
    tasks.join_all().await;
    let used = ledgers[0].month_used("default/x").await.unwrap();
    assert!(
        used > "10.00".parse().unwrap() && used <= "35.00".parse().unwrap(),
        "{used}"
    );
}

/// What a window or a month has left is read and written by one transaction at a time.
#[tokio::test]
async fn a_permit_waits_for_the_credential_that_another_scan_has_locked() {
    let url = testing::postgres_url();
    let patient = ledger(Db::prepared(&url), 0);
    // The server ends a wait at once, so that nothing depends on who is quicker.
    let hasty = ledger(Db::prepared(&format!("{url}?options[lock_timeout]=1ms")), 1);
    let sandbox = resolved(&patient, &request("a", "default/x", 300)).await;
    let Claimed::Range { held, .. } = patient.claim(&sandbox).await.unwrap() else {
        panic!("no range")
    };
    let mut running = patient.begin_scan("b").await.unwrap();
    running.lock(Key::Credential("default/x")).await.unwrap();
    let refused = hasty.open_lease(&sandbox, held).await;
    assert!(
        matches!(refused, Err(LedgerError::Db(DbError::Locked(_)))),
        "{refused:?}"
    );
    running.commit().await.unwrap();
    permit(&patient.open_lease(&sandbox, held).await.unwrap().step);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scan_in_mid_transaction_keeps_only_itself_and_the_whole_ledger_waiting() {
    let ledgers = ledgers(2);
    let a = resolved(&ledgers[0], &request("a", "default/a", 300)).await;
    let b = resolved(&ledgers[0], &request("b", "default/b", 300)).await;
    let lease = open(&ledgers[0], &a).await.unwrap();
    let running = ledgers[0].begin_scan("a").await.unwrap();
    let short = Duration::from_millis(300);
    assert_eq!(commit(ledgers[1].clone(), b, 5).await, 5);
    ledgers[1].summary("a").await.unwrap().unwrap();
    ledgers[1].db.begin_within(Scope::Objects).await.unwrap();
    assert!(
        timeout(short, ledgers[1].heartbeat(&a, held(&lease)))
            .await
            .is_err()
    );
    assert!(timeout(short, ledgers[1].db.begin()).await.is_err());
    drop(running);
    ledgers[1].heartbeat(&a, held(&lease)).await.unwrap();
}

#[tokio::test]
async fn leases_run_by_the_databases_clock_and_not_by_the_callers() {
    let ledgers = ledgers(1);
    let sandbox = resolved(&ledgers[0], &request("a", "default/a", 300)).await;
    let lease = open(&ledgers[0], &sandbox).await.unwrap();
    let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let row = ledgers[0].db.find(sql, params![]).await.unwrap().unwrap();
    let ranges = ledgers[0].list_ranges("a").await.unwrap();
    let range = ranges.iter().find(|range| range.id == lease.range).unwrap();
    let left = row
        .get::<Timestamp>(0)
        .unwrap()
        .duration_until(range.lease_until.unwrap())
        .as_secs();
    assert!((5..=15).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_again_and_again_loses_nothing_and_counts_nothing_twice() {
    use followlytics_testbed::postgres::{Options, Postgres};
    let server = Postgres::start(Options::default()).unwrap();
    let url = server.create_database().unwrap();
    let ledgers = [
        ledger(Db::connect(&url).await.unwrap(), 0),
        ledger(Db::connect(&url).await.unwrap(), 1),
    ];
    let mut tasks = JoinSet::new();
    for number in 0..6 {
        let uid = format!("scan-{number}");
        let ledger = ledgers[number % 2].clone();
        let sandbox = resolved(&ledger, &request(&uid, &uid, 3000)).await;
        tasks.spawn(async move { commit(ledger, sandbox, 250).await });
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let before = ledgers[0].summary("scan-0").await.unwrap().unwrap().scanned;
        server.kill().unwrap();
        let error = ledgers[0].db.begin().await.err().unwrap();
        assert!(error.is_transient(), "{error:?}");
        server.restart().unwrap();
        let after = ledgers[1].summary("scan-0").await.unwrap().unwrap().scanned;
        assert!(after >= before, "{after} < {before}");
    }
    assert_eq!(tasks.join_all().await, [250; 6]);
    for number in 0..6 {
        let summary = ledgers[0]
            .summary(&format!("scan-{number}"))
            .await
            .unwrap()
            .unwrap();
        let seen = (
            summary.scanned,
            summary.spent,
            summary.reserved,
            summary.ambiguous,
        );
        assert_eq!(seen, (2500, "25.01".parse().unwrap(), Usd::ZERO, Usd::ZERO));
        assert_eq!(summary.requests.refetched_pages, 0);
    }
}
