use followlytics_core::{
    money::Usd,
    scan::permit::{SETTLE, START},
};

use super::*;
use crate::ledger::LedgerError;

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_is_returned_is_charged_and_the_rest_of_the_reservation_is_free_again() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let first = permit(&lease.step);
    assert_eq!(
        desk.ledger.summary("scan").await.unwrap().unwrap().reserved,
        usd("10.00")
    );
    desk.ledger
        .commit_page(&a, &Desk::page(&lease, &first, 700, false))
        .await
        .unwrap();
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.spent, summary.reserved, summary.ambiguous),
        (usd("7.01"), usd("10.00"), Usd::ZERO)
    );
}

#[tokio::test]
async fn a_page_sent_twice_is_charged_once_and_answered_the_same() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    let first = desk.ledger.commit_page(&a, &page).await.unwrap();
    let second = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(
        desk.ledger.summary("scan").await.unwrap().unwrap().spent,
        usd("10.01")
    );
}

#[tokio::test]
async fn a_permit_whose_outcome_never_comes_is_ambiguous_and_its_dollars_stay_held() {
    let desk = Desk::new("30.05", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    desk.claim(&a).await;
    // The longest that its request may take to start, to end and to be reported.
    let longest = (START + SETTLE).as_secs();
    for (seconds, expected) in [
        (longest - 1, (usd("10.00"), Usd::ZERO, 0)),
        (1, (Usd::ZERO, usd("10.00"), 1)),
    ] {
        desk.pass(seconds);
        desk.ledger.sweep_permits().await.unwrap();
        let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
        assert_eq!(
            (summary.reserved, summary.ambiguous, summary.requests.unanswered),
            expected
        );
    }
}

/// Money that only an open request reserves is not used up: its outcome decides.
#[tokio::test]
async fn a_budget_that_an_open_request_reserves_is_waited_for() {
    for (refused, reason) in [(true, None), (false, Some("BudgetExhausted"))] {
        let desk = Desk::new("20.01", None).await;
        let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
        desk.resolve(&a, 2000).await;
        let mut lost = desk.claim(&a).await;
        let page = Desk::page(&lost, &permit(&lost.step), 1000, false);
        lost.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
        desk.pass(40);
        let next = desk.claim(&b).await;
        assert!(
            matches!(next.step, Step::Wait { held: false, ref reason, .. } if reason == "BudgetExhausted"),
            "{:?}",
            next.step
        );
        assert_eq!(desk.ledger.summary("scan").await.unwrap().unwrap().hold, None);
        if refused {
            let failed = failed(&lost, Class::RateLimited);
            let late = desk.ledger.record_failure(&a, &failed).await;
            assert!(matches!(late, Err(LedgerError::Fenced)), "{late:?}");
        } else {
            desk.pass(20);
            desk.ledger.sweep_permits().await.unwrap();
        }
        let asks = followlytics_core::wire::Release {
            held: held(&next),
            unused: None,
        };
        let step = desk.ledger.step(&b, &asks).await.unwrap().step;
        assert_eq!(matches!(step, Step::Permit(_)), refused, "{step:?}");
        let hold = desk.ledger.summary("scan").await.unwrap().unwrap().hold;
        assert_eq!(hold.map(|hold| hold.reason).as_deref(), reason);
        if !refused {
            // The refusal arrives at last: the hold is over by itself.
            let id = permit(&lost.step).id;
            let unused = followlytics_core::wire::Release {
                held: held(&lost),
                unused: Some(id),
            };
            let late = desk.ledger.release(&a, &unused).await;
            assert!(matches!(late, Err(LedgerError::Fenced)), "{late:?}");
            let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
            assert_eq!(
                (summary.hold, summary.ambiguous, summary.requests.unanswered),
                (None, Usd::ZERO, 0)
            );
        }
    }
}

/// What another request may have cost of the month is known late: who waits for the next month goes on then.
#[tokio::test]
async fn a_month_that_has_money_again_is_not_waited_out() {
    let desk = Desk::new("100.00", Some("20.01")).await;
    let (a, b) = (desk.sandbox("a").await, desk.sandbox("b").await);
    desk.resolve(&a, 2000).await;
    let mut lost = desk.claim(&a).await;
    let page = Desk::page(&lost, &permit(&lost.step), 1000, false);
    lost.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    desk.pass(60);
    desk.ledger.sweep_permits().await.unwrap();
    let next = desk.claim(&b).await;
    let reason = async || {
        desk.ledger.sweep_permits().await.unwrap();
        let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
        summary.hold.map(|hold| hold.reason)
    };
    assert_eq!(
        reason().await.as_deref(),
        Some("MonthlyBudgetReached"),
        "{next:?}"
    );
    let late = desk
        .ledger
        .record_failure(&a, &failed(&lost, Class::RateLimited))
        .await;
    assert!(matches!(late, Err(LedgerError::Fenced)), "{late:?}");
    assert_eq!(reason().await, None);
}

/// A plan, or a chain's new start, is weighed again once a reserved request has cost nothing.
#[tokio::test]
async fn a_budget_that_was_too_small_is_weighed_again_once_dollars_come_free() {
    let desk = Desk::new("40.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 2000).await;
    let row = desk.ledger.find_scan("scan").await.unwrap().unwrap();
    let held = |reason: &str, lines, ambiguous: &str| {
        let mut row = row.clone();
        row.lines = lines;
        row.purse.reserved = Usd::ZERO;
        row.purse.ambiguous = usd(ambiguous);
        row.hold = Some(followlytics_core::scan::summary::Hold {
            reason: reason.to_owned(),
            message: String::new(),
            until: None,
        });
        row
    };
    for (reason, lines, ambiguous, before, is_lifted) in [
        ("BudgetExhausted", 1, "39.00", "0.00", true),
        ("BudgetExhausted", 1, "39.00", "1.02", false),
        ("BudgetExhausted", 1, "40.01", "0.00", false),
        ("CursorExpired", 1, "19.99", "0.00", true),
        ("CursorExpired", 1, "20.00", "0.00", false),
        ("BudgetTooSmall", 0, "19.99", "0.00", true),
        ("BudgetTooSmall", 0, "20.00", "0.00", false),
        ("UsageCapped", 1, "0.00", "0.00", false),
    ] {
        let mut row = held(reason, lines, ambiguous);
        // A little was free before, or less than nothing.
        let before = usd(before).minus(usd("0.03"));
        crate::ledger::holds::relieve(&mut row, before);
        assert_eq!(row.hold.is_none(), is_lifted, "{reason} {ambiguous} {before}");
    }
}

/// The ledger was away when the request was refused: the refusal frees the money whenever it arrives, and once.
#[tokio::test]
async fn a_refusal_that_arrives_long_after_its_permit_was_due_frees_its_dollars() {
    for is_lease_lost in [false, true] {
        let desk = Desk::new("30.05", None).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let lease = desk.claim(&a).await;
        desk.pass(120);
        desk.ledger.sweep_permits().await.unwrap();
        if is_lease_lost {
            desk.claim(&desk.sandbox("b").await).await;
        }
        for _ in 0..2 {
            let failed = Failed {
                held: held(&lease),
                permit: permit(&lease.step).id,
                failure: Failure {
                    class: Class::RateLimited,
                    message: "429".into(),
                    told: None,
                    retry_after_ms: None,
                },
            };
            let answer = desk.ledger.record_failure(&a, &failed).await;
            assert_eq!(answer.is_err(), is_lease_lost, "{answer:?}");
            let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
            assert_eq!((summary.ambiguous, summary.requests.unanswered), (Usd::ZERO, 0));
            assert_eq!(summary.requests.failed, 1);
        }
    }
}

#[tokio::test]
async fn a_plan_over_the_budget_lists_nothing_and_says_which_setting_helps() {
    let mut desk = Desk::new("1.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 50_000).await;
    assert_eq!(desk.ledger.claim(&a).await.unwrap(), Claimed::Finished);
    let hold = desk.ledger.summary("scan").await.unwrap().unwrap().hold.unwrap();
    assert_eq!(hold.reason, "BudgetTooSmall");
    assert!(
        hold.message.contains("$500.01") && hold.message.contains("spec.budget.maxUsd"),
        "{}",
        hold.message
    );
    desk.request.budget = usd("600.00");
    desk.request.generation += 1;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    assert!(matches!(desk.claim(&a).await.step, Step::Permit(_)));
}

/// What the first page reserves is a part of the plan: an edit while it is under way counts it once.
#[tokio::test]
async fn an_edit_during_the_first_page_leaves_the_budget_large_enough() {
    let mut desk = Desk::new("32.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.request.generation += 1;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    assert_eq!(desk.ledger.summary("scan").await.unwrap().unwrap().hold, None);
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert!(matches!(reply.step, Step::Permit(_)), "{:?}", reply.step);
}

#[tokio::test]
async fn the_last_dollars_buy_a_short_page_and_then_the_scan_waits_for_a_person() {
    let desk = Desk::new("15.01", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 1500).await;
    let lease = desk.claim(&a).await;
    let reply = desk
        .ledger
        .commit_page(&a, &Desk::page(&lease, &permit(&lease.step), 1000, false))
        .await
        .unwrap();
    let second = permit(&reply.step);
    assert_eq!(second.max_rows, 500);
    let reply = desk
        .ledger
        .commit_page(&a, &Desk::page(&lease, &second, 500, false))
        .await
        .unwrap();
    assert!(
        matches!(reply.step, Step::Wait { ref reason, .. } if reason == "BudgetExhausted"),
        "{:?}",
        reply.step
    );
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!((summary.spent, summary.wanted_runners), (usd("15.01"), 0));
}

#[tokio::test]
async fn a_month_that_cannot_pay_holds_the_scan_until_the_next_one() {
    let desk = Desk::new("600.00", Some("20.00")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let hold = desk.ledger.summary("scan").await.unwrap().unwrap().hold.unwrap();
    assert_eq!(hold.reason, "MonthlyBudgetReached");
    assert_eq!(hold.until.unwrap().to_string(), "2026-10-01T00:00:00Z");
    assert_eq!(desk.ledger.month_used("default/x").await.unwrap(), usd("0.01"));
}

/// A month that ends pays for no plan that is larger than a month.
#[tokio::test]
async fn a_plan_that_no_month_can_pay_for_is_not_begun_in_the_next_one() {
    let desk = Desk::new("600.00", Some("20.00")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    desk.pass(11 * 24 * 3600);
    desk.ledger.sweep_permits().await.unwrap();
    let lease = desk.claim(&a).await;
    assert!(
        matches!(lease.step, Step::Wait { held: true, ref reason, .. } if reason == "MonthlyBudgetReached"),
        "{:?}",
        lease.step
    );
    let hold = desk.ledger.summary("scan").await.unwrap().unwrap().hold.unwrap();
    assert_eq!(hold.until.unwrap().to_string(), "2026-11-01T00:00:00Z");
}

/// Dollars that came free may leave the month as what is short: then it says until when.
#[tokio::test]
async fn a_hold_that_turns_into_one_for_the_month_ends_with_it() {
    let desk = Desk::new("30.05", Some("20.00")).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let mut row = desk.ledger.find_scan("scan").await.unwrap().unwrap();
    row.hold = Some(followlytics_core::scan::summary::Hold {
        reason: "BudgetTooSmall".to_owned(),
        message: String::new(),
        until: None,
    });
    crate::ledger::holds::relieve(&mut row, Usd::ZERO);
    assert_eq!(row.hold.as_ref().unwrap().until, None);
    let mut tx = desk.ledger.begin_scan("scan").await.unwrap();
    crate::ledger::scans::put(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    desk.ledger.sweep_permits().await.unwrap();
    let hold = desk.ledger.summary("scan").await.unwrap().unwrap().hold.unwrap();
    assert_eq!(
        (hold.reason.as_str(), hold.until.unwrap().to_string().as_str()),
        ("MonthlyBudgetReached", "2026-10-01T00:00:00Z")
    );
}

#[tokio::test]
async fn depleted_credits_stop_the_scan_and_a_resume_tries_again() {
    let mut desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    desk.fail(&a, &lease, Class::CreditsDepleted).await;
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(summary.hold.unwrap().reason, "CreditsDepleted");
    assert_eq!(
        (summary.spent, summary.reserved, summary.ambiguous),
        (usd("0.01"), Usd::ZERO, Usd::ZERO)
    );
    for mode in [Mode::Suspend, Mode::Run] {
        desk.request.mode = mode;
        desk.ledger.ensure_scan(&desk.request).await.unwrap();
    }
    assert_eq!(desk.ledger.summary("scan").await.unwrap().unwrap().hold, None);
}

#[tokio::test]
async fn an_expired_token_starts_the_chain_again_only_if_the_money_pays_for_it() {
    for (budget, restarts) in [("100.00", true), ("30.01", false)] {
        let desk = Desk::new(budget, None).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let mut lease = desk.claim(&a).await;
        let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
        lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
        let reply = desk.fail(&a, &lease, Class::CursorExpired).await;
        match reply.step {
            Step::Permit(permit) => assert!(restarts && permit.place == Place::at(0)),
            Step::Wait { reason, .. } => assert!(!restarts && reason == "CursorExpired"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_dry_run_pays_for_its_look_up_and_lists_nothing() {
    let mut desk = Desk::new("1.00", None).await;
    desk.request.dry_run = true;
    desk.request.generation += 1;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox("a").await;
    assert_eq!(desk.resolve(&a, 50_000).await.step, Step::Done);
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!((summary.spent, summary.scanned), (usd("0.01"), 0));
    assert_eq!(summary.plan.unwrap().price, usd("500.01"));
    assert_eq!(desk.ledger.claim(&a).await.unwrap(), Claimed::Finished);
}
