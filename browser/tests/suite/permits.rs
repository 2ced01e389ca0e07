//! Nothing goes out without a call, and a call is one request.

use std::time::Duration;

use followlytics_core::{
    retry::Class,
    scan::range::{NEWEST, Place},
};
use followlytics_simulator::{Endpoint, FaultKind};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::bench::{Bench, ids};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_asks_for_waits_for_its_call() {
    let bench = Bench::new(json!({}), 400).await;
    bench.look_up().await.unwrap();
    // The page asks for its first rows at once, and for the next ones whenever its end is in view.
    sleep(Duration::from_millis(700)).await;
    assert_eq!(bench.seen(Endpoint::WebFollowers), 0);
    let mut place = Place::at(NEWEST);
    for count in 1..=3 {
        place = bench.page(&place).await.unwrap().next.unwrap();
        sleep(Duration::from_millis(700)).await;
        assert_eq!(bench.seen(Endpoint::WebFollowers), count);
    }
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_ready_too_late_asks_for_nothing_until_the_next_permit() {
    let mut bench = Bench::new(json!({}), 200).await;
    bench.start_by = Timestamp::UNIX_EPOCH;
    let failure = bench.look_up().await.unwrap_err();
    assert_eq!(failure.class, Class::NotStarted, "{}", failure.message);
    assert_eq!(bench.seen(Endpoint::WebUser), 0);
    let opened = bench.seen(Endpoint::WebPage);
    bench.start_by = Timestamp::MAX;
    bench.look_up().await.unwrap();
    let goes_on = "the page that was ready goes on";
    assert_eq!(bench.seen(Endpoint::WebPage), opened, "{goes_on}");

    bench.start_by = Timestamp::UNIX_EPOCH;
    let failure = bench.page(&Place::at(NEWEST)).await.unwrap_err();
    assert_eq!(failure.class, Class::NotStarted, "{}", failure.message);
    assert_eq!(bench.seen(Endpoint::WebFollowers), 0);
    let opened = bench.seen(Endpoint::WebPage);
    bench.start_by = Timestamp::MAX;
    bench.page(&Place::at(NEWEST)).await.unwrap();
    assert_eq!(bench.seen(Endpoint::WebFollowers), 1);
    assert_eq!(bench.seen(Endpoint::WebPage), opened, "{goes_on}");
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_told_and_its_end_is_waited_for_by_others() {
    let web = json!({"limits": {"followers": 2, "windowMs": 900_000}});
    let bench = Bench::new(web, 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let told = first.told.unwrap();
    assert_eq!((told.limit, told.remaining), (Some(2), Some(1)));
    let place = first.next.unwrap();
    let place = bench.page(&place).await.unwrap().next.unwrap();
    let failure = bench.page(&place).await.unwrap_err();
    assert_eq!(failure.class, Class::RateLimited, "{}", failure.message);
    assert_eq!(failure.told.unwrap().remaining, Some(0));
    bench.skip(900_000);
    let after = bench.page(&place).await.unwrap();
    assert_eq!(after.returned, 20, "the page goes on where it was refused");
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_spoils_no_other() {
    let bench = Bench::new(json!({}), 300).await;
    bench.look_up().await.unwrap();
    for milliseconds in [1, 5, 20, 60, 150] {
        let dropped = timeout(
            Duration::from_millis(milliseconds),
            bench.page(&Place::at(NEWEST)),
        )
        .await;
        drop(dropped);
    }
    let before = bench.seen(Endpoint::WebFollowers);
    assert!(before <= 5, "{before} requests of five calls");
    let pages = bench.walk_all().await;
    assert_eq!(ids(&pages), bench.truth());
    assert_eq!(
        bench.seen(Endpoint::WebFollowers) - before,
        pages.len(),
        "one request a call"
    );
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_page_leads_on_and_only_many_of_them_end_a_list() {
    let bench = Bench::new(json!({}), 200).await;
    let place = bench.page(&Place::at(NEWEST)).await.unwrap().next.unwrap();
    bench.set(Endpoint::WebFollowers, FaultKind::EmptyPage);
    let empty = bench.page(&place).await.unwrap();
    assert_eq!((empty.lines.len(), empty.returned), (0, 0));
    let rest = bench.walk(empty.next.unwrap(), 0).await;
    assert!(ids(&rest).len() >= 200 - 70, "{}", ids(&rest).len());
    bench.webx.close().await;
}
