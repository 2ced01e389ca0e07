//! Lists whose cursors go round, and pages with more rows than requested.

use followlytics_core::{
    money::Usd,
    scan::{
        observed::Anomaly,
        range::State,
        summary::{Stage, Summary},
    },
};

use super::*;

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

/// A page whose next one is at this token.
fn leading_to(lease: &Lease, permit: &Permit, token: &str) -> NewPage {
    let mut page = Desk::page(lease, permit, 100, false);
    page.header.output.cursor = Some(token.to_owned());
    page
}

/// Commits pages that lead to these tokens until the ledger wants no further one.
async fn read(desk: &Desk, sandbox: &Sandbox, lease: &Lease, tokens: &[&str]) -> usize {
    let mut step = lease.step.clone();
    for (read, token) in tokens.iter().enumerate() {
        let Step::Permit(permit) = step else {
            return read;
        };
        let page = leading_to(lease, &permit, token);
        step = desk.ledger.commit_page(sandbox, &page).await.unwrap().step;
        let again = desk.ledger.commit_page(sandbox, &page).await.unwrap().step;
        assert_eq!(
            step, again,
            "a page that is sent again is answered as the first time"
        );
    }
    tokens.len()
}

#[tokio::test]
async fn a_chain_whose_tokens_go_round_ends_with_every_row_it_read() {
    let long = "t".repeat(10_000);
    for (tokens, read_pages) in [
        (vec!["1", "2", "1", "2", "1"], 3),
        (vec!["1", "2", "3", "4", "2", "3"], 5),
        (vec![&long, "2", &long, "2"], 3),
    ] {
        let desk = Desk::new("100.00", None).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let lease = desk.claim(&a).await;
        assert_eq!(read(&desk, &a, &lease, &tokens).await, read_pages);
        let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
        assert_eq!(
            (summary.stage, summary.failure.unwrap().reason.as_str()),
            (Stage::Merging, "CursorRepeated")
        );
        let pages = i64::try_from(read_pages).unwrap();
        assert_eq!((summary.scanned, summary.ranges.failed), (100 * pages, 1));
        assert_eq!(summary.reserved, Usd::ZERO);
        let row = desk.ledger.find_scan("scan").await.unwrap().unwrap();
        assert_eq!(row.observed.anomalies[&Anomaly::CursorRepeated], 1);
        let input = desk.ledger.merge_input("scan").await.unwrap();
        assert!(input.ranges.iter().any(|range| range.state == State::Failed));
    }
}

#[tokio::test]
async fn a_chain_that_started_again_may_use_its_tokens_again() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let mut lease = desk.claim(&a).await;
    for token in ["1", "2"] {
        let page = leading_to(&lease, &permit(&lease.step), token);
        lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    }
    lease.step = desk.fail(&a, &lease, Class::CursorExpired).await.step;
    assert_eq!(read(&desk, &a, &lease, &["1", "2", "3", "4"]).await, 4);
    assert_eq!(desk.ledger.summary("scan").await.unwrap().unwrap().failure, None);
}

/// Reads pages that lead to these tokens, and waits in between as long as the ledger says.
async fn read_with_pauses(desk: &Desk, sandbox: &Sandbox, tokens: &[&str]) -> Summary {
    let mut lease = desk.claim(sandbox).await;
    for token in tokens {
        if matches!(lease.step, Step::Wait { .. }) {
            desk.pass(3);
            let release = followlytics_core::wire::Release {
                held: held(&lease),
                unused: None,
            };
            lease.step = desk.ledger.step(sandbox, &release).await.unwrap().step;
        }
        let page = leading_to(&lease, &permit(&lease.step), token);
        lease.step = desk.ledger.commit_page(sandbox, &page).await.unwrap().step;
    }
    desk.ledger.summary("scan").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_token_named_as_its_own_next_one_is_paid_for_three_times_and_keeps_its_rows() {
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let summary = read_with_pauses(&desk, &a, &["1", "1", "1", "1"]).await;
    assert_eq!(summary.stage, Stage::Merging, "{:?}", summary.hold);
    assert_eq!(summary.failure.unwrap().reason, "CursorRepeated");
    assert_eq!((summary.spent, summary.ambiguous), (usd("4.01"), Usd::ZERO));
    assert_eq!((summary.scanned, summary.requests.refetched_pages), (400, 2));
}

/// Failures of the same page are no readings of it, and its rows count once towards a cap.
#[tokio::test]
async fn a_page_that_names_itself_once_costs_neither_its_tries_nor_the_cap() {
    let mut desk = Desk::new("1000.00", None).await;
    desk.request = ScanRequest {
        uid: "capped".into(),
        ..desk.request.clone()
    };
    desk.request.wishes.max_rows = 300;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("capped", "capped-a").await;
    desk.resolve(&a, 3000).await;
    let mut lease = desk.claim(&a).await;
    let read = async |lease: &mut Lease, token| {
        let mut page = leading_to(lease, &permit(&lease.step), token);
        page.header.scan = "capped".into();
        page.key = page.key.replace("scan/", "capped/");
        lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    };
    let wait = async |lease: &mut Lease| {
        desk.pass(5);
        let release = followlytics_core::wire::Release {
            held: held(lease),
            unused: None,
        };
        lease.step = desk.ledger.step(&a, &release).await.unwrap().step;
    };
    read(&mut lease, "1").await;
    for _ in 0..2 {
        desk.fail(&a, &lease, Class::ServerError).await;
        wait(&mut lease).await;
    }
    read(&mut lease, "1").await;
    wait(&mut lease).await;
    read(&mut lease, "2").await;
    let stage = async || desk.ledger.summary("capped").await.unwrap().unwrap().stage;
    assert_eq!(stage().await, Stage::Scanning, "two hundred rows");
    read(&mut lease, "3").await;
    assert_eq!(stage().await, Stage::Merging);
}

#[tokio::test]
async fn a_token_that_is_named_twice_by_mistake_ends_nothing() {
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let summary = read_with_pauses(&desk, &a, &["1", "1", "2", "3", "3", "3", "4"]).await;
    assert_eq!((summary.stage, summary.failure), (Stage::Scanning, None));
    assert_eq!((summary.scanned, summary.requests.refetched_pages), (700, 3));
}

#[tokio::test]
async fn rows_that_were_not_requested_are_kept_and_shown_and_end_the_requests() {
    let desk = Desk::new("15.01", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 1500).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1200, false);
    let second = permit(&desk.ledger.commit_page(&a, &page).await.unwrap().step);
    let row = |desk: &Desk| {
        let ledger = desk.ledger.clone();
        async move { ledger.summary("scan").await.unwrap().unwrap() }
    };
    let first = row(&desk).await;
    assert_eq!((first.spent, first.surplus), (usd("10.01"), usd("2.00")));
    assert_eq!(second.max_rows, 300, "the surplus is paid from the budget");
    let page = Desk::page(&lease, &second, 1000, false);
    let reply = desk.ledger.commit_page(&a, &page).await.unwrap();
    let summary = row(&desk).await;
    let promised = summary.spent.plus(summary.reserved).plus(summary.ambiguous);
    assert_eq!((promised, summary.surplus), (usd("13.01"), usd("9.00")));
    assert_eq!(summary.scanned, 2200, "all rows are kept");
    let hold = summary.hold.unwrap();
    assert_eq!(hold.reason, "BudgetExhausted");
    assert!(
        hold.message
            .contains("$9.00 charged for rows that were not requested"),
        "{}",
        hold.message
    );
    assert!(
        matches!(reply.step, Step::Wait { held: true, .. }),
        "{:?}",
        reply.step
    );
    let scan = desk.ledger.find_scan("scan").await.unwrap().unwrap();
    assert_eq!(scan.observed.anomalies[&Anomaly::SurplusRows], 2);
    // What the platform charged is what the credential's bill shows.
    let used = desk.ledger.credential_use("default/x").await.unwrap();
    assert_eq!(used.spent, usd("22.01"));
}

#[tokio::test]
async fn a_free_list_that_leads_nowhere_is_tried_a_few_times_and_given_up() {
    let mut desk = Desk::new("1.00", None).await;
    desk.request = ScanRequest {
        uid: "free".into(),
        account: AccountRef::new("github", "torvalds", None).unwrap(),
        base_url: "https://api.github.com".into(),
        rules: Vec::new(),
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("free", "free-a").await;
    let mut reply = desk.resolve(&a, 150).await;
    while let Step::Permit(permit) = &reply.step {
        let held = Held { range: 0, epoch: 1 };
        let finding = Finding::Probe(followlytics_core::scan::plan::Probe {
            asked: permit.place.clone(),
            rows: 100,
            next: Some(Place::at(100)),
            total: Some(150),
        });
        let found = Found {
            held,
            permit: permit.id.clone(),
            finding,
            told: None,
        };
        reply = desk.ledger.record_finding(&a, &found).await.unwrap();
    }
    let mut read = 0;
    while desk.ledger.summary("free").await.unwrap().unwrap().stage == Stage::Scanning && read < 40 {
        desk.pass(200);
        let Ok(Claimed::Range { held, .. }) = desk.ledger.claim(&a).await else {
            continue;
        };
        let lease = desk.ledger.open_lease(&a, held).await.unwrap();
        let asked = permit(&lease.step);
        let mut page = Desk::page(&lease, &asked, 0, false);
        (page.header.scan, page.header.platform) = ("free".into(), Platform::GitHub);
        page.header.output = asked.place;
        desk.ledger.commit_page(&a, &page).await.unwrap();
        read += 1;
    }
    let summary = desk.ledger.summary("free").await.unwrap().unwrap();
    assert_eq!(summary.failure.unwrap().reason, "CursorRepeated");
    assert_eq!(
        (summary.stage, read),
        (Stage::Ended, 12),
        "no row was read: there is no result"
    );
}
