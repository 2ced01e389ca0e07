//! Edits in mid-scan: holds that end, credentials that change, scans that are deleted.

use followlytics_core::{
    money::Usd,
    scan::{request::Terms, source::Source},
    wire::Release,
};

use super::*;

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

impl Desk {
    /// The controller records what is wanted now.
    async fn edit(&mut self, change: impl FnOnce(&mut ScanRequest)) {
        change(&mut self.request);
        self.ledger.ensure_scan(&self.request).await.unwrap();
    }

    async fn reason(&self) -> Option<String> {
        let summary = self.ledger.summary("scan").await.unwrap().unwrap();
        summary.hold.map(|hold| hold.reason)
    }

    async fn used(&self, credential: &str) -> (Usd, Vec<i64>) {
        let used = self.ledger.credential_use(credential).await.unwrap();
        (
            used.spent,
            used.windows.iter().map(|window| window.used).collect(),
        )
    }
}

#[tokio::test]
async fn a_raised_monthly_budget_lifts_the_hold_without_an_edit_of_the_scan() {
    let mut desk = Desk::new("600.00", Some("20.00")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    assert_eq!(desk.reason().await.as_deref(), Some("MonthlyBudgetReached"));
    desk.edit(|request| request.monthly_budget = Some(usd("29.99")))
        .await;
    assert_eq!(
        desk.reason().await.as_deref(),
        Some("MonthlyBudgetReached"),
        "still too little"
    );
    desk.edit(|request| request.monthly_budget = Some(usd("40.00")))
        .await;
    assert_eq!(desk.reason().await, None);
    permit(&desk.claim(&a).await.step);
}

#[tokio::test]
async fn a_month_used_up_in_mid_scan_goes_on_once_it_is_raised() {
    let mut desk = Desk::new("600.00", Some("30.01")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    desk.edit(|request| request.monthly_budget = Some(usd("10.01")))
        .await;
    let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert!(
        matches!(reply.step, Step::Wait { ref reason, .. } if reason == "MonthlyBudgetReached"),
        "{:?}",
        reply.step
    );
    desk.edit(|request| request.monthly_budget = None).await;
    assert_eq!(desk.reason().await, None);
}

#[tokio::test]
async fn a_permit_is_charged_to_the_credential_it_was_granted_with() {
    let mut desk = Desk::new("600.00", Some("500.00")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.edit(|request| {
        request.credential = "default/y".into();
        request.generation += 1;
    })
    .await;
    assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), usd("10.01"));
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert_eq!(desk.used("default/x").await.0, usd("10.01"));
    // The chain's next page is paid by the credential that its token belongs to.
    permit(&reply.step);
    assert_eq!(desk.used("default/x").await.1, [2]);
    assert_eq!(desk.used("default/y").await, (Usd::ZERO, vec![]));
    let credential = desk.credential_of("scan", lease.range).await;
    assert_eq!(credential, "default/x");
}

/// M-26: a chain keeps its credential, and hears of that credential's new limits.
#[tokio::test]
async fn a_kept_credentials_lowered_limits_hold_for_the_chain() {
    for (name, change) in [
        (
            "CredentialChanged",
            (|terms| terms.monthly_budget = Some(usd("10.01"))) as fn(&mut Terms),
        ),
        ("RateLimitWindow", |terms| {
            terms.rules.iter_mut().for_each(|rule| rule.requests = 1);
        }),
    ] {
        let mut desk = Desk::new("600.00", Some("500.00")).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let lease = desk.claim(&a).await;
        let mut terms = desk.request.terms_of(Source::Api);
        desk.edit(|request| request.credential = "default/y".into()).await;
        change(&mut terms);
        desk.edit(|request| request.kept = Some(terms)).await;
        let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
        let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
        assert!(
            matches!(reply.step, Step::Wait { ref reason, .. } if reason == name),
            "{name}: {:?}",
            reply.step
        );
        if name == "RateLimitWindow" {
            // Its Credential is deleted: the last limits that were known of it stay.
            desk.edit(|request| request.kept = None).await;
            let asks = Release {
                held: held(&lease),
                unused: None,
            };
            let reply = desk.ledger.step(&a, &asks).await.unwrap();
            assert!(
                matches!(reply.step, Step::Wait { ref reason, .. } if reason == name),
                "{reply:?}"
            );
        }
    }
}

/// M-26: which limits a chain's credential has is known before anybody knows that the chain keeps it, and still when the
/// Credential is gone.
#[tokio::test]
async fn a_kept_credential_has_the_limits_that_were_last_known_of_it() {
    for deleted in [false, true] {
        let mut desk = Desk::new("600.00", Some("500.00")).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let lease = desk.claim(&a).await;
        let lowered = Some(usd("10.01"));
        if deleted {
            let mut terms = desk.request.terms_of(Source::Api);
            terms.monthly_budget = lowered;
            desk.edit(|request| request.credential = "default/y".into()).await;
            desk.edit(|request| request.kept = Some(terms)).await;
            desk.edit(|request| request.kept = None).await;
        } else {
            desk.edit(|request| request.monthly_budget = lowered).await;
            desk.edit(|request| {
                request.credential = "default/y".into();
                request.monthly_budget = None;
            })
            .await;
        }
        let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
        let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
        assert!(
            matches!(reply.step, Step::Wait { ref reason, .. } if reason == "CredentialChanged"),
            "{deleted}: {:?}",
            reply.step
        );
        assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), usd("10.01"));
    }
}

/// M-26: a Credential may get another type; its months and windows go on.
#[tokio::test]
async fn a_kept_credential_that_changed_its_type_has_its_limits_all_the_same() {
    for is_told in [false, true] {
        let mut desk = Desk::new("600.00", Some("500.00")).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let lease = desk.claim(&a).await;
        desk.edit(|request| {
            request.auth = Auth::UserToken;
            request.monthly_budget = Some(usd("10.01"));
        })
        .await;
        let terms = desk.request.terms_of(Source::Api);
        desk.edit(|request| {
            request.credential = "default/y".into();
            request.monthly_budget = None;
        })
        .await;
        if is_told {
            desk.edit(|request| request.kept = Some(terms)).await;
        }
        let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
        let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
        assert!(
            matches!(reply.step, Step::Wait { ref reason, .. } if reason == "CredentialChanged"),
            "{is_told}: {:?}",
            reply.step
        );
        assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), usd("10.01"));
    }
}

/// The token of a lease is that of its terms: a permit under another credential would be paid by one and counted by another.
#[tokio::test]
async fn a_lease_that_outlives_its_unused_permit_is_given_back_when_the_credential_changed() {
    let mut desk = Desk::new("600.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    permit(&lease.step);
    desk.edit(|request| request.credential = "default/y".into()).await;
    desk.pass(56);
    let asks = Release {
        held: held(&lease),
        unused: None,
    };
    let reply = desk.ledger.step(&a, &asks).await.unwrap();
    assert!(
        matches!(reply.step, Step::Wait { ref reason, .. } if reason == "CredentialChanged"),
        "{:?}",
        reply.step
    );
    assert_eq!(desk.used("default/y").await, (Usd::ZERO, vec![]));
    desk.ledger.release(&a, &asks).await.unwrap();
    permit(&desk.claim(&a).await.step);
    assert_eq!(desk.used("default/y").await.1, [1]);
}

#[tokio::test]
async fn an_unused_permit_frees_the_slot_of_its_own_credential() {
    let mut desk = Desk::new("600.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.edit(|request| request.credential = "default/y".into()).await;
    let release = Release {
        held: held(&lease),
        unused: Some(permit(&lease.step).id),
    };
    let reply = desk.ledger.step(&a, &release).await.unwrap();
    assert_eq!(desk.used("default/x").await.1, Vec::<i64>::new());
    // No page was read: the chain begins with the other credential, under a new lease.
    assert!(
        matches!(reply.step, Step::Wait { ref reason, held: true, .. } if reason == "CredentialChanged"),
        "{:?}",
        reply.step
    );
    let release = Release {
        held: held(&lease),
        unused: None,
    };
    desk.ledger.release(&a, &release).await.unwrap();
    permit(&desk.claim(&a).await.step);
    assert_eq!(desk.used("default/y").await.1, [1]);
    assert_eq!(desk.ledger.month_used("default/y").await.unwrap(), usd("10.00"));
}

#[tokio::test]
async fn a_refused_credential_hands_its_chain_to_the_one_that_the_scan_names() {
    let mut desk = Desk::new("600.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let mut lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    desk.edit(|request| request.credential = "default/y".into()).await;
    let reply = desk.fail(&a, &lease, Class::CreditsDepleted).await;
    assert!(
        matches!(reply.step, Step::Wait { ref reason, held: true, .. } if reason == "CredentialChanged"),
        "{:?}",
        reply.step
    );
    let release = Release {
        held: held(&lease),
        unused: None,
    };
    desk.ledger.release(&a, &release).await.unwrap();
    let next = permit(&desk.claim(&a).await.step);
    assert_eq!(
        next.place.cursor.as_deref(),
        Some("token-0"),
        "it goes on where it was"
    );
    let credential = desk.credential_of("scan", lease.range).await;
    assert_eq!(credential, "default/y");
}

/// M-26: who replaced a credential that is used up has done what the platform asks for.
#[tokio::test]
async fn a_refusal_of_a_credential_that_is_not_named_any_more_holds_nothing() {
    for class in [Class::CreditsDepleted, Class::RateLimited] {
        for is_list in [false, true] {
            let mut desk = Desk::new("600.00", None).await;
            let a = desk.sandbox("a").await;
            if is_list {
                desk.resolve(&a, 3000).await;
            }
            let lease = desk.claim(&a).await;
            desk.edit(|request| {
                request.credential = "default/y".into();
                request.generation += 1;
            })
            .await;
            let reply = desk.fail(&a, &lease, class).await;
            assert!(
                matches!(reply.step, Step::Wait { ref reason, .. } if reason == "CredentialChanged"),
                "{:?}",
                reply.step
            );
            assert_eq!(desk.reason().await, None);
            desk.give_back(&a, &lease).await;
            permit(&desk.claim(&a).await.step);
        }
    }
}

#[tokio::test]
async fn a_hand_over_whose_answer_was_lost_is_answered_again() {
    let mut desk = Desk::new("600.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let mut lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    desk.edit(|request| request.credential = "default/y".into()).await;
    for _ in 0..2 {
        let reply = desk.fail(&a, &lease, Class::CreditsDepleted).await;
        assert!(
            matches!(reply.step, Step::Wait { ref reason, held: true, .. } if reason == "CredentialChanged"),
            "{:?}",
            reply.step
        );
    }
}

#[tokio::test]
async fn possible_charges_of_a_deleted_scan_stay_in_their_month() {
    for settled in [false, true] {
        let desk = Desk::new("100.00", Some("500.00")).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        desk.claim(&a).await;
        if settled {
            desk.pass(120);
            desk.ledger.sweep_permits().await.unwrap();
        }
        assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), usd("10.01"));
        desk.ledger.forget_scan("scan", false).await.unwrap();
        assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), usd("10.01"));
        desk.pass(40 * 86_400);
        assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), Usd::ZERO);
    }
}

#[tokio::test]
async fn a_possible_charge_counts_in_one_month() {
    let desk = Desk::new("100.00", Some("500.00")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    desk.claim(&a).await;
    desk.pass(40 * 86_400);
    assert_eq!(
        desk.ledger.month_used("default/x").await.unwrap(),
        usd("10.00"),
        "open"
    );
    desk.ledger.sweep_permits().await.unwrap();
    assert_eq!(
        desk.ledger.month_used("default/x").await.unwrap(),
        Usd::ZERO,
        "of September"
    );
}

/// A page that returns fewer rows than were reserved for it leaves the rest of the month to others.
#[tokio::test]
async fn what_another_scan_has_reserved_of_the_month_is_waited_for() {
    let desk = Desk::new("600.00", Some("10.02")).await;
    let other = ScanRequest {
        uid: "other".into(),
        name: "other".into(),
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&other).await.unwrap();
    let (a, b) = (desk.sandbox("a").await, desk.sandbox_of("other", "b").await);
    desk.resolve(&a, 1000).await;
    desk.resolve(&b, 1000).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 300, true);
    let waiting = desk.claim(&b).await;
    assert!(
        matches!(waiting.step, Step::Wait { ref reason, held: false, .. } if reason == "MonthlyBudgetReached"),
        "{:?}",
        waiting.step
    );
    let summary = desk.ledger.summary("other").await.unwrap().unwrap();
    assert_eq!(summary.hold, None);
    desk.ledger.commit_page(&a, &page).await.unwrap();
    assert_eq!(permit(&desk.claim(&b).await.step).max_rows, 700);
}
