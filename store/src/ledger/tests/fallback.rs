//! One source gives out, is refused, or is taken away: what the scan does then.

use followlytics_core::scan::{
    plan::{Probe, Wishes},
    range::Range,
    request::Access,
    source::{Source, Wish},
};

use super::*;

fn access() -> Access {
    Access {
        credential: "default/session".into(),
        base_url: "https://x.com".into(),
        rules: vec![Rule::new(Family::Followers, 50, 60_000)],
    }
}

/// A scan that may use a browser, not looked up yet.
async fn desk(budget: &str, wishes: impl FnOnce(&mut Wishes)) -> (Desk, Sandbox) {
    let mut desk = Desk::new(budget, None).await;
    desk.request.uid = "both".into();
    desk.request.source = Wish::Auto;
    desk.request.browser = Some(access());
    wishes(&mut desk.request.wishes);
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("both", "both-a").await;
    (desk, a)
}

async fn sources(desk: &Desk) -> Vec<Source> {
    let ranges: Vec<Range> = desk.ledger.list_ranges("both").await.unwrap();
    let listing = ranges.into_iter().filter(|range| range.id > 0);
    listing.map(|range| range.source).collect()
}

#[tokio::test]
async fn an_api_that_refused_the_look_up_is_not_asked_for_the_list() {
    let (desk, a) = desk("100.00", |_| ()).await;
    let lease = desk.claim(&a).await;
    desk.fail(&a, &lease, Class::CreditsDepleted).await;
    desk.resolve(&a, 2000).await;
    let sources = sources(&desk).await;
    assert!(!sources.is_empty() && sources.iter().all(|source| *source == Source::Browser));
    let summary = desk.ledger.summary("both").await.unwrap().unwrap();
    assert_eq!((summary.hold, summary.wanted_runners), (None, 1));
}

#[tokio::test]
async fn the_first_rows_are_a_browsers_where_the_money_does_not_pay_for_them() {
    let (desk, a) = desk("5.00", |wishes| wishes.max_rows = 1_500).await;
    desk.resolve(&a, 2000).await;
    assert_eq!(sources(&desk).await, [Source::Browser]);
    assert_eq!(desk.claim(&a).await.source, Source::Browser);
}

#[tokio::test]
async fn a_browser_that_is_taken_away_is_waited_for_and_nobody_is_given_the_apis_token_instead() {
    let (mut desk, a) = desk("10.50", |_| ()).await;
    desk.resolve(&a, 2000).await;
    desk.request.browser = None;
    desk.request.generation += 1;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    assert_eq!(desk.claim(&a).await.source, Source::Api);
    let tab = Sandbox { tab: 1, ..a };
    assert_eq!(desk.ledger.claim(&tab).await.unwrap(), Claimed::Finished);
    desk.request.browser = Some(access());
    desk.request.generation += 1;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    assert_eq!(desk.claim(&tab).await.source, Source::Browser);
}

#[tokio::test]
async fn a_sandbox_that_lost_the_answer_to_its_claim_gets_no_second_range_while_the_first_waits() {
    let (desk, a) = desk("10.50", |_| ()).await;
    desk.resolve(&a, 2000).await;
    let chain = desk.claim(&a).await;
    assert_eq!(chain.source, Source::Api);
    desk.fail(&a, &chain, Class::Network).await;
    desk.give_back(&a, &chain).await;
    let lost = desk.claim(&a).await;
    assert_eq!(lost.source, Source::Browser, "the chain is not due yet");
    let tab = Sandbox { tab: 1, ..a.clone() };
    let web = desk.claim(&tab).await;
    desk.fail(&tab, &web, Class::Challenge).await;
    desk.pass(5);
    let again = desk.claim(&a).await;
    assert_eq!(held(&again), held(&lost));
    assert!(
        matches!(&again.step, Step::Wait { held: true, .. }),
        "{:?}",
        again.step
    );
    desk.give_back(&a, &again).await;
    assert_eq!(desk.claim(&a).await.range, chain.range);
}

#[tokio::test]
async fn a_page_that_was_under_way_does_not_undo_what_waits_for_a_person() {
    let (desk, a) = desk("10.50", |_| ()).await;
    desk.resolve(&a, 2000).await;
    let tab = |number| Sandbox {
        tab: number,
        ..a.clone()
    };
    let (first, second) = (desk.claim(&tab(1)).await, desk.claim(&tab(2)).await);
    desk.fail(&tab(1), &first, Class::Challenge).await;
    let mut page = Desk::page(&second, &permit(&second.step), 20, false);
    page.header.scan = "both".into();
    page.header.output = Place::at(second.span.unwrap().lo + 1);
    let reply = desk.ledger.commit_page(&tab(2), &page).await.unwrap();
    assert!(
        matches!(&reply.step, Step::Wait { reason, held: true, .. } if reason == "ChallengeShown"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_network_that_is_down_is_no_reason_to_pay() {
    let (mut desk, _) = desk("100.00", |_| ()).await;
    desk.request.uid = "only".into();
    desk.request.monthly_budget = Some("21.00".parse().unwrap());
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("only", "only-a").await;
    desk.resolve(&a, 2000).await;
    let listed = |ranges: Vec<Range>| {
        let apis = |range: &&Range| range.id > 0 && range.source == Source::Api;
        ranges.iter().filter(apis).count()
    };
    for (class, apis) in [(Class::Network, 0), (Class::BrowserCrashed, 1)] {
        for _ in 0..3 {
            let lease = desk.claim(&a).await;
            assert_eq!(lease.source, Source::Browser);
            desk.fail(&a, &lease, class).await;
            desk.pass(100);
        }
        let ranges = desk.ledger.list_ranges("only").await.unwrap();
        assert_eq!(listed(ranges), apis, "{class}");
    }
}

/// A list of Bluesky, whose places are times: looked up, probed, and its first range claimed.
async fn timed() -> (Desk, Sandbox, Lease) {
    let mut desk = Desk::new("1.00", None).await;
    desk.request = ScanRequest {
        uid: "timed".into(),
        account: AccountRef::new("bluesky", "nasa.test", None).unwrap(),
        credential: "default/bluesky".into(),
        auth: Auth::Anonymous,
        ..desk.request
    };
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("timed", "timed-a").await;
    let lease = desk.claim(&a).await;
    let mut step = lease.step.clone();
    while let Step::Permit(permit) = step {
        let finding = match permit.family {
            Family::Server => Finding::Server(followlytics_core::platform::server::Server::default()),
            Family::Lookup => Finding::Account(AccountReport {
                followers: 50_000,
                ..report()
            }),
            Family::Followers => Finding::Probe(Probe {
                rows: 100,
                next: Some(Place {
                    position: permit.place.position - 60_000_000,
                    cursor: Some("given".into()),
                }),
                asked: permit.place,
                total: None,
            }),
        };
        let found = Found {
            held: held(&lease),
            permit: permit.id,
            finding,
            told: None,
        };
        step = desk.ledger.record_finding(&a, &found).await.unwrap().step;
    }
    let lease = desk.claim(&a).await;
    (desk, a, lease)
}

#[tokio::test]
async fn a_range_with_an_end_goes_on_by_its_position_where_its_token_is_refused() {
    let (desk, a, mut lease) = timed().await;
    let span = lease.span.unwrap();
    let mut page = Desk::page(&lease, &permit(&lease.step), 100, false);
    page.header.scan = "timed".into();
    page.header.platform = Platform::Bluesky;
    let middle = span.lo + 1_000_000;
    page.header.output = Place {
        position: middle,
        cursor: Some("soon refused".into()),
    };
    lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    lease.step = desk.fail(&a, &lease, Class::CursorExpired).await.step;
    assert_eq!(
        permit(&lease.step).place,
        Place::at(middle),
        "only the token is dropped"
    );
    let range = desk.ledger.list_ranges("timed").await.unwrap();
    let range = range.into_iter().find(|range| range.id == lease.range).unwrap();
    assert_eq!((range.rows, range.span), (100, Some(span)));
    // A place of one's own that is refused as well is tried again later, not passed over; the other ranges go on.
    let reply = desk.fail(&a, &lease, Class::CursorExpired).await;
    assert!(matches!(reply.step, Step::Wait { held: false, .. }), "{reply:?}");
}
