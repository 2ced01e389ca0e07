use followlytics_core::{
    account::AccountRef,
    row::Line,
    scan::range::{Place, Walk},
};
use proptest::prelude::*;

use super::*;
use crate::testing::{answer, context, only, platform};

const PAGE: &str = r#"{"data":[
  {"id":"1000000000000000001","name":"Example One","username":"example_one","created_at":"2023-10-23T13:44:53.000Z",
   "description":"bio","protected":false,"verified":false,"verified_type":"none",
   "public_metrics":{"followers_count":500,"following_count":200,"tweet_count":1500,"listed_count":3}},
  {"id":"2244994945","name":"Developers","username":"XDevelopers","public_metrics":{"post_count":7}}],
 "meta":{"result_count":2,"next_token":"DFEDBNRFT3MHCZZZ","previous_token":"77QP89SLXJD0CZZZ"}}"#;

fn request(place: &Place) -> PageRequest<'_> {
    PageRequest {
        account_id: "12",
        handle: "a",
        walk: Walk::Down,
        span: None,
        place,
        max_rows: 400,
        page_rows: 1000,
    }
}

fn at(position: i64, cursor: &str) -> Place {
    Place {
        position,
        cursor: Some(cursor.into()),
    }
}

#[tokio::test]
async fn a_page_is_one_request_with_the_token_of_its_place() {
    let (http, asked) = platform(
        200,
        &[
            ("x-rate-limit-remaining", "299"),
            ("x-rate-limit-reset", "1700000000"),
        ],
        PAGE,
    );
    let place = at(3, "AB/+=");
    let page = X.page(&context(http), request(&place)).await.unwrap();
    let expected = format!(
        "/2/users/12/followers?max_results=400&user.fields={ROW_FIELDS}&pagination_token=AB%2F%2B%3D"
    );
    assert_eq!(only(&asked), expected);
    let header = asked.lock().unwrap()[0].headers()["authorization"].clone();
    assert!(header.is_sensitive() && header == "Bearer secret");
    assert_eq!(page.next, Some(at(4, "DFEDBNRFT3MHCZZZ")));
    assert_eq!(
        (page.returned, page.total, page.told.unwrap().remaining),
        (2, None, Some(299))
    );
    let [Line::Row(first), Line::Row(second)] = &page.lines[..] else {
        panic!("{:?}", page.lines)
    };
    assert_eq!(
        (first.posts, first.followers, first.verified),
        (Some(1500), Some(500), Some(false))
    );
    assert_eq!(first.created.unwrap().to_string(), "2023-10-23T13:44:53Z");
    assert_eq!(
        (second.posts, second.bio.as_ref(), second.handle.as_str()),
        (Some(7), None, "XDevelopers")
    );
}

#[tokio::test]
async fn a_place_that_lost_its_token_is_not_read_from_the_newest_end() {
    let (http, asked) = platform(200, &[], PAGE);
    let failure = X.page(&context(http), request(&Place::at(3))).await.unwrap_err();
    assert_eq!(
        (failure.class, asked.lock().unwrap().len()),
        (Class::BadRequest, 0)
    );
}

#[tokio::test]
async fn accounts_are_looked_up_by_handle_or_by_id() {
    let body = r#"{"data":{"id":"12","username":"Nasa","protected":true,"public_metrics":{"followers_count":9},"created_at":"2020-01-01T00:00:00Z"}}"#;
    let account: AccountRef = "x:@nasa".parse().unwrap();
    for (id, path) in [(None, "/2/users/by/username/nasa?"), (Some("12"), "/2/users/12?")] {
        let (http, asked) = platform(200, &[], body);
        let (report, _) = X.look_up(&context(http), &account, id).await.unwrap();
        assert!(only(&asked).starts_with(path));
        assert_eq!(
            (report.id.as_str(), report.handle.as_str(), report.followers),
            ("12", "Nasa", 9)
        );
    }
    let (http, _) = platform(200, &[], r#"{"data":{"id":"12","username":"nasa"}}"#);
    let failure = X.look_up(&context(http), &account, None).await.unwrap_err();
    assert_eq!(
        failure.class,
        Class::Malformed,
        "without a count there is no plan"
    );
}

#[test]
fn an_empty_page_may_end_the_list_or_go_on() {
    let read = |body| read_page(&answer(200, body), "12", &at(1, "a"));
    let end = read(r#"{"meta":{"result_count":0}}"#).unwrap();
    assert_eq!((end.lines.len(), end.next), (0, None));
    let on = read(r#"{"data":[],"meta":{"result_count":0,"next_token":"b"}}"#).unwrap();
    assert_eq!((on.lines.len(), on.next), (0, Some(at(2, "b"))));
    // A paid page is kept, whatever its token is.
    let kept = |token: &str| {
        let body = format!(r#"{{"data":[],"meta":{{"next_token":{token}}}}}"#);
        let page = read_page(&answer(200, &body), "12", &at(1, "a"));
        page.unwrap().next.unwrap()
    };
    assert_eq!(kept("7").token(), Some("7"));
    assert_eq!(kept(r#"" -A?""#).token(), Some(" -A?"));
    assert!(kept(r#""a\u0000""#).is_end());
    let repeated = read(r#"{"data":[],"meta":{"next_token":"a"}}"#).unwrap();
    assert_eq!(repeated.next, Some(at(2, "a")));
    for unreadable in ["{}", r#"{"data":[]}"#, r#"{"data":{},"meta":{}}"#] {
        assert_eq!(
            read(unreadable).unwrap_err().class,
            Class::Malformed,
            "{unreadable}"
        );
    }
}

#[test]
fn rows_without_meta_are_kept_and_prove_no_end() {
    for meta in ["", r#","meta":null"#, r#","meta":[]"#] {
        let body = format!(r#"{{"data":[{{"id":"8","username":"n"}}]{meta}}}"#);
        let page = read_page(&answer(200, &body), "12", &at(1, "a")).unwrap();
        assert_eq!((page.returned, page.next), (1, None), "{meta}");
        assert_eq!(page.anomalies, [Anomaly::EndUnproven], "{meta}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_kept_as_it_came() {
    let body = r#"{"data":[{"id":7, "username":"n"},{"id":"8"},null,["1","n"],{"id":""},{"id":"9","created_at":"yesterday"}],"meta":{}}"#;
    let page = read_page(&answer(200, body), "12", &Place::at(0)).unwrap();
    assert_eq!(page.returned, 6, "every one of them is charged");
    let unread: Vec<&str> = page
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Unread { unread, .. } => Some(unread.as_str()),
            Line::Row(_) => None,
        })
        .collect();
    assert_eq!(
        unread,
        [
            r#"{"id":7, "username":"n"}"#,
            "null",
            r#"["1","n"]"#,
            r#"{"id":""}"#
        ]
    );
}

#[test]
fn more_rows_than_a_page_can_hold_are_refused() {
    let rows = vec!["1"; MAX_ROWS + 1].join(",");
    let body = format!(r#"{{"data":[{rows}],"meta":{{}}}}"#);
    assert_eq!(
        read_page(&answer(200, &body), "12", &Place::at(0))
            .unwrap_err()
            .class,
        Class::Malformed
    );
}

proptest! {
    #[test]
    fn any_row_is_read_or_kept(row in "[\\[{\"a-z:0-9,}\\]]{0,60}") {
        if serde_json::from_str::<serde_json::Value>(&row).is_ok() {
            let body = format!(r#"{{"data":[{row}],"meta":{{}}}}"#);
            prop_assert_eq!(read_page(&answer(200, &body), "12", &Place::at(0)).unwrap().returned, 1);
        }
    }

    #[test]
    fn damage_never_panics(at in 0usize..PAGE.len(), byte: u8) {
        let mut body = PAGE.as_bytes().to_vec();
        body[at] = byte;
        let _ = read_page(&answer(200, &String::from_utf8_lossy(&body)), "12", &Place::at(0));
        let _ = read_account(&answer(200, &String::from_utf8_lossy(&body)));
    }
}
