use followlytics_core::account::Platform;
use http::Response;
use proptest::prelude::*;
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::testing::platform;

const GRANTED: &str = r#"{"token_type":"bearer","expires_in":7200,"access_token":"at2","scope":"users.read offline.access","refresh_token":"rt2"}"#;
const SPENT: &str =
    r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#;

async fn with(status: u16, body: &str) -> Result<TokenPair, RefreshError> {
    let (http, _) = platform(status, &[], body);
    refresh(&http, "https://api.test", "id", None, &"rt1".into()).await
}

#[tokio::test]
async fn confidential_clients_sign_by_basic_and_public_ones_by_their_id() {
    for (secret, header, form) in [
        (
            None,
            None,
            "grant_type=refresh_token&refresh_token=rt%2B1&client_id=id",
        ),
        (
            Some(SecretString::from("s:1")),
            Some("Basic aWQ6cyUzQTE="),
            "grant_type=refresh_token&refresh_token=rt%2B1",
        ),
    ] {
        let (http, asked) = platform(200, &[], GRANTED);
        let pair = refresh(&http, "https://api.test/", "id", secret.as_ref(), &"rt+1".into())
            .await
            .unwrap();
        assert_eq!(
            (pair.access.expose_secret(), pair.refresh.unwrap().expose_secret()),
            ("at2", "rt2")
        );
        assert_eq!(pair.expires_in, SignedDuration::from_hours(2));
        let asked = asked.lock().unwrap();
        assert_eq!((asked.len(), asked[0].uri().path()), (1, "/2/oauth2/token"));
        assert_eq!(
            asked[0]
                .headers()
                .get("authorization")
                .map(|value| value.to_str().unwrap()),
            header
        );
        assert_eq!(asked[0].body(), form);
    }
}

#[tokio::test]
async fn every_refusal_says_what_became_of_the_old_token() {
    let no_basic =
        r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#;
    for (status, body, error) in [
        (400, SPENT, RefreshError::Spent),
        (400, r#"{"error":"invalid_grant"}"#, RefreshError::Spent),
        (401, no_basic, RefreshError::Client { status: 401 }),
        (
            400,
            r#"{"error":"invalid_client"}"#,
            RefreshError::Client { status: 400 },
        ),
        (404, "", RefreshError::Client { status: 404 }),
        (429, "", RefreshError::Unavailable),
        (503, "<html>", RefreshError::Ambiguous),
        (200, r#"{"access_token":"at"#, RefreshError::Ambiguous),
        (302, "", RefreshError::Ambiguous),
    ] {
        assert_eq!(with(status, body).await.unwrap_err(), error, "{status} {body}");
    }
}

#[tokio::test]
async fn only_a_request_that_was_not_sent_leaves_the_token_as_it_was() {
    for (lost, error) in [
        (HttpError::Connect("refused".into()), RefreshError::Unavailable),
        (HttpError::Timeout, RefreshError::Ambiguous),
        (HttpError::Broken("reset".into()), RefreshError::Ambiguous),
        (HttpError::TooLarge, RefreshError::Ambiguous),
    ] {
        let http = BoxCloneSyncService::new(service_fn(move |_: Request<Bytes>| {
            let lost = lost.clone();
            async move { Err::<Response<Bytes>, _>(lost) }
        }));
        let base_url = Platform::X.facts().base_url.unwrap();
        assert_eq!(
            refresh(&http, base_url, "id", None, &"rt".into())
                .await
                .unwrap_err(),
            error
        );
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(StatusCode::from_u16(status).unwrap(), &body);
    }
}
