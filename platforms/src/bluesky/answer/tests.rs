use proptest::prelude::*;

use super::*;
use crate::testing;

#[test]
fn every_refusal_has_its_class() {
    let xrpc = |error: &str, message: &str| format!(r#"{{"error":"{error}","message":"{message}"}}"#);
    for (status, body, class) in [
        (400, xrpc("InvalidRequest", "Profile not found"), Class::NotFound),
        (
            400,
            xrpc("InvalidRequest", "Actor not found: did:plc:x"),
            Class::NotFound,
        ),
        (
            400,
            xrpc("InvalidRequest", "Unable to resolve handle"),
            Class::NotFound,
        ),
        (
            400,
            xrpc("AccountTakedown", "Account has been suspended"),
            Class::Suspended,
        ),
        (
            400,
            xrpc("AccountDeactivated", "Account is deactivated"),
            Class::NotFound,
        ),
        (
            400,
            xrpc("BlockedActor", "Requester has blocked actor"),
            Class::Protected,
        ),
        (
            400,
            xrpc("InvalidRequest", "Malformed cursor"),
            Class::CursorExpired,
        ),
        (
            400,
            xrpc("InvalidRequest", "Error: limit can not be greater than 100"),
            Class::BadRequest,
        ),
        (
            400,
            xrpc("ExpiredToken", "Token has expired"),
            Class::Unauthorized,
        ),
        (
            401,
            xrpc("AuthMissing", "Authentication Required"),
            Class::Unauthorized,
        ),
        (403, String::new(), Class::Forbidden),
        (404, "<html>".into(), Class::BadRequest),
        (
            429,
            xrpc("RateLimitExceeded", "Rate Limit Exceeded"),
            Class::RateLimited,
        ),
        (
            500,
            xrpc("InternalServerError", "Internal Server Error"),
            Class::ServerError,
        ),
        (
            501,
            xrpc("MethodNotImplemented", "Method Not Implemented"),
            Class::BadRequest,
        ),
        (502, "<html>".into(), Class::ServerError),
        (302, String::new(), Class::BadRequest),
        (418, String::new(), Class::Unknown),
    ] {
        assert_eq!(
            check(&testing::answer(status, &body)).unwrap_err().class,
            class,
            "{status} {body}"
        );
    }
    assert!(check(&testing::answer(200, "")).is_ok());
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..100)) {
        let ok = check(&testing::answer(status, &String::from_utf8_lossy(&body))).is_ok();
        prop_assert_eq!(ok, (200..300).contains(&status));
    }
}
