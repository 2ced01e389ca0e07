//! Pages that earlier holders left behind: which of them the next holder looks for, and what they cost.

use super::*;

/// Takes the scan's chain with a permit, and dies.
async fn lose(desk: &Desk, name: &str) -> Lease {
    let sandbox = desk.sandbox(name).await;
    let lease = desk.claim(&sandbox).await;
    permit(&lease.step);
    desk.ledger.release_sandbox(name).await.unwrap();
    lease
}

/// The chain's next lease, and the epochs whose pages its holder looks for.
async fn take_over(desk: &Desk, sandbox: &Sandbox) -> (Held, Vec<u64>) {
    let Claimed::Range { held, orphans } = desk.ledger.claim(sandbox).await.unwrap() else {
        panic!("no range")
    };
    (held, orphans.iter().map(|orphan| orphan.epoch).collect())
}

#[tokio::test]
async fn pages_of_every_earlier_epoch_are_looked_for() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    for name in ["b", "c"] {
        lose(&desk, name).await;
    }
    assert_eq!(take_over(&desk, &a).await.1, [1, 2]);
}

#[tokio::test]
async fn pages_of_permits_that_are_ambiguous_by_now_are_looked_for() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    lose(&desk, "b").await;
    desk.pass(600);
    desk.ledger.sweep_permits().await.unwrap();
    assert_eq!(take_over(&desk, &a).await.1, [1]);
}

#[tokio::test]
async fn a_page_that_is_adopted_counts_in_its_month() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = lose(&desk, "b").await;
    let sent = Desk::page(&lease, &permit(&lease.step), 1000, false);
    let (held, _) = take_over(&desk, &a).await;
    assert!(desk.ledger.adopt_page(&a, held, &sent).await.unwrap());
    let used = desk.ledger.month_used("default/x").await.unwrap();
    assert_eq!(used, "10.01".parse().unwrap());
}

/// M-26: a page is charged while its permit is due, whenever it is found.
#[tokio::test]
async fn a_page_that_is_adopted_in_the_next_month_counts_in_its_own() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = lose(&desk, "b").await;
    let sent = Desk::page(&lease, &permit(&lease.step), 1000, false);
    desk.pass(60);
    desk.ledger.sweep_permits().await.unwrap();
    desk.pass(11 * 86_400);
    let (held, _) = take_over(&desk, &a).await;
    assert!(desk.ledger.adopt_page(&a, held, &sent).await.unwrap());
    assert_eq!(
        desk.ledger.month_used("default/x").await.unwrap(),
        "0".parse().unwrap()
    );
}

/// M-26: a chain goes on by the credential whose token it follows, also where another holder finds the page.
#[tokio::test]
async fn a_page_that_is_adopted_after_the_credential_changed_keeps_its_own() {
    for is_adopted in [true, false] {
        let mut desk = Desk::new("100.00", None).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let lease = lose(&desk, "b").await;
        let sent = Desk::page(&lease, &permit(&lease.step), 1000, false);
        desk.request.credential = "default/y".into();
        desk.ledger.ensure_scan(&desk.request).await.unwrap();
        let (held, orphans) = take_over(&desk, &a).await;
        assert_eq!(orphans, [1]);
        if is_adopted {
            assert!(desk.ledger.adopt_page(&a, held, &sent).await.unwrap());
        }
        permit(&desk.ledger.open_lease(&a, held).await.unwrap().step);
        let credential = desk.credential_of("scan", held.range).await;
        let expected = if is_adopted { "default/x" } else { "default/y" };
        assert_eq!(credential, expected);
    }
}

/// A copy of a claim that arrives late does not change the credential of a lease that is in use.
#[tokio::test]
async fn a_late_copy_of_a_claim_begins_another_lease_where_the_credential_changed() {
    let mut desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let release = Release {
        held: held(&lease),
        unused: Some(permit(&lease.step).id),
    };
    desk.request.monthly_budget = Some("0.01".parse().unwrap());
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let reply = desk.ledger.step(&a, &release).await.unwrap();
    assert!(matches!(reply.step, Step::Wait { .. }), "{:?}", reply.step);
    desk.request.credential = "default/y".into();
    desk.request.monthly_budget = None;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let late = desk.ledger.open_lease(&a, held(&lease)).await.unwrap();
    permit(&late.step);
    assert!(late.epoch > lease.epoch);
    let asks = Release {
        held: held(&lease),
        unused: None,
    };
    let error = desk.ledger.step(&a, &asks).await.unwrap_err();
    assert_eq!(error.class(), super::super::Class::Fenced);
}
