use proptest::prelude::*;

use super::*;
use crate::testing;

const ACCOUNT: Asked<'static> = Asked::Account;
const FOLLOWERS: Asked<'static> = Asked::Followers { id: "123" };

const BAD_PARAMETER: &str = r#"{"errors":[{"parameters":{"max_results":["0"]},"message":"The `max_results` query parameter value [0] is not between 1 and 1000"}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}"#;
const BAD_TOKEN: &str = r#"{"errors":[{"parameters":{"pagination_token":["S3CR3T"]},"message":"The `pagination_token` query parameter value [S3CR3T] is not valid"}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.x.com/2/problems/invalid-request"}"#;
const UNAUTHORIZED: &str =
    r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#;
const CREDITS: &str = r#"{"account_id":1234567890123456789,"title":"CreditsDepleted","detail":"Your enrolled account [1234567890123456789] does not have any credits to fulfill this request.","type":"https://api.twitter.com/2/problems/credits"}"#;
const APP_ONLY: &str = r#"{"title":"Unsupported Authentication","detail":"Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context].","type":"https://api.twitter.com/2/problems/unsupported-authentication","status":403}"#;
const NOT_ENROLLED: &str = r#"{"client_id":"12345678","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project.","registration_url":"https://developer.twitter.com/en/docs/projects/overview","title":"Client Forbidden","required_enrollment":"Appropriate Level of API Access","reason":"client-not-enrolled","type":"https://api.twitter.com/2/problems/client-forbidden"}"#;
const NOT_IN_PLAN: &str =
    r#"{"errors":[{"message":"You currently have access to a subset of X API V2 endpoints","code":453}]}"#;
const FORBIDDEN: &str =
    r#"{"detail":"You are not allowed.","type":"about:blank","title":"Forbidden","status":403}"#;
const TOO_MANY: &str =
    r#"{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}"#;
const TOO_MANY_OLD: &str = r#"{"errors":[{"code":88,"message":"Rate limit exceeded."}]}"#;
const CAPPED: &str = r#"{"account_id":1234567890123456789,"product_name":"standard-basic","title":"UsageCapExceeded","period":"Monthly","scope":"Product","detail":"Usage cap exceeded: Monthly product cap","type":"https://api.twitter.com/2/problems/usage-capped"}"#;
const NOT_FOUND: &str = r#"{"errors":[{"value":"nosuch","detail":"Could not find user with username: [nosuch].","title":"Not Found Error","resource_type":"user","parameter":"username","resource_id":"nosuch","type":"https://api.twitter.com/2/problems/resource-not-found"}]}"#;
const NOT_FOUND_404: &str = r#"{"value":"123","detail":"Could not find user with id: [123].","title":"Not Found Error","resource_type":"user","parameter":"id","resource_id":"123","type":"https://api.twitter.com/2/problems/resource-not-found"}"#;
const SUSPENDED: &str = r#"{"errors":[{"value":"susp","detail":"User has been suspended: [susp].","title":"Forbidden","resource_type":"user","parameter":"username","resource_id":"susp","type":"https://api.twitter.com/2/problems/resource-not-found"}]}"#;
const PROTECTED: &str = r#"{"errors":[{"value":"123","detail":"Sorry, you are not authorized to see the user with id: [123].","title":"Authorization Error","section":"data","resource_type":"user","parameter":"id","resource_id":"123","type":"https://api.twitter.com/2/problems/not-authorized-for-resource"}]}"#;
const STRANGE: &str = r#"{"errors":[{"title":"Teapot","type":"https://api.x.com/2/problems/teapot"}]}"#;

#[test]
fn every_refusal_has_its_class() {
    let table: [(&str, Asked<'_>, u16, &str, Class); 27] = [
        ("bad parameter", FOLLOWERS, 400, BAD_PARAMETER, Class::BadRequest),
        ("bad token", FOLLOWERS, 400, BAD_TOKEN, Class::CursorExpired),
        (
            "bad token of a look-up",
            ACCOUNT,
            400,
            BAD_TOKEN,
            Class::BadRequest,
        ),
        ("no JSON", FOLLOWERS, 400, "<html>", Class::BadRequest),
        ("unauthorized", ACCOUNT, 401, UNAUTHORIZED, Class::Unauthorized),
        ("unauthorized, no body", ACCOUNT, 401, "", Class::Unauthorized),
        ("no credits", FOLLOWERS, 402, CREDITS, Class::CreditsDepleted),
        ("app only", FOLLOWERS, 403, APP_ONLY, Class::Forbidden),
        ("not enrolled", FOLLOWERS, 403, NOT_ENROLLED, Class::Forbidden),
        ("not in plan", FOLLOWERS, 403, NOT_IN_PLAN, Class::Forbidden),
        ("forbidden", FOLLOWERS, 403, FORBIDDEN, Class::Forbidden),
        ("404 of a user", FOLLOWERS, 404, NOT_FOUND_404, Class::NotFound),
        ("404 of whatever", FOLLOWERS, 404, "", Class::Unknown),
        ("window", FOLLOWERS, 429, TOO_MANY, Class::RateLimited),
        (
            "window, old body",
            FOLLOWERS,
            429,
            TOO_MANY_OLD,
            Class::RateLimited,
        ),
        ("window, no body", FOLLOWERS, 429, "", Class::RateLimited),
        ("monthly cap", FOLLOWERS, 429, CAPPED, Class::UsageCapped),
        ("503 without body", FOLLOWERS, 503, "", Class::ServerError),
        (
            "502 in HTML",
            FOLLOWERS,
            502,
            "<html>Bad gateway</html>",
            Class::ServerError,
        ),
        ("a redirect", FOLLOWERS, 302, "", Class::BadRequest),
        ("a teapot", FOLLOWERS, 418, "", Class::Unknown),
        ("nobody", ACCOUNT, 200, NOT_FOUND, Class::NotFound),
        ("suspended", ACCOUNT, 200, SUSPENDED, Class::Suspended),
        ("protected", FOLLOWERS, 200, PROTECTED, Class::Protected),
        ("an unknown problem", ACCOUNT, 200, STRANGE, Class::Unknown),
        (
            "cut off",
            FOLLOWERS,
            200,
            r#"{"data":[{"id":"1""#,
            Class::Malformed,
        ),
        ("no object", FOLLOWERS, 200, "[]", Class::Malformed),
    ];
    for (case, asked, status, body, class) in table {
        let answer = testing::answer(status, body);
        let failure = read(&answer, asked).unwrap_err();
        assert_eq!(failure.class, class, "{case}: {failure:?}");
        assert!(
            !failure.message.contains("S3CR3T") && !failure.message.contains("susp]"),
            "{failure:?}"
        );
    }
}

#[test]
fn who_has_to_act_is_told_apart() {
    let message = |body| read(&testing::answer(403, body), FOLLOWERS).unwrap_err().message;
    assert!(message(APP_ONLY).contains("another kind of token"));
    assert!(message(NOT_ENROLLED).contains("pay-per-use"));
    assert!(message(NOT_IN_PLAN).contains("plan"));
    let message = read(&testing::answer(400, BAD_PARAMETER), FOLLOWERS)
        .unwrap_err()
        .message;
    assert!(message.contains("max_results"), "{message}");
}

#[test]
fn data_beside_errors_is_kept() {
    let partial = SUSPENDED.replacen('{', r#"{"data":[{"id":"1"}],"meta":{"result_count":1},"#, 1);
    let answer = testing::answer(200, &partial);
    let body = read(&answer, FOLLOWERS).unwrap();
    assert_eq!(body.list(&answer).unwrap().len(), 1);
}

#[test]
fn errors_about_rows_alone_do_not_end_a_list() {
    let filtered = SUSPENDED.replacen('{', r#"{"meta":{"result_count":0,"next_token":"t"},"#, 1);
    let answer = testing::answer(200, &filtered);
    let body = read(&answer, FOLLOWERS).unwrap();
    assert_eq!(body.list(&answer).unwrap().len(), 0);
    assert_eq!(body.next_token(&answer, false).unwrap().as_deref(), Some("t"));
    let account = PROTECTED.replacen('{', r#"{"meta":{"result_count":0},"#, 1);
    assert_eq!(
        read(&testing::answer(200, &account), FOLLOWERS)
            .unwrap_err()
            .class,
        Class::Protected
    );
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(status in 200u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let answer = testing::answer(status, &String::from_utf8_lossy(&body));
        if let Ok(body) = read(&answer, FOLLOWERS) {
            let _ = (body.list(&answer), body.next_token(&answer, false));
        }
    }

    #[test]
    fn any_field_may_have_any_shape(status in prop::sample::select(vec![200u16, 400, 403, 404, 429]), shape in prop::sample::select(vec!["null", "1", "\"x\"", "[]", "{}", "[null,1,{}]", "{\"a\":[1]}"]), body in prop::sample::select(vec![BAD_TOKEN, PROTECTED, CAPPED, NOT_IN_PLAN]), field in prop::sample::select(vec!["errors", "meta", "data", "type", "title"])) {
        let mut value: Value = serde_json::from_str(body).unwrap();
        value[field] = serde_json::from_str(shape).unwrap();
        let answer = testing::answer(status, &value.to_string());
        if let Ok(body) = read(&answer, FOLLOWERS) {
            let _ = (body.list(&answer), body.next_token(&answer, false));
        }
    }
}
