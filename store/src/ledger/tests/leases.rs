use followlytics_core::{money::Usd, wire::Release};

use super::{
    refusals::{free, range, summary},
    *,
};
use crate::ledger::LedgerError;

#[tokio::test]
async fn a_frozen_holder_is_fenced_at_every_door() {
    let desk = Desk::new("100.00", None).await;
    let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
    desk.resolve(&a, 3000).await;
    let old = desk.claim(&a).await;
    desk.pass(16);
    let new = desk.claim(&b).await;
    assert_eq!((old.range, old.epoch + 1), (new.range, new.epoch));
    let page = Desk::page(&old, &permit(&old.step), 1000, false);
    let release = Release {
        held: held(&old),
        unused: None,
    };
    let failure = Failure {
        class: Class::Network,
        message: String::new(),
        told: None,
        retry_after_ms: None,
    };
    let failed = Failed {
        held: held(&old),
        permit: permit(&old.step).id,
        failure,
    };
    assert!(matches!(
        desk.ledger.commit_page(&a, &page).await,
        Err(LedgerError::Fenced)
    ));
    assert!(matches!(
        desk.ledger.heartbeat(&a, held(&old)).await,
        Err(LedgerError::Fenced)
    ));
    assert!(matches!(
        desk.ledger.step(&a, &release).await,
        Err(LedgerError::Fenced)
    ));
    assert!(matches!(
        desk.ledger.release(&a, &release).await,
        Err(LedgerError::Fenced)
    ));
    assert!(matches!(
        desk.ledger.record_failure(&a, &failed).await,
        Err(LedgerError::Fenced)
    ));
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    // Only the permit of the failure is settled.
    assert_eq!((summary.scanned, summary.requests.failed), (0, 1));
    assert_eq!(summary.ranges.active, 1);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_range_for_as_long_as_a_new_lease() {
    let desk = Desk::new("100.00", None).await;
    let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.pass(14);
    desk.ledger.heartbeat(&a, held(&lease)).await.unwrap();
    desk.pass(14);
    let other = desk.ledger.claim(&b).await.unwrap();
    assert!(matches!(other, Claimed::Wait { .. }), "{other:?}");
    desk.pass(1);
    assert_eq!(desk.claim(&b).await.epoch, lease.epoch + 1);
}

#[tokio::test]
async fn a_heartbeat_brings_the_end_of_a_range_that_was_split() {
    let (desk, a) = free(false).await;
    let mut leases = vec![(desk.claim(&a).await, a)];
    for name in 0.. {
        let sandbox = desk.sandbox_of("free", &format!("b{name}")).await;
        leases.push((desk.claim(&sandbox).await, sandbox));
        if summary(&desk, "free").await.requests.splits > 0 {
            break;
        }
    }
    let mut moved = 0;
    for (lease, sandbox) in &leases {
        let beat = desk.ledger.heartbeat(sandbox, held(lease)).await.unwrap();
        assert_eq!(beat.span, range(&desk, "free", lease.range).await.span);
        moved += i32::from(beat.span != lease.span);
    }
    assert_eq!(moved, 1);
}

#[tokio::test]
async fn the_next_holder_adopts_what_the_last_one_had_sent() {
    let desk = Desk::new("100.00", None).await;
    let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
    desk.resolve(&a, 3000).await;
    let old = desk.claim(&a).await;
    let sent = Desk::page(&old, &permit(&old.step), 1000, false);
    desk.ledger.release_sandbox("a").await.unwrap();
    let Claimed::Range { held, orphans } = desk.ledger.claim(&b).await.unwrap() else {
        panic!("no range")
    };
    assert_eq!(orphans.len(), 1);
    assert!(desk.ledger.adopt_page(&b, held, &sent).await.unwrap());
    assert!(!desk.ledger.adopt_page(&b, held, &sent).await.unwrap(), "once");
    let lease = desk.ledger.open_lease(&b, held).await.unwrap();
    assert_eq!(permit(&lease.step).seq, 1);
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!((summary.scanned, summary.requests.refetched_pages), (1000, 0));
}

#[tokio::test]
async fn a_lost_claim_is_answered_with_the_same_lease_and_permit() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let (first, second) = (desk.claim(&a).await, desk.claim(&a).await);
    assert_eq!(first, second);
}

#[tokio::test]
async fn an_unused_permit_gives_its_slot_and_its_dollars_back() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let first = permit(&lease.step);
    let release = Release {
        held: held(&lease),
        unused: Some(first.id.clone()),
    };
    let reply = desk.ledger.step(&a, &release).await.unwrap();
    assert_ne!(permit(&reply.step).id, first.id);
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.open_permits, summary.reserved),
        (1, "10.00".parse().unwrap())
    );
    assert_eq!(desk.slots().await, 1);
    let late = Desk::page(&lease, &first, 1000, false);
    let error = desk.ledger.commit_page(&a, &late).await.unwrap_err();
    assert!(error.to_string().contains("returned or used before"), "{error}");
}

#[tokio::test]
async fn a_token_is_void_once_another_is_issued_or_the_sandbox_is_gone() {
    let desk = Desk::new("1.00", None).await;
    let identity = SandboxIdentity {
        uid: "a".into(),
        name: "a".into(),
        scan_uid: "scan".into(),
    };
    let first = desk.ledger.issue_sandbox_token(&identity).await.unwrap();
    let second = desk.ledger.issue_sandbox_token(&identity).await.unwrap();
    assert_eq!(desk.ledger.find_sandbox(&first, None).await.unwrap(), None);
    assert!(desk.ledger.find_sandbox(&second, None).await.unwrap().is_some());
    desk.ledger.revoke_sandbox("a").await.unwrap();
    assert_eq!(desk.ledger.find_sandbox(&second, None).await.unwrap(), None);
}

#[tokio::test]
async fn an_account_that_is_gone_ends_the_scan_with_its_reason() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    let lease = desk.claim(&a).await;
    assert_eq!(desk.fail(&a, &lease, Class::NotFound).await.step, Step::Cancel);
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(summary.failure.unwrap().reason, "AccountNotFound");
    assert_eq!(desk.ledger.claim(&a).await.unwrap(), Claimed::Finished);
}

#[tokio::test]
async fn a_page_of_another_permit_or_place_is_refused_by_name_and_changes_nothing() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let mut page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    page.header.input.cursor = Some("elsewhere".into());
    let error = desk.ledger.commit_page(&a, &page).await.unwrap_err().to_string();
    assert!(error.contains("input does not follow"), "{error}");
    page.header.permit = "unknown".into();
    let error = desk.ledger.commit_page(&a, &page).await.unwrap_err().to_string();
    assert!(error.contains("permit"), "{error}");
    assert_eq!(desk.ledger.summary("scan").await.unwrap().unwrap().scanned, 0);
}

/// Requests that the figures know of: the platform saw as many.
async fn figures(desk: &Desk) -> (i64, i64, i64, i64) {
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    let requests = summary.requests;
    (
        requests.lookups + requests.pages + requests.failed + requests.unanswered,
        requests.pages,
        requests.refetched_pages,
        requests.refetched_rows,
    )
}

#[tokio::test]
async fn requests_of_killed_runners_are_counted_at_once_and_once() {
    let desk = Desk::new("1000.00", None).await;
    let (a, b, c) = (
        desk.sandbox("a").await,
        desk.sandbox("b").await,
        desk.sandbox("c").await,
    );
    desk.resolve(&a, 3000).await;
    let first = desk.claim(&a).await;
    permit(&first.step);
    // It may still be answered.
    assert_eq!(figures(&desk).await, (1, 0, 0, 0));
    desk.ledger.release_sandbox("a").await.unwrap();
    let second = desk.claim(&b).await;
    permit(&second.step);
    assert_eq!(figures(&desk).await, (2, 0, 0, 0));
    desk.ledger.release_sandbox("b").await.unwrap();
    let third = desk.claim(&c).await;
    let page = Desk::page(&third, &permit(&third.step), 1000, true);
    desk.ledger.commit_page(&c, &page).await.unwrap();
    // A look-up and three requests for one page, of which two were lost.
    assert_eq!(figures(&desk).await, (4, 1, 2, 2000));
    desk.pass(600);
    desk.ledger.sweep_permits().await.unwrap();
    assert_eq!(figures(&desk).await, (4, 1, 2, 2000));
}

#[tokio::test]
async fn page_that_arrives_after_its_permit_was_swept_is_one_request() {
    let desk = Desk::new("1000.00", None).await;
    let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
    desk.resolve(&a, 3000).await;
    let old = desk.claim(&a).await;
    let sent = Desk::page(&old, &permit(&old.step), 1000, false);
    desk.ledger.release_sandbox("a").await.unwrap();
    desk.pass(600);
    desk.ledger.sweep_permits().await.unwrap();
    assert_eq!(figures(&desk).await, (2, 0, 0, 0));
    let Claimed::Range { held, .. } = desk.ledger.claim(&b).await.unwrap() else {
        panic!("no range")
    };
    assert!(desk.ledger.adopt_page(&b, held, &sent).await.unwrap());
    assert_eq!(figures(&desk).await, (2, 1, 0, 0));
}

/// The sandbox as it sends a message at this second of its own clock.
fn sending(sandbox: &Sandbox, second: i64) -> Sandbox {
    let at = Timestamp::from_second(second).unwrap();
    Sandbox {
        sent: Some(crate::ledger::Sent { at, arrived: at }),
        ..sandbox.clone()
    }
}

#[tokio::test]
async fn a_permit_past_its_start_is_replaced_by_a_later_message_only() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&sending(&a, 100)).await;
    let first = permit(&lease.step);
    let asks = Release {
        held: held(&lease),
        unused: None,
    };
    // Its answer was lost: the holder asks again, and has the same permit with what is left of its start.
    desk.pass(4);
    let again = desk.ledger.step(&sending(&a, 104), &asks).await.unwrap();
    let same = permit(&again.step);
    assert_eq!(
        (&same.id, same.start_within_ms),
        (&first.id, first.start_within_ms - 4000)
    );
    // Its request runs. A message that was sent before, and comes after the start, must not free it.
    desk.pass(8);
    for second in [100, 103, 104] {
        let reply = desk.ledger.step(&sending(&a, second), &asks).await.unwrap();
        assert!(matches!(reply.step, Step::Wait { .. }), "{reply:?}");
    }
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.open_permits, summary.reserved),
        (1, "10.00".parse().unwrap())
    );
    // A later one says that it never heard of the permit.
    let reply = desk.ledger.step(&sending(&a, 105), &asks).await.unwrap();
    assert_ne!(permit(&reply.step).id, first.id);
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.open_permits, summary.reserved),
        (1, "10.00".parse().unwrap())
    );
}

/// A release that was sent before the permit was handed out once more says nothing of the request that runs by now.
#[tokio::test]
async fn a_release_that_arrives_late_frees_no_permit_that_was_handed_out_since() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&sending(&a, 100)).await;
    let given_back = Release {
        held: held(&lease),
        unused: Some(permit(&lease.step).id),
    };
    let asks = Release {
        unused: None,
        ..given_back.clone()
    };
    let again = desk.ledger.step(&sending(&a, 104), &asks).await.unwrap();
    assert_eq!(permit(&again.step).id, permit(&lease.step).id);
    desk.ledger.release(&sending(&a, 102), &given_back).await.unwrap();
    let page = Desk::page(&lease, &permit(&again.step), 1000, false);
    desk.ledger.commit_page(&sending(&a, 105), &page).await.unwrap();
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(summary.spent, "10.01".parse().unwrap());
}

#[tokio::test]
async fn a_page_that_arrives_long_after_its_permit_was_due_is_taken_and_settles_it() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&sending(&a, 100)).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    for _ in 0..60 {
        desk.pass(10);
        desk.ledger.heartbeat(&a, held(&lease)).await.unwrap();
        desk.ledger.sweep_permits().await.unwrap();
    }
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.spent, summary.ambiguous),
        ("0.01".parse().unwrap(), "10.00".parse().unwrap())
    );
    desk.ledger.commit_page(&sending(&a, 700), &page).await.unwrap();
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.spent, summary.ambiguous),
        ("10.01".parse().unwrap(), Usd::ZERO)
    );
    assert_eq!(
        (summary.requests.unanswered, summary.requests.refetched_pages),
        (0, 0)
    );
}

#[tokio::test]
async fn a_page_that_cannot_be_stored_costs_what_it_holds() {
    let desk = Desk::new("100.00", None).await;
    let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&sending(&a, 100)).await;
    let page = Desk::page(&lease, &permit(&lease.step), 300, false);
    desk.ledger
        .weigh_page(&a, &page.header, page.lines)
        .await
        .unwrap();
    let figures = async || {
        let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
        (
            summary.spent.to_string(),
            summary.reserved.to_string(),
            summary.ambiguous.to_string(),
        )
    };
    assert_eq!(figures().await, ("0.01".into(), "3.00".into(), "0.00".into()));
    // Its holder dies with it: nothing but its price is in doubt.
    desk.pass(16);
    let next = desk.claim(&b).await;
    assert_ne!(next.epoch, lease.epoch);
    desk.ledger
        .weigh_page(&a, &page.header, page.lines)
        .await
        .unwrap();
    desk.ledger
        .weigh_page(&a, &page.header, page.lines)
        .await
        .unwrap();
    assert_eq!(figures().await, ("0.01".into(), "10.00".into(), "3.00".into()));
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(summary.requests.unanswered, 1);
}

#[tokio::test]
async fn what_held_an_earlier_token_never_hears_of_its_permits_again() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let first = desk.claim(&sending(&a, 100)).await;
    // The process may have started a request; a second one of the same sandbox gets a token of its own.
    let a = desk.sandbox("a").await;
    let second = desk.claim(&sending(&a, 5)).await;
    assert_eq!((second.range, second.epoch), (first.range, first.epoch + 1));
    assert_ne!(permit(&second.step).id, permit(&first.step).id);
}
