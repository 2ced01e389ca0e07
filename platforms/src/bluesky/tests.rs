use followlytics_core::row::Line;
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
        span: None,
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
                cursor: Some("1700000000123__bafyreiabc".into())
            })
        );
        assert_eq!(page.returned, 2);
    }
}

#[tokio::test]
async fn a_server_that_does_not_seek_is_noticed() {
    let (_, page) = asked_at(&place(1_600_000_000_000_000, None), "http://h").await;
    let failure = page.unwrap_err();
    assert_eq!(failure.class, Class::Malformed);
    assert!(failure.message.contains("newer rows"), "{}", failure.message);
}

#[test]
fn rows_carry_what_the_profile_says() {
    let page = read_page(&answer(200, PAGE), &place(NEWEST, None), None).unwrap();
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
fn an_empty_page_goes_on_and_a_repeated_cursor_does_not() {
    let page = r#"{"followers":[],"cursor":"1000__b"}"#;
    let read = |body, used| read_page(&answer(200, body), &place(NEWEST, None), used);
    assert_eq!(
        read(page, Some("2000__b")).unwrap().next,
        Some(place(1_000_001, Some("1000__b")))
    );
    assert_eq!(
        read(page, Some("1000__b")).unwrap_err().class,
        Class::CursorRepeated
    );
    assert_eq!(read(r#"{"followers":[]}"#, Some("1000__b")).unwrap().next, None);
    for unreadable in [
        "",
        "{}",
        "[]",
        r#"{"followers":{}}"#,
        r#"{"followers":[],"cursor":"?"}"#,
        r#"{"followers":[],"cursor":1}"#,
    ] {
        assert_eq!(
            read(unreadable, None).unwrap_err().class,
            Class::Malformed,
            "{unreadable}"
        );
    }
}

#[test]
fn rows_of_the_cursors_own_instant_stay_below_the_next_place() {
    // A range that begins exactly at that instant is not over yet.
    let page = read_page(
        &answer(200, r#"{"followers":[],"cursor":"1000__b"}"#),
        &place(NEWEST, None),
        None,
    )
    .unwrap();
    let lo = 1_000_000;
    assert!(page.next.unwrap().position > lo);
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0usize..PAGE.len(), byte: u8) {
        let mut body = PAGE.as_bytes().to_vec();
        body[at] = byte;
        let _ = read_page(&answer(200, &String::from_utf8_lossy(&body)), &place(NEWEST, None), None);
        let _ = serde_json::from_slice::<Profile>(&body).map(Profile::report);
    }
}
