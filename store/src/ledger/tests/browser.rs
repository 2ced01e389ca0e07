//! Two sources: a chain from the newest end that costs money, a browser's ranges from the oldest that cost time.

use followlytics_core::{
    money::Usd,
    scan::{
        entry::Entry,
        plan::Plan,
        range::{NEWEST, Range, Span, State},
        request::Access,
        source::{Source, Wish},
        summary::{Stage, Summary},
    },
};

use super::*;
use crate::ledger::Meeting;

const SLOTS: i64 = 50;
const WINDOW_MS: i64 = 60_000;

fn access() -> Access {
    Access {
        credential: "default/session".into(),
        base_url: "https://x.com".into(),
        rules: vec![Rule::new(Family::Followers, SLOTS, WINDOW_MS)],
    }
}

/// A scan of 2,000 followers whose budget is this, with a browser, resolved.
async fn desk(budget: &str, wish: Wish) -> (Desk, Sandbox) {
    let mut desk = Desk::new(budget, None).await;
    desk.request = ScanRequest {
        uid: "both".into(),
        source: wish,
        browser: Some(access()),
        ..desk.request
    };
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("both", "both-a").await;
    desk.resolve(&a, 2000).await;
    (desk, a)
}

/// A page of a browser down to this position, or to the end of its range.
fn web_page(lease: &Lease, permit: &Permit, rows: i64, down_to: Option<i64>) -> NewPage {
    let span = lease.span.unwrap();
    let mut page = Desk::page(lease, permit, rows, down_to.is_none());
    page.header.scan = "both".into();
    page.key = format!("pages/both/{}/{}/{}", lease.range, lease.epoch, permit.seq);
    page.sha256.clone_from(&page.key);
    let position = down_to.unwrap_or(span.lo);
    page.header.output = Place {
        position,
        cursor: Some(format!("{position}|7")),
    };
    page
}

async fn listing(desk: &Desk) -> Vec<Range> {
    let ranges = desk.ledger.list_ranges("both").await.unwrap();
    ranges.into_iter().filter(|range| range.id > 0).collect()
}

async fn plan(desk: &Desk, scan: &str) -> Plan {
    desk.ledger.find_scan(scan).await.unwrap().unwrap().plan.unwrap()
}

async fn summary(desk: &Desk) -> Summary {
    desk.ledger.summary("both").await.unwrap().unwrap()
}

#[tokio::test]
async fn what_the_budget_does_not_pay_for_browsers_read_from_the_oldest_end() {
    let (desk, a) = desk("15.00", Wish::Auto).await;
    let ranges = listing(&desk).await;
    let sources: Vec<Source> = ranges.iter().map(|range| range.source).collect();
    assert_eq!(sources[0], Source::Api);
    assert!(sources.len() == 5 && sources[1..].iter().all(|source| *source == Source::Browser));
    assert!(
        summary(&desk).await.hold.is_none(),
        "the budget is no reason to wait"
    );
    // The sandbox has the chain, each of its tabs a range of the browser, with a lease and a credential of its own.
    let chain = desk.claim(&a).await;
    assert_eq!(
        (chain.source, chain.span, chain.auth),
        (Source::Api, None, Auth::AppBearer)
    );
    let tab = Sandbox { tab: 1, ..a.clone() };
    let web = desk.claim(&tab).await;
    assert_eq!((web.source, web.auth), (Source::Browser, Auth::WebSession));
    assert_eq!(web.base_url, "https://x.com");
    assert_eq!((web.span.unwrap().lo, web.page_rows), (0, 20));
    let credential = |range| desk.credential_of("both", range);
    assert_eq!(credential(chain.range).await, "default/x");
    assert_eq!(credential(web.range).await, "default/session");
    // A page for people costs nothing, and a slot of its session.
    let spent = summary(&desk).await.spent;
    let page = web_page(&web, &permit(&web.step), 70, Some(web.span.unwrap().lo + 1));
    desk.ledger.commit_page(&tab, &page).await.unwrap();
    assert_eq!(summary(&desk).await.spent, spent);
    let used = desk.ledger.credential_use("default/session").await.unwrap();
    assert_eq!((used.windows[0].used, used.windows[0].limit), (2, SLOTS));
    // Both leases go with the sandbox.
    desk.ledger.revoke_sandbox(&a.uid).await.unwrap();
    assert!(listing(&desk).await.iter().all(|range| range.holder.is_none()));
}

#[tokio::test]
async fn a_chain_ends_where_the_finished_region_begins_and_the_ranges_tile_the_list() {
    let (desk, a) = desk("15.00", Wish::Auto).await;
    let chain = desk.claim(&a).await;
    assert_eq!(
        desk.ledger.meeting("both", chain.range).await.unwrap(),
        Meeting::Nobody
    );
    let tab = Sandbox { tab: 1, ..a.clone() };
    let web = desk.claim(&tab).await;
    let page = web_page(&web, &permit(&web.step), 500, None);
    assert_eq!(
        desk.ledger.commit_page(&tab, &page).await.unwrap().step,
        Step::Done
    );
    let Meeting::Region(sides) = desk.ledger.meeting("both", chain.range).await.unwrap() else {
        panic!("nothing to meet");
    };
    assert_eq!(
        (sides.region, sides.finished.as_slice()),
        (web.span.unwrap().hi, &[web.range][..])
    );
    // While a request of the chain is under way its page will be the last; nothing is taken from it.
    assert!(!desk.ledger.record_meeting("both", &sides).await.unwrap());
    let other = desk.claim(&Sandbox { tab: 2, ..a.clone() }).await;
    let mut page = Desk::page(&chain, &permit(&chain.step), 1000, false);
    (page.header.scan, page.met) = ("both".into(), true);
    assert_eq!(desk.ledger.commit_page(&a, &page).await.unwrap().step, Step::Done);
    let ranges = listing(&desk).await;
    assert!(
        ranges
            .iter()
            .all(|range| range.state == State::Done && range.holder.is_none())
    );
    let spans: Vec<Span> = ranges.iter().filter_map(|range| range.span).collect();
    assert!(followlytics_core::scan::range::tiles(
        Span { lo: 0, hi: NEWEST },
        &spans
    ));
    // Who was reading what is not needed any more is told so.
    let late = web_page(&other, &permit(&other.step), 20, None);
    let tab = Sandbox { tab: 2, ..a };
    assert!(desk.ledger.commit_page(&tab, &late).await.is_err());
    assert_eq!(summary(&desk).await.stage, Stage::Merging);
}

#[tokio::test]
async fn a_chain_without_money_ends_when_the_region_touches_what_it_read() {
    let (desk, a) = desk("10.50", Wish::Auto).await;
    let mut chain = desk.claim(&a).await;
    for _ in 0..2 {
        let mut page = Desk::page(&chain, &permit(&chain.step), 1000, false);
        page.header.scan = "both".into();
        page.sha256 = format!("{}-{}", chain.range, page.header.seq);
        page.key.clone_from(&page.sha256);
        chain.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
        if let Step::Permit(last) = &chain.step {
            assert_eq!(last.max_rows, 49, "what the money left pays for");
        }
    }
    assert!(matches!(&chain.step, Step::Wait { reason, .. } if reason == "BudgetExhausted"));
    assert!(summary(&desk).await.hold.is_none(), "the browser goes on");
    let tab = Sandbox { tab: 1, ..a.clone() };
    let web = desk.claim(&tab).await;
    let page = web_page(&web, &permit(&web.step), 500, None);
    desk.ledger.commit_page(&tab, &page).await.unwrap();
    let sides = desk.ledger.sides("both").await.unwrap().unwrap();
    assert_eq!(
        desk.ledger.first_page_keys("both", web.range, 5).await.unwrap(),
        [page.key]
    );
    assert!(desk.ledger.record_meeting("both", &sides).await.unwrap());
    assert!(
        !desk.ledger.record_meeting("both", &sides).await.unwrap(),
        "once is enough"
    );
    assert_eq!(summary(&desk).await.stage, Stage::Merging);
}

#[tokio::test]
async fn a_whole_list_that_a_browser_read_needs_nothing_of_the_chain() {
    let (desk, a) = desk("15.00", Wish::Auto).await;
    // A request of the chain is under way, and nobody will ever answer for it.
    desk.claim(&a).await;
    let tab = Sandbox { tab: 1, ..a.clone() };
    for _ in 0..4 {
        let web = desk.claim(&tab).await;
        let page = web_page(&web, &permit(&web.step), 500, None);
        assert_eq!(
            desk.ledger.commit_page(&tab, &page).await.unwrap().step,
            Step::Done
        );
    }
    assert_eq!(summary(&desk).await.stage, Stage::Scanning);
    desk.pass(120);
    desk.ledger.sweep_permits().await.unwrap();
    assert_eq!(summary(&desk).await.stage, Stage::Merging);
    assert!(
        listing(&desk)
            .await
            .iter()
            .all(|range| range.state == State::Done)
    );
}

#[tokio::test]
async fn depleted_credits_bring_a_browser_and_a_blocked_browser_brings_the_api() {
    let (desk, a) = desk("100.00", Wish::Auto).await;
    assert_eq!(listing(&desk).await.len(), 1, "the API alone, as long as it does");
    let chain = desk.claim(&a).await;
    let reply = desk.fail(&a, &chain, Class::CreditsDepleted).await;
    assert!(matches!(reply.step, Step::Wait { .. }));
    let ranges = listing(&desk).await;
    assert!(ranges.len() > 1 && ranges[1..].iter().all(|range| range.source == Source::Browser));
    assert!(summary(&desk).await.hold.is_none());
    // The other way round, and what each side waits on is told when both do.
    let tab = Sandbox { tab: 1, ..a.clone() };
    let web = desk.claim(&tab).await;
    desk.fail(&tab, &web, Class::Forbidden).await;
    let hold = summary(&desk).await.hold.unwrap();
    assert!(
        ["CreditsDepleted", "PlatformRefused"].contains(&hold.reason.as_str()),
        "{hold:?}"
    );
    assert_eq!(summary(&desk).await.wanted_runners, 0);

    let (desk, a) = self::desk("0.01", Wish::Auto).await;
    assert!(
        listing(&desk)
            .await
            .iter()
            .all(|range| range.source == Source::Browser)
    );
    let mut richer = desk.request.clone();
    (richer.budget, richer.generation) = ("100.00".parse().unwrap(), 2);
    desk.ledger.ensure_scan(&richer).await.unwrap();
    let web = desk.claim(&a).await;
    desk.fail(&a, &web, Class::Forbidden).await;
    desk.give_back(&a, &web).await;
    let last = listing(&desk).await.pop().unwrap();
    assert_eq!((last.source, last.span), (Source::Api, None));
    let chain = desk.claim(&a).await;
    assert_eq!((chain.range, permit(&chain.step).max_rows), (last.id, 1000));
}

#[tokio::test]
async fn nobody_pays_for_a_browser_that_was_asked_for_alone() {
    let (desk, a) = desk("100.00", Wish::Browser).await;
    assert!(
        listing(&desk)
            .await
            .iter()
            .all(|range| range.source == Source::Browser)
    );
    let web = desk.claim(&a).await;
    desk.fail(&a, &web, Class::Unauthorized).await;
    desk.pass(5);
    let web = desk.claim(&a).await;
    desk.fail(&a, &web, Class::Unauthorized).await;
    assert_eq!(summary(&desk).await.hold.unwrap().reason, "CredentialInvalid");
    let used = desk.ledger.credential_use("default/session").await.unwrap();
    assert!(used.refused.unwrap().contains("then resume the scan"));
    assert_eq!(summary(&desk).await.spent, Usd::ZERO);
}

#[tokio::test]
async fn a_browser_that_is_too_slow_is_helped_by_the_api() {
    let (desk, a) = desk("0.01", Wish::Auto).await;
    let mut richer = desk.request.clone();
    (richer.budget, richer.generation) = ("100.00".parse().unwrap(), 2);
    desk.ledger.ensure_scan(&richer).await.unwrap();
    let web = desk.claim(&a).await;
    let span = web.span.unwrap();
    let first = permit(&web.step);
    desk.pass(30);
    let page = web_page(&web, &first, 20, Some(span.lo + 900));
    let step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    assert!(
        listing(&desk)
            .await
            .iter()
            .all(|range| range.source == Source::Browser),
        "not judged yet"
    );
    desk.pass(40);
    let page = web_page(&web, &permit(&step), 20, Some(span.lo + 800));
    desk.ledger.commit_page(&a, &page).await.unwrap();
    assert_eq!(listing(&desk).await.pop().unwrap().source, Source::Api);
}

#[tokio::test]
async fn a_look_up_that_the_api_refuses_is_made_by_the_browser() {
    let mut desk = Desk::new("100.00", None).await;
    desk.request.uid = "both".into();
    desk.request.browser = Some(access());
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("both", "both-a").await;
    let lease = desk.claim(&a).await;
    assert_eq!(lease.source, Source::Api);
    assert_eq!(desk.fail(&a, &lease, Class::Forbidden).await.step, Step::Done);
    let lease = desk.claim(&a).await;
    assert_eq!(
        (lease.source, permit(&lease.step).family),
        (Source::Browser, Family::Lookup)
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_entered_is_read_from_its_newest_end_or_by_cursors_of_before() {
    let (desk, a) = desk("0.01", Wish::Auto).await;
    let mut wide = desk.request.clone();
    (wide.uid, wide.wishes.rows_per_range, wide.source) = ("wide".into(), 500, Wish::Browser);
    desk.ledger.ensure_scan(&wide).await.unwrap();
    let w = desk.sandbox_of("wide", "w").await;
    desk.resolve(&w, 2000).await;
    // The other scan leaves a cursor of the platform's own behind.
    let web = desk.claim(&a).await;
    let page = web_page(&web, &permit(&web.step), 20, Some(1 << 40));
    desk.ledger.commit_page(&a, &page).await.unwrap();
    let before = desk.ledger.list_ranges("wide").await.unwrap().len();
    assert_eq!(before, 5);
    let lease = desk.claim(&w).await;
    desk.fail(&w, &lease, Class::CursorExpired).await;
    assert_eq!(plan(&desk, "wide").await.entry, Entry::Stored);
    let open = |ranges: Vec<Range>| -> Vec<Range> {
        ranges
            .into_iter()
            .filter(|range| range.state == State::Open)
            .collect()
    };
    let ranges = open(desk.ledger.list_ranges("wide").await.unwrap());
    assert_eq!(ranges.len(), 2);
    assert_eq!(
        (ranges[0].span, ranges[0].place.position),
        (
            Some(Span {
                lo: 1 << 40,
                hi: NEWEST
            }),
            NEWEST
        )
    );
    assert_eq!(ranges[1].place.cursor.as_deref(), Some("1099511627776|7"));
    // That one is refused too: one reader, from the newest end.
    let newest = desk.claim(&w).await;
    let stored = desk.claim(&Sandbox { tab: 1, ..w.clone() }).await;
    assert_eq!(stored.range, ranges[1].id);
    desk.fail(&Sandbox { tab: 1, ..w.clone() }, &stored, Class::CursorExpired)
        .await;
    let ranges = open(desk.ledger.list_ranges("wide").await.unwrap());
    assert_eq!((ranges.len(), ranges[0].id), (1, newest.range));
    assert_eq!(ranges[0].span, Some(Span { lo: 0, hi: NEWEST }));
    assert_eq!(plan(&desk, "wide").await.entry, Entry::Newest);
}

#[tokio::test]
async fn a_list_whose_newest_end_is_always_refused_is_given_up() {
    for reads in [false, true] {
        let (desk, _) = desk("0.01", Wish::Auto).await;
        let mut only = desk.request.clone();
        (only.uid, only.source) = ("only".into(), Wish::Browser);
        desk.ledger.ensure_scan(&only).await.unwrap();
        let w = desk.sandbox_of("only", "w").await;
        desk.resolve(&w, 2000).await;
        let summary = async || desk.ledger.summary("only").await.unwrap().unwrap();
        let mut refusals = 0;
        while summary().await.stage == Stage::Scanning {
            desk.pass(1_000);
            let mut lease = desk.claim(&w).await;
            // Once it was refused to be entered in the middle.
            if reads && refusals > 0 {
                let mut page = web_page(&lease, &permit(&lease.step), 20, Some(1 << 40));
                page.header.scan = "only".into();
                lease.step = desk.ledger.commit_page(&w, &page).await.unwrap().step;
            }
            desk.fail(&w, &lease, Class::CursorExpired).await;
            refusals += 1;
            assert!(refusals < 40, "it is tried for ever");
        }
        assert_eq!(summary().await.failure.unwrap().reason, "PageUnreadable");
        assert!(refusals >= 10, "{refusals}");
    }
}

#[tokio::test]
async fn another_session_takes_over_with_the_next_request() {
    let (mut desk, a) = desk("15.00", Wish::Auto).await;
    let tab = Sandbox { tab: 1, ..a.clone() };
    desk.claim(&a).await;
    let web = desk.claim(&tab).await;
    let in_flight = permit(&web.step);
    desk.request.browser = Some(Access {
        credential: "default/other".into(),
        ..access()
    });
    desk.request.generation += 1;
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    // The request in flight is the first session's, and so is its token.
    let token_of = |range| desk.credential_of("both", range);
    assert_eq!(token_of(web.range).await, "default/session");
    let page = web_page(&web, &in_flight, 20, Some(web.span.unwrap().lo + 1));
    let reply = desk.ledger.commit_page(&tab, &page).await.unwrap();
    assert!(
        matches!(reply.step, Step::Wait { ref reason, held: true, .. } if reason == "CredentialChanged"),
        "{:?}",
        reply.step
    );
    let release = followlytics_core::wire::Release {
        held: held(&web),
        unused: None,
    };
    desk.ledger.release(&tab, &release).await.unwrap();
    let again = desk.claim(&tab).await;
    assert_eq!((again.range, &again.place), (web.range, &page.header.output));
    permit(&again.step);
    assert_eq!(token_of(web.range).await, "default/other");
    let used = |session: &'static str| {
        let ledger = desk.ledger.clone();
        async move { ledger.credential_use(session).await.unwrap().windows[0].used }
    };
    assert_eq!(
        (used("default/session").await, used("default/other").await),
        (1, 1)
    );
}
