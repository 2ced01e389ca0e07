use followlytics_core::{
    platform::Auth,
    retry::Class,
    row::{Line, Row},
    scan::range::Place,
};
use proptest::prelude::*;

use super::*;
use crate::testing::{answer, context, only, platform};

fn body(ids: std::ops::Range<i64>) -> String {
    let rows: Vec<String> = ids
        .map(|id| format!(r#"{{"id":{},"login":"u{id}","visibility":"public"}}"#, id + 1))
        .collect();
    format!("[{}]", rows.join(","))
}

async fn page_at(position: i64, walk: Walk, body: &str) -> (String, FetchedPage) {
    let (http, asked) = platform(
        200,
        &[
            ("x-total-count", "130"),
            ("link", "<http://evil.test/>; rel=next"),
        ],
        body,
    );
    let request = PageRequest {
        account_id: "1",
        handle: "a/b",
        walk,
        span: None,
        place: &Place::at(position),
        max_rows: 7,
        page_rows: 50,
    };
    let page = Gitea.page(&context(http), request).await.unwrap();
    (only(&asked), page)
}

fn ids(page: &FetchedPage) -> Vec<i64> {
    let id = |row: &Row| row.id.parse::<i64>().unwrap() - 1;
    page.lines
        .iter()
        .map(|line| {
            if let Line::Row(row) = line {
                id(row)
            } else {
                panic!("{line:?}")
            }
        })
        .collect()
}

#[tokio::test]
async fn walking_down_keeps_the_rows_below_the_place() {
    let (path, page) = page_at(130, Walk::Down, &body(100..140)).await;
    assert_eq!(path, "/api/v1/users/a%2Fb/followers?page=3&limit=50");
    assert_eq!(
        (ids(&page), page.next.clone()),
        ((100..130).collect(), Some(Place::at(100)))
    );
    assert_eq!((page.returned, page.total), (40, Some(130)));
    assert_eq!(page.anomalies, [Anomaly::RowsPastTotal]);
    let (_, short) = page_at(130, Walk::Down, &body(100..120)).await;
    assert_eq!(short.anomalies, [Anomaly::ShortPage]);
    let (path, page) = page_at(100, Walk::Down, &body(50..100)).await;
    assert!(
        path.ends_with("page=2&limit=50"),
        "a place on a page's edge belongs to the page below it"
    );
    assert_eq!((ids(&page).len(), page.next), (50, Some(Place::at(50))));
    assert_eq!(page.anomalies, []);
    let (_, page) = page_at(50, Walk::Down, &body(0..50)).await;
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn an_empty_page_ends_the_list_only_upwards() {
    let (_, down) = page_at(150, Walk::Down, "[]").await;
    assert_eq!(down.next, Some(Place::at(100)));
    let (path, up) = page_at(150, Walk::Up, "[]").await;
    assert!(path.ends_with("page=4&limit=50"));
    assert_eq!(up.next, None);
    let (_, up) = page_at(120, Walk::Up, &body(100..130)).await;
    assert_eq!((ids(&up), up.next), ((120..130).collect(), Some(Place::at(150))));
}

#[tokio::test]
async fn nothing_lies_below_the_first_row() {
    let (http, asked) = platform(500, &[], "");
    let place = Place::at(0);
    let request = PageRequest {
        account_id: "1",
        handle: "a",
        walk: Walk::Down,
        span: None,
        place: &place,
        max_rows: 50,
        page_rows: 50,
    };
    let page = Gitea.page(&context(http), request).await.unwrap();
    assert_eq!((page.next, asked.lock().unwrap().len()), (None, 0));
}

#[tokio::test]
async fn the_token_is_sent_where_there_is_one() {
    let body = r#"{"id":5,"login":"Alice","followers_count":130,"created":"2020-01-01T00:00:00+01:00"}"#;
    let account = "gitea:alice@h".parse().unwrap();
    for (auth, sent) in [(Auth::UserToken, Some("token secret")), (Auth::Anonymous, None)] {
        let (http, asked) = platform(200, &[], body);
        let ctx = Context {
            auth,
            ..context(http)
        };
        let (report, _) = Gitea.look_up(&ctx, &account, Some("5")).await.unwrap();
        assert_eq!(
            (report.id.as_str(), report.handle.as_str(), report.followers),
            ("5", "Alice", 130)
        );
        assert_eq!(only(&asked), "/api/v1/users/alice");
        let header = asked.lock().unwrap()[0].headers().get("authorization").cloned();
        assert_eq!(header.as_ref().map(|value| value.to_str().unwrap()), sent);
    }
}

#[test]
fn rows_that_cannot_be_read_keep_their_number() {
    let body = r#"[{"id":1,"login":"a"},{"id":"x"},{"id":-2,"login":"ghost"},{"id":4}]"#;
    let page = Numbered::at(3, Walk::Down, 50).unwrap();
    let page = read_page(&answer(200, body), page, 3, Walk::Down).unwrap();
    assert!(matches!(
        &page.lines[..],
        [Line::Row(_), Line::Unread { .. }, Line::Unread { .. }]
    ));
    assert_eq!(page.returned, 4);
}

#[test]
fn rows_beyond_the_page_are_kept_and_shown() {
    // Down from row 3 in pages of 2: the page of rows 2 and 3, of which row 3 was read; a third row has no number.
    let page = Numbered::at(3, Walk::Down, 2).unwrap();
    let read = read_page(&answer(200, &body(2..5)), page, 3, Walk::Down).unwrap();
    assert_eq!(ids(&read), [2, 4]);
    assert_eq!((read.returned, read.next), (3, Some(Place::at(2))));
    assert_eq!(read.anomalies, [Anomaly::SurplusRows]);
    let up = Numbered::at(2, Walk::Up, 2).unwrap();
    let read = read_page(&answer(200, &body(2..5)), up, 2, Walk::Up).unwrap();
    assert_eq!(
        (ids(&read), read.next),
        (vec![2, 3, 4], Some(Place::at(4))),
        "the next page is the next one by number"
    );
}

#[test]
fn what_is_no_list_is_refused() {
    let page = Numbered::at(3, Walk::Down, 2).unwrap();
    for unreadable in ["{}".to_owned(), String::new(), "[1".into()] {
        assert_eq!(
            read_page(&answer(200, &unreadable), page, 3, Walk::Down)
                .unwrap_err()
                .class,
            Class::Malformed
        );
    }
}

proptest! {
    /// Whole pages of every size, in both directions, hold every row once.
    #[test]
    fn every_row_is_read_once(rows in 0i64..400, size in 1u32..60, down: bool, from in 0i64..500) {
        let walk = if down { Walk::Down } else { Walk::Up };
        let mut place = Some(Place::at(from));
        let mut read = Vec::new();
        while let Some(page) = place.take().and_then(|place| Some((Numbered::at(place.position, walk, size)?, place.position))) {
            let (numbered, position) = page;
            let list = numbered.first.min(rows)..(numbered.first + numbered.size).min(rows);
            let page = read_page(&answer(200, &body(list)), numbered, position, walk).unwrap();
            read.extend(ids(&page));
            place = page.next;
        }
        read.sort_unstable();
        let expected: Vec<i64> = if down { (0..from.min(rows)).collect() } else { (from.min(rows)..rows).collect() };
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let page = Numbered::at(3, Walk::Down, 50).unwrap();
        let _ = read_page(&answer(200, &String::from_utf8_lossy(&body)), page, 3, Walk::Down);
    }
}
