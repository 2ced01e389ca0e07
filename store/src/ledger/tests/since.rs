//! Scans that go on from an earlier result.

use followlytics_core::scan::{
    certificate::{Certificate, Guarantee},
    since::{Base, Since},
    summary::Stage,
};

use super::*;
use crate::ledger::{Account, Meeting, NewResult};

const HEAD: &str = "results/head-000001.json";

/// A scan of 2,000 followers with its result.
async fn merged() -> Desk {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 2000).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, true);
    assert_eq!(desk.ledger.commit_page(&a, &page).await.unwrap().step, Step::Done);
    let pages = desk.ledger.list_pages("scan", lease.range, 0, 10).await.unwrap();
    assert_eq!((pages.len(), pages[0].lines), (1, 1000));
    let job = desk.ledger.claim_job("worker").await.unwrap().unwrap();
    let result = NewResult {
        manifest: "results/manifest-000001.json".into(),
        parts: Vec::new(),
        sha256: "hash".into(),
        rows: 1000,
        duplicates: 0,
        unread: 0,
        head: Some(HEAD.into()),
        certificate: Certificate {
            guarantee: Guarantee::Exact,
            complete: true,
            current: true,
            extends: None,
            grade: followlytics_core::platform::evidence::Grade::Source,
            basis: String::new(),
            support: Vec::new(),
            list_total: None,
            unexplained: 0,
            evidence: Vec::new(),
            seams: Vec::new(),
            scanned: 1000,
            unique: 1000,
            platform_count: 2000,
            hidden: 1000,
            drift: None,
        },
    };
    assert_eq!(
        desk.ledger.publish_result(&job, &result).await.unwrap().version,
        1
    );
    desk
}

/// Another scan of the account, resolved.
async fn again(desk: &Desk, since: Since) -> Sandbox {
    let mut request = ScanRequest {
        uid: "again".into(),
        name: "again".into(),
        ..desk.request.clone()
    };
    request.wishes.since = Some(since);
    desk.ledger.ensure_scan(&request).await.unwrap();
    let sandbox = desk.sandbox_of("again", "b").await;
    desk.resolve(&sandbox, 5000).await;
    sandbox
}

#[tokio::test]
async fn a_scan_since_the_latest_result_ends_where_the_list_is_known() {
    let desk = merged().await;
    let b = again(&desk, Since::Latest).await;
    let base = Base {
        version: 1,
        rows: 1000,
        head: HEAD.into(),
        complete: true,
    };
    let plan = desk
        .ledger
        .find_scan("again")
        .await
        .unwrap()
        .unwrap()
        .plan
        .unwrap();
    assert_eq!((plan.since, plan.runners), (Some(base.clone()), 1));
    let lease = desk.claim(&b).await;
    assert_eq!(
        desk.ledger.meeting("again", lease.range).await.unwrap(),
        Meeting::Base {
            base,
            is_keyed: false,
            page_rows: 1000
        }
    );
    assert!(
        desk.ledger
            .last_page_keys("again", lease.range, 5)
            .await
            .unwrap()
            .is_empty()
    );
    let mut page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    (page.header.scan, page.key, page.met) = ("again".into(), "pages/again/0".into(), true);
    assert_eq!(desk.ledger.commit_page(&b, &page).await.unwrap().step, Step::Done);
    assert_eq!(
        desk.ledger.last_page_keys("again", lease.range, 5).await.unwrap(),
        ["pages/again/0"]
    );
    let scan = desk.ledger.find_scan("again").await.unwrap().unwrap();
    assert_eq!(scan.stage, Stage::Merging);
    assert_eq!(
        desk.ledger
            .merge_input("again")
            .await
            .unwrap()
            .since
            .unwrap()
            .version,
        1
    );
}

#[tokio::test]
async fn a_version_that_is_not_there_ends_the_scan_and_names_the_newest() {
    let desk = merged().await;
    let b = again(&desk, Since::Version(9)).await;
    let scan = desk.ledger.find_scan("again").await.unwrap().unwrap();
    assert_eq!(scan.stage, Stage::Ended);
    let failure = scan.failure.unwrap();
    assert_eq!(failure.reason, "InvalidSpec");
    assert_eq!(
        failure.message,
        "spec.since.version: x:@nasa has no result 9; the newest is 1"
    );
    assert!(matches!(desk.ledger.claim(&b).await.unwrap(), Claimed::Finished));
}

#[tokio::test]
async fn a_scan_without_an_earlier_result_reads_the_whole_list() {
    let desk = Desk::new("100.00", None).await;
    let b = again(&desk, Since::Latest).await;
    let lease = desk.claim(&b).await;
    assert_eq!(
        desk.ledger.meeting("again", lease.range).await.unwrap(),
        Meeting::Nobody
    );
    assert_eq!(
        desk.ledger
            .find_account("default", &desk.request.account)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_result_is_found_by_its_account_and_by_its_scan() {
    let desk = merged().await;
    let account = Some(Account {
        platform: Platform::X,
        id: "11".into(),
    });
    let named = AccountRef::new("x", "NASA", None).unwrap();
    assert_eq!(
        desk.ledger.find_account("default", &named).await.unwrap(),
        account
    );
    assert_eq!(desk.ledger.find_account("others", &named).await.unwrap(), None);
    assert_eq!(
        desk.ledger.find_account_of_scan("default", "scan").await.unwrap(),
        account
    );
    assert_eq!(
        desk.ledger
            .find_account_of_scan("default", "again")
            .await
            .unwrap(),
        None
    );
}
