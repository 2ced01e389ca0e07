//! Consent to spend as a lease: without it no permit of a paid scan is granted.

use followlytics_core::{
    scan::consent::{Consent, LEASE},
    wire::Release,
};

use super::*;

/// A scan of X that an attached command pays for, with the command's lease.
async fn attached() -> (Desk, Sandbox) {
    let mut desk = Desk::new("100.00", None).await;
    desk.ledger.give_consent("scan", "command").await.unwrap();
    desk.request.consent = Consent::Lease;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let sandbox = desk.sandbox("a").await;
    (desk, sandbox)
}

async fn spent(desk: &Desk) -> (String, String) {
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    (summary.spent.to_string(), summary.reserved.to_string())
}

async fn hold(desk: &Desk) -> Option<String> {
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    if summary.hold.is_some() {
        assert_eq!(summary.wanted_runners, 0);
    }
    summary.hold.map(|hold| hold.reason)
}

fn lease_seconds() -> i64 {
    LEASE.as_secs()
}

#[tokio::test]
async fn without_a_lease_nothing_of_a_paid_scan_is_granted_not_even_the_look_up() {
    let mut desk = Desk::new("100.00", None).await;
    desk.request.consent = Consent::Lease;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox("a").await;
    assert_eq!(desk.ledger.claim(&a).await.unwrap(), Claimed::Finished);
    assert_eq!(hold(&desk).await.as_deref(), Some("Interrupted"));
    desk.ledger.give_consent("scan", "command").await.unwrap();
    assert_eq!(hold(&desk).await, None);
    assert!(matches!(desk.claim(&a).await.step, Step::Permit(_)));
}

#[tokio::test]
async fn consent_that_is_withdrawn_settles_the_page_in_flight_and_grants_no_other() {
    let (desk, a) = attached().await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let first = permit(&lease.step);
    desk.ledger.withdraw_consent("scan", "command").await.unwrap();
    let beat = desk.ledger.heartbeat(&a, held(&lease)).await.unwrap();
    assert_eq!(beat.mode, Mode::Suspend);
    let page = Desk::page(&lease, &first, 1000, false);
    let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert_eq!(reply.step, Step::Suspend);
    assert_eq!(spent(&desk).await, ("10.01".to_owned(), "0.00".to_owned()));
    assert_eq!(hold(&desk).await.as_deref(), Some("Interrupted"));
    // The same command, or another one for the same scan, goes on where it stopped.
    desk.ledger.give_consent("scan", "another").await.unwrap();
    let release = Release {
        held: held(&lease),
        unused: None,
    };
    desk.ledger.release(&a, &release).await.unwrap();
    let next = permit(&desk.claim(&a).await.step);
    assert_eq!(next.place.cursor.as_deref(), Some("token-0"));
}

#[tokio::test]
async fn a_command_that_stands_still_beyond_its_lease_pays_for_nothing_until_it_goes_on() {
    let (desk, a) = attached().await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let first = permit(&lease.step);
    for _ in 0..3 {
        desk.pass(lease_seconds() - 1);
        assert!(desk.ledger.renew_consent("scan", "command").await.unwrap());
        desk.ledger.heartbeat(&a, held(&lease)).await.unwrap();
    }
    assert_eq!(hold(&desk).await, None);
    desk.pass(lease_seconds() - 1);
    desk.ledger.heartbeat(&a, held(&lease)).await.unwrap();
    desk.pass(1);
    assert_eq!(hold(&desk).await.as_deref(), Some("Interrupted"));
    let page = Desk::page(&lease, &first, 1000, false);
    let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert_eq!(reply.step, Step::Suspend, "the page counts, no other is granted");
    assert!(desk.ledger.renew_consent("scan", "command").await.unwrap());
    assert_eq!(hold(&desk).await, None);
    let release = Release {
        held: held(&lease),
        unused: None,
    };
    assert!(matches!(
        desk.ledger.step(&a, &release).await.unwrap().step,
        Step::Permit(_)
    ));
}

#[tokio::test]
async fn an_open_permit_is_not_handed_out_again_without_consent() {
    let (desk, a) = attached().await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.ledger.withdraw_consent("scan", "command").await.unwrap();
    let again = desk.ledger.open_lease(&a, held(&lease)).await.unwrap();
    assert_eq!(again.step, Step::Suspend);
}

#[tokio::test]
async fn consent_is_its_holders_own_and_the_newest_holder_counts() {
    let (desk, _) = attached().await;
    desk.ledger.withdraw_consent("scan", "another").await.unwrap();
    assert_eq!(hold(&desk).await, None, "not another's to withdraw");
    desk.ledger.give_consent("scan", "another").await.unwrap();
    assert!(!desk.ledger.renew_consent("scan", "command").await.unwrap());
    desk.ledger.withdraw_consent("scan", "command").await.unwrap();
    assert_eq!(hold(&desk).await, None);
    desk.ledger.withdraw_all_consents().await.unwrap();
    assert_eq!(hold(&desk).await.as_deref(), Some("Interrupted"));
    assert!(!desk.ledger.renew_consent("scan", "another").await.unwrap());
}

#[tokio::test]
async fn an_applied_scan_needs_no_lease_and_one_that_is_resumed_becomes_such() {
    let (mut desk, a) = attached().await;
    desk.ledger.withdraw_all_consents().await.unwrap();
    assert_eq!(hold(&desk).await.as_deref(), Some("Interrupted"));
    desk.request.consent = Consent::Budget;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    assert_eq!(hold(&desk).await, None);
    assert!(matches!(desk.claim(&a).await.step, Step::Permit(_)));
}

#[tokio::test]
async fn consent_may_be_given_before_the_scan_is_known_and_goes_with_it() {
    let desk = Desk::new("100.00", None).await;
    desk.ledger.give_consent("other", "command").await.unwrap();
    let request = ScanRequest {
        uid: "other".into(),
        name: "other".into(),
        consent: Consent::Lease,
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&request).await.unwrap();
    assert_eq!(desk.ledger.summary("other").await.unwrap().unwrap().hold, None);
    desk.ledger.forget_scan("other", true).await.unwrap();
    assert!(!desk.ledger.renew_consent("other", "command").await.unwrap());
}

#[tokio::test]
async fn what_a_user_has_to_mend_is_said_before_the_lack_of_consent() {
    let (desk, a) = attached().await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.fail(&a, &lease, Class::CreditsDepleted).await;
    desk.ledger.withdraw_consent("scan", "command").await.unwrap();
    assert_eq!(hold(&desk).await.as_deref(), Some("CreditsDepleted"));
    assert_eq!(desk.ledger.claim(&a).await.unwrap(), Claimed::Finished);
}
