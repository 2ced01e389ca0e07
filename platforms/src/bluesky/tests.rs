use followlytics_core::{
    row::Line,
    scan::range::{OLDEST, Span},
};
use proptest::prelude::*;

use super::*;
use crate::testing::{answer, context, only, platform};

const PAGE: &str = r#"{"subject":{"did":"did:plc:s","handle":"s.test"},"cursor":"1700000000123__bafyreiabc",
 "followers":[{"did":"did:plc:a","handle":"a.test","displayName":"A","description":"bio","createdAt":"2024-01-01T00:00:00Z",
  "verification":{"verifications":[],"verifiedStatus":"valid","trustedVerifierStatus":"none"},"viewer":{},"labels":[]},
  {"did":"did:plc:b","handle":"handle.invalid","createdAt":"long ago"}]}"#;

fn place(position: i64, cursor: Option<&str>) -> Place {
    Place {
        position,
        cursor: cursor.map(str::to_owned),
    }
}

async fn asked_at(place: &Place, base_url: &str) -> (String, Result<FetchedPage, Failure>) {
    let (http, asked) = platform(200, &[], PAGE);
    let ctx = Context {
        base_url: base_url.into(),
        ..context(http)
    };
    let request = PageRequest {
        account_id: "did:plc:s",
        handle: "s.test",
        walk: Walk::Down,
        span: Some(Span {
            lo: OLDEST,
            hi: NEWEST,
        }),
        place,
        max_rows: 500,
        page_rows: 100,
    };
    let page = Bluesky.page(&ctx, request).await;
    (only(&asked), page)
}

#[tokio::test]
async fn the_newest_end_has_no_cursor_a_place_has_its_own_and_a_time_a_made_up_one() {
    const START: &str = "/xrpc/app.bsky.graph.getFollowers?actor=did%3Aplc%3As&limit=100";
    let at = 1_700_000_001_000_000;
    for (place, base_url, query) in [
        (place(NEWEST, None), "http://h", String::new()),
        (place(at, Some("a__b")), "http://h", "&cursor=a__b".to_owned()),
        (
            place(at, None),
            "http://h",
            "&cursor=1700000001000__bafyrei".to_owned(),
        ),
        (
            place(at + 1, None),
            "http://h",
            "&cursor=1700000001001__bafyrei".to_owned(),
        ),
        (
            place(at, None),
            "https://public.api.bsky.app",
            format!("&cursor={}", Form::Tid.cursor_below(at)),
        ),
    ] {
        let (path, page) = asked_at(&place, base_url).await;
        assert_eq!(path, format!("{START}{query}"));
        let page = page.unwrap();
        assert_eq!(
            page.next,
            Some(Place {
                position: 1_700_000_000_123_001,
                cursor: Some("1700000000123__bafyreiabc~".into())
            })
        );
        assert_eq!(page.returned, 2);
    }
}

#[tokio::test]
async fn a_page_that_leads_to_newer_rows_is_kept_and_read_on_from() {
    let asked = place(1_600_000_000_000_000, None);
    let (_, page) = asked_at(&asked, "http://h").await;
    let page = page.unwrap();
    assert_eq!(page.anomalies, [Anomaly::KeyRose]);
    let next = page.next.unwrap();
    assert!(page.lines.len() == 2 && next.is_unread());
    assert_eq!(
        (next.position, next.token()),
        (asked.position, Some("1700000000123__bafyreiabc~"))
    );
    let (path, _) = asked_at(&next, "http://h").await;
    assert!(path.ends_with("&cursor=1700000000123__bafyreiabc~"), "{path}");
}

#[test]
fn a_follow_before_1970_leads_on_below_zero() {
    let body = r#"{"followers":[],"cursor":"-18489600000__bafyreiabc"}"#;
    let page = read_page(&answer(200, body), &place(5, None), Asked::Below, (None, 100)).unwrap();
    assert_eq!(
        page.next,
        Some(place(-18_489_599_999_999, Some("-18489600000__bafyreiabc~")))
    );
}

/// Cursors that show no position: the page counts, and its last known position stays.
#[test]
fn a_page_is_kept_whatever_its_cursor_is() {
    let long = "x".repeat(10_240);
    let late = "9223372036854775__bafyreiabc";
    let odd = [
        "1700000000000__",
        " 1__b",
        "NULL",
        "3LOPGQKUKDH2C",
        r"a\tb",
        late,
        &long,
    ];
    for cursor in odd
        .map(|cursor| format!("\"{cursor}\""))
        .into_iter()
        .chain(["1".into(), "{}".into()])
    {
        let rows = r#"{"did":"did:plc:a","handle":"a.test"}"#;
        let body = format!(r#"{{"followers":[{rows}],"cursor":{cursor}}}"#);
        let page = read_page(
            &answer(200, &body),
            &place(7_000_000, None),
            Asked::Below,
            (None, 100),
        )
        .unwrap();
        let next = page.next.unwrap();
        assert_eq!((page.lines.len(), next.position), (1, 7_000_000), "{cursor}");
        assert!(next.is_unread() && !next.is_end(), "{cursor}");
        let text: Option<String> = serde_json::from_str(&cursor).ok();
        let text = text.map(|text| {
            if text == late {
                format!("{text}{TIE}")
            } else {
                text
            }
        });
        assert_eq!(next.token(), Some(text.as_deref().unwrap_or(&cursor)));
    }
    // What can be neither stored nor asked for ends the list, and stays visible.
    let huge = "x".repeat(1 << 20);
    for cursor in ["", r"a\u0000b", &huge] {
        let body = format!(r#"{{"followers":[],"cursor":"{cursor}"}}"#);
        let page = read_page(&answer(200, &body), &place(7, None), Asked::Below, (None, 100)).unwrap();
        assert!(page.next.unwrap().is_end());
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_entered_is_read_as_a_chain() {
    let asked = async |place: Place| {
        let (http, asked) = platform(200, &[], PAGE);
        let request = PageRequest {
            account_id: "did:plc:s",
            handle: "s.test",
            walk: Walk::Down,
            span: None,
            place: &place,
            max_rows: 100,
            page_rows: 100,
        };
        let page = Bluesky.page(&context(http), request).await.unwrap();
        (only(&asked), page.next.unwrap())
    };
    let (path, second) = asked(Place::at(0)).await;
    assert!(path.ends_with("&limit=100"), "{path}");
    assert_eq!(second, place(1, Some("1700000000123__bafyreiabc")));
    let (path, third) = asked(place(1, Some("opaque"))).await;
    assert!(path.ends_with("&cursor=opaque"), "{path}");
    assert_eq!(third.position, 2);
}

#[test]
fn rows_carry_what_the_profile_says() {
    let page = read_page(
        &answer(200, PAGE),
        &place(NEWEST, None),
        Asked::Below,
        (None, 100),
    )
    .unwrap();
    let [Line::Row(a), Line::Row(b)] = &page.lines[..] else {
        panic!("{:?}", page.lines)
    };
    assert_eq!(
        (a.id.as_str(), a.name.as_deref(), a.verified),
        ("did:plc:a", Some("A"), Some(true))
    );
    assert_eq!(
        (b.created, b.verified),
        (None, None),
        "a creation date is written by the user"
    );
}

#[test]
fn an_empty_page_and_a_repeated_cursor_lead_on() {
    let page = r#"{"followers":[],"cursor":"1000__b"}"#;
    let read = |body, used| {
        read_page(
            &answer(200, body),
            &place(NEWEST, None),
            Asked::Below,
            (used, 100),
        )
    };
    assert_eq!(
        read(page, Some("2000__b")).unwrap().next,
        Some(place(1_000_001, Some("1000__b~")))
    );
    // It names itself, and is not mistaken for a key's last rows, nor for newer ones than its place.
    let again = read(page, Some("1000__b")).unwrap();
    assert_eq!((again.next, again.anomalies), (Some(place(NEWEST, None)), vec![]));
    assert_eq!(read(r#"{"followers":[]}"#, Some("1000__b")).unwrap().next, None);
    for unreadable in [
        "",
        "{}",
        "[]",
        r#"{"followers":{}}"#,
        r#"{"followers":[],"cursor":}"#,
    ] {
        assert_eq!(
            read(unreadable, None).unwrap_err().class,
            Class::Malformed,
            "{unreadable}"
        );
    }
}

/// (sortAt, cid) is not unique: see the module.
#[test]
fn rows_of_one_key_come_again_until_they_are_a_whole_page() {
    let row = r#"{"did":"did:plc:a","handle":"a.test"}"#;
    let read = |rows: &str, cursor: &str, used: &str| {
        let body = format!(r#"{{"followers":[{rows}]{cursor}}}"#);
        read_page(
            &answer(200, &body),
            &place(NEWEST, None),
            Asked::Token(used),
            (Some(used), 4),
        )
        .unwrap()
    };
    let cursor = r#","cursor":"1000__b""#;
    let token = |page: &FetchedPage| page.next.as_ref().and_then(Place::token).map(str::to_owned);
    let page = read(row, cursor, "2000__b~");
    assert_eq!(
        (token(&page).as_deref(), page.anomalies),
        (Some("1000__b~"), vec![])
    );
    let page = read(row, cursor, "1000__b~");
    assert_eq!(
        (token(&page).as_deref(), page.anomalies),
        (Some("1000__b"), vec![])
    );
    assert_eq!(read("", "", "1000__b").anomalies, []);
    // Rows of one key that may fill a page of four, hidden ones among them: others of that key may be left out.
    for (rows, anomalies) in [
        (1, vec![]),
        (2, vec![Anomaly::KeysTied]),
        (4, vec![Anomaly::KeysTied]),
    ] {
        let page = read(&vec![row; rows].join(","), cursor, "1000__b~");
        assert_eq!(page.anomalies, anomalies);
    }
}

/// What a page of one key alone was: the end of the list at that time, or a key with more rows than fit.
#[test]
fn rows_behind_a_page_of_one_key_show_what_it_was() {
    let read = |rows: usize, cursor: &str, used: &str| {
        let rows = vec![r#"{"did":"did:plc:a","handle":"a.test"}"#; rows].join(",");
        let body = format!(r#"{{"followers":[{rows}],"cursor":"{cursor}"}}"#);
        let page = read_page(
            &answer(200, &body),
            &place(NEWEST, None),
            Asked::Token(used),
            (Some(used), 4),
        )
        .unwrap();
        let next = page.next.as_ref().and_then(Place::token).map(str::to_owned);
        (page.lines.len(), next.unwrap(), page.anomalies)
    };
    let tied = vec![Anomaly::KeysTied];
    for (key, left_out) in [
        ("1000__b", "001000__b"),
        ("-1000__b", "-001000__b"),
        ("0__b", "000__b"),
    ] {
        let again = format!("{key}~~");
        assert_eq!(read(1, "-2000__b", key), (1, again.clone(), vec![]));
        // Dated before all others, it came while the end was read.
        assert_eq!(read(2, "-2000__b", &again), (2, "-2000__b~".to_owned(), vec![]));
        // It was there, and others of the key are not.
        assert_eq!(read(1, key, &again), (1, left_out.to_owned(), tied.clone()));
        assert_eq!(read(4, key, &format!("{key}~")).1, left_out);
        assert_eq!(read(1, "-2000__b", left_out), (1, "-2000__b~".to_owned(), vec![]));
        assert_eq!(cursor::instant(left_out), cursor::instant(key));
    }
}

#[test]
fn rows_of_the_cursors_own_instant_stay_below_the_next_place() {
    // A range that begins exactly at that instant is not over yet.
    let page = read_page(
        &answer(200, r#"{"followers":[],"cursor":"1000__b"}"#),
        &place(NEWEST, None),
        Asked::Below,
        (None, 100),
    )
    .unwrap();
    let lo = 1_000_000;
    assert!(page.next.unwrap().position > lo);
}

proptest! {
    /// Whatever a server names as the next place, rows are kept and positions never rise.
    #[test]
    fn any_cursor_leads_down_or_stays(
        cursor in prop_oneof![".{0,60}", "-?[0-9]{1,25}__[a-zA-Z0-9]{0,60}", "[2-7a-z]{13}"],
        from in any::<i64>(),
    ) {
        let body = serde_json::json!({"followers": [{"did": "did:plc:a", "handle": "a.test"}], "cursor": cursor});
        let from = Place::at(from);
        let page = read_page(&answer(200, &body.to_string()), &from, Asked::Below, (None, 100)).unwrap();
        let next = page.next.unwrap();
        prop_assert_eq!(page.lines.len(), 1);
        prop_assert!(next.position <= from.position && next.position > OLDEST || next.is_unread());
        let again = format!("{cursor}{TIE}");
        prop_assert!(next.is_end() || [cursor.as_str(), &again].map(Some).contains(&next.token()));
    }

    #[test]
    fn damage_never_panics(at in 0usize..PAGE.len(), byte: u8) {
        let mut body = PAGE.as_bytes().to_vec();
        body[at] = byte;
        let _ = read_page(&answer(200, &String::from_utf8_lossy(&body)), &place(NEWEST, None), Asked::Below, (None, 100));
        let _ = serde_json::from_slice::<Profile>(&body).map(Profile::report);
    }
}
