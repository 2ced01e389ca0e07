//! Whole lists, one after another and in ranges at once, in every dress the page wears.

use std::collections::BTreeSet;

use followlytics_browser::{Options, Reading};
use followlytics_core::{
    retry::Class,
    row::Line,
    scan::range::{NEWEST, Place},
};
use followlytics_simulator::{Endpoint, FaultKind, Platform, UserState};
use futures::future::join_all;
use serde_json::json;

use crate::bench::{Bench, WHO, ids, rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_whole_from_the_pages_own_answers() {
    for shape in ["modern", "legacy"] {
        let bench = Bench::new(json!({"shape": shape}), 330).await;
        let report = bench.look_up().await.unwrap();
        assert_eq!(
            (report.id.as_str(), report.handle.as_str(), report.followers),
            (bench.id.as_str(), WHO, 330)
        );
        assert!(report.created.is_some());
        let pages = bench.walk_all().await;
        assert_eq!(ids(&pages), bench.truth());
        let first = &pages[0];
        assert!(
            (65..=70).contains(&first.lines.len()),
            "ranked rows come in front: {}",
            first.lines.len()
        );
        assert!(pages[1..pages.len() - 1].iter().all(|page| page.returned == 20));
        let row = rows(&pages).find(|row| row.bio.is_some()).unwrap();
        assert!(row.created.is_some() && row.followers.is_some() && !row.handle.is_empty());
        // One request a call, one document and one look-up in all: the page was never loaded again.
        assert_eq!(bench.seen(Endpoint::WebFollowers), pages.len());
        assert_eq!(
            (bench.seen(Endpoint::WebPage), bench.seen(Endpoint::WebUser)),
            (1, 1)
        );
        bench.webx.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_read_at_once_in_tabs_of_their_own() {
    let web = json!({"acceptFabricatedCursor": true, "limits": {"followers": 1000}});
    let bench = Bench::new(web, 1_000).await;
    let report = bench.look_up().await.unwrap();
    let oldest = report.created.unwrap().as_millisecond() << 20;
    let newest = bench.world.now().as_millisecond() << 20;
    let cuts: Vec<i64> = (0..=4).map(|n| oldest + (newest - oldest) / 4 * n).collect();
    let walks = (0..4).map(|n| {
        let hi = if n == 3 { NEWEST } else { cuts[n + 1] };
        bench.walk(Place::at(hi), cuts[n])
    });
    let pages: Vec<_> = join_all(walks).await.into_iter().flatten().collect();
    assert_eq!(ids(&pages), bench.truth());
    assert_eq!(bench.seen(Endpoint::WebFollowers), pages.len());
    assert_eq!(bench.seen(Endpoint::WebPage), 4, "a tab each, loaded once");
    assert_eq!(bench.seen(Endpoint::WebUser), 1, "the account is looked up once");
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_ranges_than_tabs_take_turns() {
    let web = json!({"acceptFabricatedCursor": true, "limits": {"followers": 1000}});
    let bench = Bench::with(web, 400, |options| Options { tabs: 2, ..options }).await;
    let report = bench.look_up().await.unwrap();
    let oldest = report.created.unwrap().as_millisecond() << 20;
    let newest = bench.world.now().as_millisecond() << 20;
    let cuts: Vec<i64> = (0..=5).map(|n| oldest + (newest - oldest) / 5 * n).collect();
    let walks = (0..5).map(|n| bench.walk(Place::at(cuts[n + 1]), cuts[n]));
    let pages: Vec<_> = join_all(walks).await.into_iter().flatten().collect();
    assert_eq!(ids(&pages), bench.truth());
    assert_eq!(bench.seen(Endpoint::WebFollowers), pages.len());
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_the_platform_gave_is_found_again_by_another_browser() {
    let bench = Bench::new(json!({}), 300).await;
    let first = bench.page(&Place::at(NEWEST)).await.unwrap();
    let place = first.next.clone().unwrap();
    let second = bench.page(&place).await.unwrap();
    bench.webx.close().await;
    let again = bench.page(&place).await.unwrap();
    assert_eq!(again.lines, second.lines);
    assert_eq!(
        again.next.as_ref().map(|next| next.position),
        second.next.as_ref().map(|next| next.position)
    );
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_nobody_gave_may_be_refused() {
    let bench = Bench::new(json!({}), 300).await;
    let middle = (bench.world.now().as_millisecond() - 200 * 86_400_000) << 20;
    let failure = bench.page(&Place::at(middle)).await.unwrap_err();
    assert_eq!(failure.class, Class::SeekRefused, "{}", failure.message);
    // The refusal spoils nothing: the list is read from its newest end.
    assert_eq!(ids(&bench.walk_all().await), bench.truth());
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_and_empty_lists_end_with_their_first_page() {
    for followers in [0, 1, 60] {
        let bench = Bench::new(json!({}), followers).await;
        let pages = bench.walk_all().await;
        assert_eq!((pages.len(), ids(&pages)), (1, bench.truth()));
        bench.webx.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_followers_are_counted_and_left_out() {
    let bench = Bench::new(json!({}), 120).await;
    let gone: Vec<String> = bench.truth().into_iter().step_by(10).collect();
    for id in &gone {
        bench
            .world
            .set_state(Platform::X, id, UserState::Suspended)
            .unwrap();
    }
    let pages = bench.walk_all().await;
    assert_eq!(ids(&pages), bench.truth());
    assert!(gone.iter().all(|id| !ids(&pages).contains(id)));
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cells_do_not_show_is_counted_and_never_guessed() {
    let cells = |options| Options {
        reading: Reading::Cells,
        ..options
    };
    let bench = Bench::with(json!({}), 30, cells).await;
    // Nobody is offered to follow themselves: the reader's own cell has no button with an id.
    bench.world.follow_user(Platform::X, WHO, "reader").unwrap();
    let pages = bench.walk_all().await;
    assert_eq!(rows(&pages).count(), 30);
    let unread: Vec<&String> = pages
        .iter()
        .flat_map(|page| &page.lines)
        .filter_map(|line| match line {
            Line::Unread { error, .. } => Some(error),
            Line::Row(_) => None,
        })
        .collect();
    assert_eq!(
        unread,
        [
            "its cell in the list shows no id",
            "the list seemed to end here, and cells do not prove it"
        ]
    );
    bench.set(Endpoint::WebPage, FaultKind::SelectorsGone);
    bench.webx.close().await;
    let failure = bench.page(&Place::at(NEWEST)).await.unwrap_err();
    assert_eq!(failure.class, Class::MarkupChanged, "{}", failure.message);
    bench.webx.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_answer_can_be_read_the_cells_are() {
    for language in ["en", "de", "ja"] {
        let cells = |options| Options {
            reading: Reading::Cells,
            ..options
        };
        let bench = Bench::with(json!({"language": language}), 190, cells).await;
        let pages = bench.walk_all().await;
        assert_eq!(ids(&pages), bench.truth(), "{language}");
        let from_cells: BTreeSet<_> = rows(&pages)
            .map(|row| {
                (
                    row.id.clone(),
                    row.handle.clone(),
                    row.name.clone(),
                    row.bio.clone(),
                    row.verified,
                    row.protected,
                )
            })
            .collect();
        bench.webx.close().await;
        let bench = Bench::new(json!({}), 190).await;
        let pages = bench.walk_all().await;
        let from_answers: BTreeSet<_> = rows(&pages)
            .map(|row| {
                (
                    row.id.clone(),
                    row.handle.clone(),
                    row.name.clone(),
                    row.bio.clone(),
                    row.verified,
                    row.protected,
                )
            })
            .collect();
        assert_eq!(from_cells, from_answers, "{language}");
        bench.webx.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_do_not_depend_on_marks_in_the_page() {
    let bench = Bench::new(json!({}), 150).await;
    bench.set(Endpoint::WebPage, FaultKind::SelectorsGone);
    assert_eq!(ids(&bench.walk_all().await), bench.truth());
    bench.webx.close().await;
}
