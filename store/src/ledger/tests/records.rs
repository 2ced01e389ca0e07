//! What is read of a scan beside its work, and what is left of it once it is forgotten.

use followlytics_core::layout;
use jiff::SignedDuration;

use super::*;
use crate::ledger::{Meeting, SandboxIdentity, Sent};

#[tokio::test]
async fn a_scan_is_listed_while_it_may_change_and_shows_its_ranges_and_first_pages() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    assert_eq!(desk.ledger.list_active_scans().await.unwrap(), ["scan"]);
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let mut step = lease.step.clone();
    for last in [false, false, true] {
        let permit = permit(&step);
        let granted = desk.ledger.permit_credential("scan", &permit.id).await.unwrap().1;
        assert_eq!(granted, permit.seen_at);
        let page = Desk::page(&lease, &permit, 1000, last);
        step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    }
    assert_eq!(step, Step::Done);
    let keys = desk.ledger.first_page_keys("scan", lease.range, 2).await.unwrap();
    assert_eq!(keys, ["pages/scan/1/1/0", "pages/scan/1/1/1"]);
    let ranges = desk.ledger.list_ranges("scan").await.unwrap();
    assert_eq!(ranges.iter().map(|range| range.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(
        desk.ledger.meeting("scan", lease.range).await.unwrap(),
        Meeting::Nobody
    );
    assert_eq!(
        desk.ledger.list_active_scans().await.unwrap(),
        ["scan"],
        "it merges"
    );
    let error = desk.ledger.permit_credential("scan", "other").await.unwrap_err();
    assert!(error.to_string().contains("granted no such permit"), "{error}");
}

#[tokio::test]
async fn the_clock_of_a_sandbox_is_compared_and_compared_again_when_it_moves() {
    let desk = Desk::new("100.00", None).await;
    let identity = SandboxIdentity {
        uid: "a".to_owned(),
        name: "a".to_owned(),
        scan_uid: "scan".to_owned(),
    };
    let token = desk.ledger.issue_sandbox_token(&identity).await.unwrap();
    assert_eq!(desk.ledger.sandbox_contact("a").await.unwrap(), None);
    let arrived = desk.ledger.now();
    for (ahead, known) in [(-20, -20), (-18, -20), (0, 0), (60, 60)] {
        let ahead = SignedDuration::from_secs(ahead);
        let sent = Sent {
            at: arrived + ahead,
            arrived,
        };
        let found = desk.ledger.find_sandbox(&token, Some(sent)).await.unwrap();
        assert_eq!(found.unwrap().sent, Some(sent));
        let contact = desk.ledger.sandbox_contact("a").await.unwrap().unwrap();
        assert_eq!(contact.clock_ahead, Some(SignedDuration::from_secs(known)));
        assert_eq!(contact.first, arrived);
    }
}

#[tokio::test]
async fn a_forgotten_scan_leaves_only_the_name_of_what_is_to_be_deleted() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    assert!(desk.ledger.sandbox_contact("a").await.unwrap().is_some());
    desk.ledger.forget_scan("scan", false).await.unwrap();
    assert!(desk.ledger.find_scan("scan").await.unwrap().is_none());
    assert!(desk.ledger.list_ranges("scan").await.unwrap().is_empty());
    assert_eq!(desk.ledger.sandbox_contact("a").await.unwrap(), None);
    assert_eq!(desk.ledger.claim(&a).await.unwrap(), Claimed::Finished);
    let pages = layout::pages_of_scan("scan");
    let left = desk.ledger.list_erasures().await.unwrap();
    assert!(left.contains(&pages), "{left:?}");
    // Forgetting it again names nothing twice.
    desk.ledger.forget_scan("scan", false).await.unwrap();
    assert_eq!(desk.ledger.list_erasures().await.unwrap(), left);
    for prefix in left {
        desk.ledger.finish_erasure(&prefix).await.unwrap();
    }
    assert!(desk.ledger.list_erasures().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lock_has_one_holder_until_it_ends_or_is_given_back() {
    use jiff::SignedDuration;
    let ledger = Desk::new("1.00", None).await;
    let long = SignedDuration::from_secs(60);
    let first = ledger.ledger.try_lock("sweep", long).await.unwrap().unwrap();
    assert_eq!(ledger.ledger.try_lock("sweep", long).await.unwrap(), None);
    ledger.pass(60);
    let second = ledger.ledger.try_lock("sweep", long).await.unwrap().unwrap();
    // The first holder's turn is over: it gives back what is no longer its own.
    ledger.ledger.unlock("sweep", &first).await.unwrap();
    assert_eq!(ledger.ledger.try_lock("sweep", long).await.unwrap(), None);
    ledger.ledger.unlock("sweep", &second).await.unwrap();
    assert!(ledger.ledger.try_lock("sweep", long).await.unwrap().is_some());
}

/// A page lacks rows only where others follow: that nothing did is seen with the page behind it.
#[tokio::test]
async fn the_last_page_before_an_empty_one_lacks_nobody() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let mut step = lease.step.clone();
    for (rows, last, lacking) in [(970, false, 30), (40, false, 990), (0, true, 30)] {
        let mut page = Desk::page(&lease, &permit(&step), rows, last);
        page.header.returned = u32::try_from(rows).unwrap();
        step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
        let scan = desk.ledger.find_scan("scan").await.unwrap().unwrap();
        assert_eq!(scan.observed.lacking, lacking, "after {rows} rows");
    }
}
