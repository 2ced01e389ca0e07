use followlytics_core::{
    platform::Auth,
    retry::{Class, Next, next},
    row::{Line, Row},
    scan::range::{Place, Walk},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::testing::{answers, context, only, platform, response};

const USER: &str = r#"{"login":"octocat","id":583231,"node_id":"MDQ6VXNlcjU4MzIzMQ==","type":"User","site_admin":false,
 "name":"The Octocat","bio":null,"location":"San Francisco","public_repos":8,"followers":17529,"following":9,
 "created_at":"2011-01-25T18:44:36Z"}"#;
const PAGE: &str =
    r#"[{"login":"a","id":7,"type":"User","site_admin":false},{"login":"b","id":"8"},{"login":"c","id":9}]"#;

fn request(place: &Place) -> PageRequest<'_> {
    PageRequest {
        account_id: "583231",
        handle: "octo/cat",
        walk: Walk::Down,
        span: None,
        place,
        max_rows: 7,
        page_rows: 100,
    }
}

fn refused(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let answer = Answer::read(
        response(status, headers, body),
        DIALECT.limits,
        Timestamp::UNIX_EPOCH,
    );
    answer::check(&answer).unwrap_err()
}

#[tokio::test]
async fn every_request_names_itself_and_the_version_of_the_api() {
    for (auth, sent) in [(Auth::UserToken, Some("Bearer secret")), (Auth::Anonymous, None)] {
        let (http, asked) = platform(200, &[], USER);
        let ctx = Context {
            auth,
            ..context(http)
        };
        let account = "github:octocat".parse().unwrap();
        let (report, _) = GitHub.look_up(&ctx, &account, None).await.unwrap();
        assert_eq!((report.id.as_str(), report.followers), ("583231", 17_529));
        assert_eq!(only(&asked), "/users/octocat");
        let asked = asked.lock().unwrap();
        let header = |name: &str| {
            asked[0]
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("x-github-api-version").as_deref(), Some("2022-11-28"));
        assert_eq!(header("accept").as_deref(), Some("application/vnd.github+json"));
        assert!(header("user-agent").unwrap().starts_with("followlytics/"));
        assert_eq!(header("authorization").as_deref(), sent);
    }
}

#[tokio::test]
async fn a_page_is_read_by_its_number_and_the_last_one_says_how_many_there_are() {
    let link = r#"<https://api.github.com/user/583231/followers?per_page=100&page=4>; rel="next", <https://api.github.com/user/583231/followers?per_page=100&page=176>; rel="last""#;
    let headers = [
        ("link", link),
        ("x-ratelimit-limit", "60"),
        ("x-ratelimit-remaining", "58"),
        ("x-ratelimit-reset", "1700000000"),
        ("x-ratelimit-resource", "core"),
    ];
    let (http, asked) = platform(200, &headers, PAGE);
    let place = Place::at(300);
    let page = GitHub.page(&context(http), request(&place)).await.unwrap();
    assert_eq!(only(&asked), "/users/octo%2Fcat/followers?per_page=100&page=3");
    assert_eq!(
        (page.next, page.total, page.returned),
        (Some(Place::at(200)), Some(17_600), 3)
    );
    assert_eq!(page.told.unwrap().remaining, Some(58));
    let [
        Line::Row(Row { id, handle, .. }),
        Line::Unread { unread, .. },
        Line::Row(_),
    ] = &page.lines[..]
    else {
        panic!("{:?}", page.lines)
    };
    assert_eq!((id.as_str(), handle.as_str()), ("7", "a"));
    assert!(unread.contains("\"8\""), "kept as it came");
}

#[tokio::test]
async fn headers_of_another_resources_window_are_not_believed() {
    let headers = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1700000000"),
        ("x-ratelimit-resource", "search"),
    ];
    let (http, _) = platform(200, &headers, PAGE);
    let place = Place::at(100);
    assert_eq!(
        GitHub.page(&context(http), request(&place)).await.unwrap().told,
        None
    );
}

#[tokio::test]
async fn a_renamed_account_is_followed_on_the_same_server_only() {
    let account = "github:old".parse().unwrap();
    let moved = response(301, &[("location", "http://platform.test/user/583231")], "{}");
    let (http, asked) = answers([moved, response(200, &[], USER)]);
    let (report, _) = GitHub.look_up(&context(http), &account, None).await.unwrap();
    assert_eq!(report.handle, "octocat");
    let paths: Vec<String> = asked
        .lock()
        .unwrap()
        .iter()
        .map(|request| request.uri().to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "http://platform.test/users/old",
            "http://platform.test/user/583231"
        ]
    );
    let elsewhere = response(301, &[("location", "http://evil.test/user/583231")], "{}");
    let (http, asked) = answers([elsewhere, response(200, &[], USER)]);
    let failure = GitHub.look_up(&context(http), &account, None).await.unwrap_err();
    assert_eq!(
        (failure.class, asked.lock().unwrap().len()),
        (Class::BadRequest, 1)
    );
    let here = || response(301, &[("location", "/user/1")], "{}");
    let (http, asked) = answers([here(), here()]);
    GitHub.look_up(&context(http), &account, None).await.unwrap_err();
    assert_eq!(asked.lock().unwrap().len(), 2, "round in circles at most once");
}

#[test]
fn the_four_meanings_of_403_and_429_are_told_apart() {
    let used_up = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1700000000"),
    ];
    let left = [
        ("x-ratelimit-remaining", "4999"),
        ("x-ratelimit-reset", "1700000000"),
    ];
    let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
    let abuse = r#"{"message":"You have triggered an abuse detection mechanism."}"#;
    let primary = r#"{"message":"API rate limit exceeded for 192.0.2.1."}"#;
    for status in [403, 429] {
        assert_eq!(refused(status, &used_up, primary).class, Class::RateLimited);
        assert_eq!(refused(status, &left, secondary).class, Class::SecondaryLimited);
        assert_eq!(
            refused(status, &used_up, secondary).class,
            Class::SecondaryLimited
        );
        assert_eq!(refused(status, &[], abuse).class, Class::SecondaryLimited);
        let asked_to_wait = refused(status, &[("retry-after", "61")], "<html>");
        assert_eq!(
            (asked_to_wait.class, asked_to_wait.retry_after_ms),
            (Class::SecondaryLimited, Some(61_000))
        );
    }
    assert_eq!(
        refused(403, &left, r#"{"message":"Resource not accessible"}"#).class,
        Class::Forbidden
    );
    assert_eq!(refused(429, &left, "").class, Class::SecondaryLimited);
    // At least a minute where the platform names no time.
    assert_eq!(
        next(Class::SecondaryLimited, 1),
        Next::Again(SignedDuration::from_mins(1))
    );
}

#[test]
fn every_other_refusal_has_its_class() {
    let cut_off = r#"{"message":"In order to keep the API fast for everyone, pagination is limited for this resource."}"#;
    for (status, body, class) in [
        (401, r#"{"message":"Bad credentials"}"#, Class::Unauthorized),
        (404, r#"{"message":"Not Found"}"#, Class::NotFound),
        (404, "<html>", Class::BadRequest),
        (451, "{}", Class::Suspended),
        (422, cut_off, Class::Forbidden),
        (422, "{}", Class::BadRequest),
        (400, "{}", Class::BadRequest),
        (500, "", Class::ServerError),
        (502, "<html>Unicorn!</html>", Class::ServerError),
        (418, "", Class::Unknown),
    ] {
        assert_eq!(refused(status, &[], body).class, class, "{status} {body}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_no_empty_list() {
    for body in ["", "{}", "<html>", r#"[{"id":1}"#, "null"] {
        let (http, _) = platform(200, &[], body);
        let place = Place::at(100);
        let failure = GitHub.page(&context(http), request(&place)).await.unwrap_err();
        assert_eq!(failure.class, Class::Malformed, "{body}");
    }
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0usize..PAGE.len(), byte: u8) {
        let mut body = PAGE.as_bytes().to_vec();
        body[at] = byte;
        let answer = Answer::read(response(200, &[], &String::from_utf8_lossy(&body)), DIALECT.limits, Timestamp::UNIX_EPOCH);
        let page = Numbered::at(300, Walk::Down, 100).unwrap();
        let _ = page.read(&answer, User::row, 300, Walk::Down, None);
        let _ = read_account(&answer);
    }
}
