use followlytics_core::{platform::Auth, row::Line, scan::range::Span};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::testing::{context, only, platform, response};

const ACCOUNT: &str = r#"{"id":"109348523","username":"alice","acct":"alice","display_name":"Alice","locked":false,"bot":false,
 "note":"<p>Hi</p>","followers_count":200,"following_count":3,"statuses_count":9,"created_at":"2022-11-15T00:00:00.000Z"}"#;
const PAGE: &str = r#"[{"id":"1","username":"b","acct":"b@other.example","display_name":"","locked":true,"note":"<p>x &amp; y</p>",
 "followers_count":1,"following_count":2,"statuses_count":3,"created_at":"2020-01-01T00:00:00.000Z"},{"id":7,"acct":"c"}]"#;
const NEXT: &str = r#"<https://named.example/api/v1/accounts/1/followers?limit=80&max_id=7163058>; rel="next", <https://named.example/api/v1/accounts/1/followers?limit=80&since_id=7275607>; rel="prev""#;
const WHOLE: Span = Span { lo: 0, hi: NEWEST };

fn request(place: &Place, span: Option<Span>) -> PageRequest<'_> {
    PageRequest {
        account_id: "109348523",
        handle: "alice",
        walk: Walk::Down,
        span,
        place,
        max_rows: 500,
        page_rows: 80,
    }
}

async fn ask(
    place: Place,
    span: Option<Span>,
    link: Option<&str>,
    body: &str,
) -> (String, Result<FetchedPage, Failure>) {
    let headers: Vec<(&str, &str)> = link.map(|link| ("link", link)).into_iter().collect();
    let (http, asked) = platform(200, &headers, body);
    let page = Mastodon.page(&context(http), request(&place, span)).await;
    (only(&asked), page)
}

fn links(next: &str, prev: &str) -> String {
    format!("<https://h/f?max_id={next}>; rel=\"next\", <https://h/f?min_id={prev}>; rel=\"prev\"")
}

fn chained(position: i64, query: &str) -> Place {
    Place {
        position,
        cursor: Some(query.to_owned()),
    }
}

#[tokio::test]
async fn accounts_are_looked_up_by_name_or_by_id() {
    let account: AccountRef = "mastodon:@alice@social.example".parse().unwrap();
    for (id, path) in [
        (None, "/api/v1/accounts/lookup?acct=alice"),
        (Some("109348523"), "/api/v1/accounts/109348523"),
    ] {
        let (http, asked) = platform(200, &[], ACCOUNT);
        let (report, _) = Mastodon.look_up(&context(http), &account, id).await.unwrap();
        assert_eq!(only(&asked), path);
        assert_eq!(
            (report.id.as_str(), report.handle.as_str(), report.followers),
            ("109348523", "alice", 200)
        );
    }
    let suspended = ACCOUNT.replace(r#""locked":false"#, r#""suspended":true"#);
    let (http, _) = platform(200, &[], &suspended);
    let failure = Mastodon
        .look_up(&context(http), &account, None)
        .await
        .unwrap_err();
    assert_eq!(failure.class, Class::Suspended);
}

#[tokio::test]
async fn the_place_of_the_next_page_stands_in_the_link_alone() {
    const START: &str = "/api/v1/accounts/109348523/followers?limit=80";
    for (place, span, query) in [
        (Place::at(NEWEST), Some(WHOLE), ""),
        (Place::at(NEWEST), None, ""),
        (Place::at(8_000_000), Some(WHOLE), "&max_id=8000000"),
        (Place::at(8_000_000), None, "&max_id=8000000"),
    ] {
        let (path, page) = ask(place, span, Some(NEXT), PAGE).await;
        assert_eq!(path, format!("{START}{query}"));
        let page = page.unwrap();
        assert_eq!((page.next, page.returned), (Some(Place::at(7_163_058)), 2));
        let [Line::Row(row), Line::Unread { unread, .. }] = &page.lines[..] else {
            panic!("{:?}", page.lines)
        };
        assert_eq!(
            (row.handle.as_str(), row.bio.as_deref(), row.protected, row.posts),
            ("b@other.example", Some("x & y"), Some(true), Some(3))
        );
        assert_eq!(unread, r#"{"id":7,"acct":"c"}"#);
    }
}

#[tokio::test]
async fn a_server_without_numbers_is_a_chain() {
    let opaque = links("01FC0SKA48HNSVR6YKZCQGS2V8", "01FC0SKW5JK2Q4EVAV2B462YY0");
    // The probe says so by a place that has a cursor,
    let (_, probe) = ask(Place::at(NEWEST), None, Some(&opaque), PAGE).await;
    assert!(probe.unwrap().next.unwrap().cursor.is_some());
    // the chain goes from link to link,
    let (path, first) = ask(Place::at(0), None, Some(&opaque), PAGE).await;
    assert!(path.ends_with("/followers?limit=80"), "{path}");
    let second = first.unwrap().next.unwrap();
    assert_eq!(second, chained(1, "max_id=01FC0SKA48HNSVR6YKZCQGS2V8"));
    let (path, end) = ask(
        second.clone(),
        None,
        Some("<https://h/f?min_id=1>; rel=\"prev\""),
        PAGE,
    )
    .await;
    assert!(
        path.ends_with("/followers?max_id=01FC0SKA48HNSVR6YKZCQGS2V8"),
        "{path}"
    );
    assert_eq!(end.unwrap().next, None);
    // and a range of numbers reads on by the link, below the last number that was read.
    let (_, listing) = ask(Place::at(9), Some(WHOLE), Some(&opaque), PAGE).await;
    let next = listing.unwrap().next.unwrap();
    assert_eq!(
        (next.position, next.is_unread(), next.token()),
        (9, true, Some("max_id=01FC0SKA48HNSVR6YKZCQGS2V8"))
    );
    let (path, listing) = ask(next, Some(WHOLE), Some(&links("7", "8")), PAGE).await;
    assert!(
        path.ends_with("/followers?max_id=01FC0SKA48HNSVR6YKZCQGS2V8"),
        "{path}"
    );
    assert_eq!(listing.unwrap().next, Some(Place::at(7)));
}

#[tokio::test]
async fn a_server_that_does_not_seek_is_noticed() {
    for (next, prev) in [("95", "200"), ("150", "200")] {
        let link = links(next, prev);
        let (_, probe) = ask(Place::at(100), None, Some(&link), PAGE).await;
        assert!(probe.unwrap().next.unwrap().cursor.is_some(), "{link}");
        let (_, listing) = ask(Place::at(100), Some(WHOLE), Some(&link), PAGE).await;
        let listing = listing.unwrap();
        assert_eq!(listing.anomalies, [Anomaly::KeyRose], "{link}");
        let next = listing.next.unwrap();
        assert!(next.is_unread() && next.position == 100, "{link}");
    }
}

#[tokio::test]
async fn a_page_is_kept_whatever_its_link_is() {
    let long = "9".repeat(10_240);
    for query in [
        "max_id=-5",
        "max_id=",
        "max_id=0",
        "max_id=%20",
        "max_id=A",
        "x=1",
        &format!("max_id={long}"),
    ] {
        let link = format!("<https://h/f?{query}>; rel=\"next\"");
        let (_, page) = ask(Place::at(100), Some(WHOLE), Some(&link), PAGE).await;
        let page = page.unwrap();
        let next = page.next.unwrap();
        assert_eq!(
            (page.lines.len(), next.position, next.token()),
            (2, 100, Some(query)),
            "{query}"
        );
        assert!(next.is_unread());
    }
    for link in ["<https://h/f>; rel=\"next\"", "<https://h/f?a b>; rel=\"next\""] {
        for (place, span) in [(Place::at(100), Some(WHOLE)), (chained(3, "max_id=a"), None)] {
            let (_, page) = ask(place, span, Some(link), PAGE).await;
            assert!(page.unwrap().next.unwrap().is_end(), "{link}");
        }
    }
}

/// B-07: the ledger ends such a range, and no row is lost.
#[tokio::test]
async fn a_page_that_leads_to_itself_keeps_its_rows_and_its_place() {
    let link = "<https://h/f?max_id=a>; rel=next";
    for (place, span, link, next) in [
        (Place::at(7_163_058), Some(WHOLE), NEXT, Place::at(7_163_058)),
        (
            Place::unread(9, "max_id=a"),
            Some(WHOLE),
            link,
            Place::unread(9, "max_id=a"),
        ),
        (chained(3, "max_id=a"), None, link, chained(4, "max_id=a")),
    ] {
        let (_, page) = ask(place, span, Some(link), PAGE).await;
        let page = page.unwrap();
        assert_eq!((page.lines.len(), page.next), (2, Some(next)));
    }
}

#[tokio::test]
async fn a_missing_place_keeps_the_rows_and_proves_no_end() {
    let rows = vec![r#"{"id":"1","acct":"b"}"#; 80].join(",");
    let full = format!("[{rows}]");
    let prev = "<https://h/f?since_id=9>; rel=\"prev\"";
    for (link, body, rows) in [
        (None, PAGE, 2),
        (None, full.as_str(), 80),
        (Some(prev), full.as_str(), 80),
    ] {
        let (_, page) = ask(Place::at(NEWEST), Some(WHOLE), link, body).await;
        let page = page.unwrap();
        assert_eq!((page.lines.len(), page.next), (rows, None), "{link:?}");
        assert_eq!(page.anomalies, [Anomaly::EndUnproven], "{link:?}");
    }
    for (link, body) in [(Some(prev), PAGE), (None, "[]")] {
        let (_, end) = ask(Place::at(NEWEST), Some(WHOLE), link, body).await;
        let end = end.unwrap();
        assert_eq!((end.next, end.anomalies), (None, Vec::new()), "{link:?}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_no_empty_list() {
    for body in ["", "{}", "<html>", r#"[{"id":"1"}"#, r#"{"error":"no"}"#] {
        let (_, page) = ask(Place::at(NEWEST), Some(WHOLE), Some(NEXT), body).await;
        assert_eq!(page.unwrap_err().class, Class::Malformed, "{body}");
    }
}

fn refused(status: u16, headers: &[(&str, &str)], body: &str, auth: Auth) -> Failure {
    let answer = Answer::read(
        response(status, headers, body),
        DIALECT.limits,
        Timestamp::UNIX_EPOCH,
    );
    answer::check(&answer, auth).unwrap_err()
}

#[test]
fn every_refusal_has_its_class() {
    let needs = r#"{"error":"This method requires an authenticated user"}"#;
    for (status, body, auth, class) in [
        (401, needs, Auth::Anonymous, Class::Unauthorized),
        (422, needs, Auth::Anonymous, Class::Unauthorized),
        (
            401,
            r#"{"error":"The access token is invalid"}"#,
            Auth::UserToken,
            Class::Unauthorized,
        ),
        (403, "{}", Auth::UserToken, Class::Forbidden),
        (403, "<html>", Auth::Anonymous, Class::Forbidden),
        (
            404,
            r#"{"error":"Record not found"}"#,
            Auth::Anonymous,
            Class::NotFound,
        ),
        (404, "<html>", Auth::Anonymous, Class::BadRequest),
        (410, "", Auth::Anonymous, Class::Suspended),
        (422, "{}", Auth::UserToken, Class::BadRequest),
        (
            429,
            r#"{"error":"Too many requests"}"#,
            Auth::Anonymous,
            Class::RateLimited,
        ),
        (503, "<html>", Auth::Anonymous, Class::ServerError),
        (418, "", Auth::Anonymous, Class::Unknown),
    ] {
        assert_eq!(refused(status, &[], body, auth).class, class, "{status} {body}");
    }
    assert!(
        refused(401, &[], needs, Auth::Anonymous)
            .message
            .contains("Credential")
    );
    let headers = [
        ("x-ratelimit-limit", "300"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1970-01-01T00:05:00.000000Z"),
    ];
    let limited = refused(429, &headers, "{}", Auth::Anonymous).told.unwrap();
    assert_eq!(
        (limited.limit, limited.remaining, limited.reset.as_second()),
        (Some(300), Some(0), 300)
    );
}

#[test]
fn a_domain_whose_api_lives_elsewhere_is_named() {
    let headers = [(
        "location",
        "https://social.example.org/api/v1/accounts/lookup?acct=a",
    )];
    let failure = refused(301, &headers, "", Auth::Anonymous);
    assert_eq!(failure.class, Class::BadRequest);
    assert!(
        failure
            .message
            .contains("name https://social.example.org as the base URL"),
        "{}",
        failure.message
    );
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0usize..PAGE.len(), byte: u8, link in "[ -~]{0,80}", position in 0i64..NEWEST, probing: bool) {
        let mut body = PAGE.as_bytes().to_vec();
        body[at] = byte;
        let answer = Answer::read(response(200, &[("link", &link)], &String::from_utf8_lossy(&body)), DIALECT.limits, Timestamp::UNIX_EPOCH);
        let asked = Asked::Below { id: position, probing };
        if let Ok(page) = read_page(&answer, asked, &Place::at(position), 80) {
            prop_assert!(page.next.is_none_or(|next| next.cursor.is_some() || next.position < position));
        }
        let _ = read_account(&answer);
    }
}
