//! Everything that goes wrong at the platform: its class, and that the next call works.

use std::{fs, time::Duration};

use followlytics_browser::Options;
use followlytics_core::{
    retry::Class,
    row::Line,
    scan::range::{NEWEST, Place},
};
use followlytics_simulator::{Endpoint, FaultKind, FaultSpec, ResetHeader};
use serde_json::{Value, json};

use crate::bench::{Bench, ids};

/// The second page of a list with a fault, and then the list from there on.
async fn refused(bench: &Bench, place: &Place, endpoint: Endpoint, kind: FaultKind, class: Class) {
    bench.set(endpoint, kind.clone());
    let failure = bench.page(place).await.expect_err(&format!("{kind}"));
    assert_eq!(failure.class, class, "{kind}: {}", failure.message);
    let page = bench
        .page(place)
        .await
        .unwrap_or_else(|failure| panic!("after {kind}: {failure:?}"));
    assert_eq!(page.returned, 20, "after {kind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_page_has_its_class_and_leaves_the_tab_usable() {
    let bench = Bench::new(json!({"limits": {"followers": 1000}}), 400).await;
    let place = bench.page(&Place::at(NEWEST)).await.unwrap().next.unwrap();
    let true_reset = ResetHeader::True;
    for (kind, class) in [
        (FaultKind::ClientOutdated, Class::ClientOutdated),
        (FaultKind::StaleQueryId, Class::ClientOutdated),
        (FaultKind::SessionLocked, Class::SessionLocked),
        (FaultKind::SoftBan, Class::Blocked),
        (FaultKind::BlockedHtml, Class::Blocked),
        (FaultKind::NotAuthorized, Class::LoggedOut),
        (FaultKind::CsrfMismatch, Class::LoggedOut),
        (FaultKind::Unauthorized, Class::LoggedOut),
        (FaultKind::Forbidden, Class::LoggedOut),
        (FaultKind::RateLimited { reset: true_reset }, Class::RateLimited),
        (FaultKind::LoadShed, Class::ServerError),
        (FaultKind::InternalErrorHtml, Class::ServerError),
        (FaultKind::BadGateway, Class::ServerError),
        (
            FaultKind::Unavailable {
                retry_after_seconds: None,
            },
            Class::ServerError,
        ),
        (FaultKind::MaintenanceHtml, Class::Malformed),
        (FaultKind::TruncatedBody, Class::Malformed),
        (FaultKind::EmptyBody, Class::Malformed),
        (FaultKind::RepeatedCursor, Class::CursorRepeated),
        (FaultKind::MissingCursor, Class::MarkupChanged),
        (FaultKind::UnknownShape, Class::MarkupChanged),
        (FaultKind::ExpiredCursor, Class::SeekRefused),
    ] {
        refused(&bench, &place, Endpoint::WebFollowers, kind, class).await;
    }
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_asked_for_once_more_by_chromium_itself() {
    let bench = Bench::new(json!({}), 300).await;
    let place = bench.page(&Place::at(NEWEST)).await.unwrap().next.unwrap();
    // A connection that was used before may have been closed meanwhile: every browser tries a GET again then.
    bench.set(Endpoint::WebFollowers, FaultKind::ResponseLost);
    let place = bench.page(&place).await.unwrap().next.unwrap();
    assert_eq!(bench.seen(Endpoint::WebFollowers), 3);
    let spec = FaultSpec {
        endpoint: Some(Endpoint::WebFollowers),
        times: 9,
        ..FaultSpec::once(FaultKind::ResponseLost)
    };
    bench.world.set_fault(spec).unwrap();
    let failure = bench.page(&place).await.unwrap_err();
    assert_eq!(failure.class, Class::NoAnswer, "{}", failure.message);
    bench.world.clear_faults();
    assert_eq!(bench.page(&place).await.unwrap().returned, 20);
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oddities_of_a_page_cost_no_row() {
    let bench = Bench::new(json!({"limits": {"followers": 1000}}), 300).await;
    for kind in [
        FaultKind::PartialErrors,
        FaultKind::DuplicatedRow,
        FaultKind::WrongContentType,
        FaultKind::ShortPage,
        FaultKind::MalformedRow,
    ] {
        bench.set(Endpoint::WebFollowers, kind.clone());
        let pages = bench.walk_all().await;
        assert_eq!(ids(&pages), bench.truth(), "{kind}");
        let unread = pages.iter().flat_map(|page| &page.lines);
        let unread = unread.filter(|line| matches!(line, Line::Unread { .. })).count();
        assert_eq!(unread, usize::from(kind == FaultKind::MalformedRow), "{kind}");
    }
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_that_shows_no_list_has_its_class() {
    let short = |options| Options {
        patience: Duration::from_secs(3),
        ..options
    };
    let bench = Bench::with(json!({"limits": {"followers": 1000}}), 300, short).await;
    for (kind, class) in [
        (FaultKind::Challenge, Class::Challenge),
        (FaultKind::BlockedHtml, Class::Blocked),
        (FaultKind::Forbidden, Class::Blocked),
        (
            FaultKind::Unavailable {
                retry_after_seconds: None,
            },
            Class::ServerError,
        ),
        (FaultKind::WrongAccount, Class::MarkupChanged),
        (FaultKind::MaintenanceHtml, Class::MarkupChanged),
        (FaultKind::PageStalls, Class::PageStuck),
    ] {
        bench.set(Endpoint::WebPage, kind.clone());
        let failure = bench
            .page(&Place::at(NEWEST))
            .await
            .expect_err(&format!("{kind}"));
        assert_eq!(failure.class, class, "{kind}: {}", failure.message);
        assert_eq!(bench.seen(Endpoint::WebFollowers), 0, "{kind}: nothing went out");
    }
    assert!(bench.page(&Place::at(NEWEST)).await.is_ok());
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_a_look_up_have_their_class() {
    let bench = Bench::new(json!({}), 300).await;
    for (kind, class) in [
        (FaultKind::SessionLocked, Class::SessionLocked),
        (FaultKind::ClientOutdated, Class::ClientOutdated),
        (FaultKind::LoadShed, Class::ServerError),
        (FaultKind::BlockedHtml, Class::Blocked),
        (FaultKind::CsrfMismatch, Class::LoggedOut),
    ] {
        bench.set(Endpoint::WebUser, kind.clone());
        let failure = bench.look_up().await.expect_err(&format!("{kind}"));
        assert_eq!(failure.class, class, "{kind}: {}", failure.message);
    }
    assert_eq!(bench.look_up().await.unwrap().id, bench.id);
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_in_mid_scan_is_told_and_a_new_one_goes_on() {
    let mut bench = Bench::new(json!({"limits": {"followers": 1000}}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let place = first.next.clone().unwrap();
    bench.set(Endpoint::WebFollowers, FaultKind::LoggedOut);
    for _ in 0..2 {
        let failure = bench.page(&place).await.unwrap_err();
        assert_eq!(failure.class, Class::LoggedOut, "{}", failure.message);
    }
    let session =
        serde_json::from_value(json!({"authToken": "d4e5f6", "ct0": "csrfd4e5f6", "handle": "reader"}));
    bench.world.sign_in_web(session.unwrap()).unwrap();
    bench.token = json!({"authToken": "d4e5f6", "ct0": "csrfd4e5f6"}).to_string();
    let mut pages = bench.walk(place, 0).await;
    pages.push(first);
    assert_eq!(ids(&pages), bench.truth());
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_named_and_its_trace_holds_nobodys_data() {
    let bench = Bench::new(json!({}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    bench.set(Endpoint::WebFollowers, FaultKind::UnknownShape);
    let failure = bench.page(&first.next.unwrap()).await.unwrap_err();
    assert!(
        failure
            .message
            .contains("data.user.result.timeline.timeline.instructions"),
        "{}",
        failure.message
    );
    let traces: Vec<_> = fs::read_dir(bench.root.path().join("traces"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(traces.len(), 1);
    let path = traces[0].path();
    assert!(failure.message.contains(&path.display().to_string()));
    let text = fs::read_to_string(path).unwrap();
    let trace: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        trace["shape"]["data"]["relationship_timeline"]["page"]["after"],
        "string"
    );
    assert_eq!(
        (&trace["page"], &trace["status"]),
        (&json!("/nasa/followers"), &json!(200))
    );
    assert!(trace["seen"]["UserCell"].as_i64().unwrap() > 0);
    for secret in ["a1b2c3", "userId", "cursor\":", "?"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(bench.truth().iter().all(|id| !text.contains(id)));
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_keeps_all_it_has_shown_is_read_to_its_end() {
    let bench = Bench::new(json!({"limits": {"followers": 1000}}), 2_000).await;
    bench.set(Endpoint::WebPage, FaultKind::MemoryLeak);
    assert_eq!(ids(&bench.walk_all().await), bench.truth());
    assert!(
        bench.seen(Endpoint::WebPage) <= 2,
        "a hundred pages of rows in one that leaks"
    );
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_breaks_its_renderer_costs_one_call() {
    let short = |options| Options {
        patience: Duration::from_secs(20),
        ..options
    };
    let bench = Bench::with(json!({"limits": {"followers": 1000}}), 300, short).await;
    bench.set(Endpoint::WebPage, FaultKind::RendererCrash);
    let failure = bench.page(&Place::at(NEWEST)).await.unwrap_err();
    let is_lost = matches!(failure.class, Class::BrowserCrashed | Class::PageStuck);
    assert!(is_lost, "{}: {}", failure.class, failure.message);
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    // Its answer was read before the page broke with it: the rows are not lost.
    bench.set(Endpoint::WebFollowers, FaultKind::RendererCrash);
    let second = bench.page(&first.next.clone().unwrap()).await.unwrap();
    let third = bench.page(&second.next.clone().unwrap()).await;
    let third = match third {
        Ok(page) => page,
        Err(_) => bench.page(&second.next.clone().unwrap()).await.unwrap(),
    };
    let rest = bench.walk(third.next.clone().unwrap(), 0).await;
    let pages: Vec<_> = [first, second, third].into_iter().chain(rest).collect();
    assert_eq!(ids(&pages), bench.truth());
    bench.webx.close().await;
}
