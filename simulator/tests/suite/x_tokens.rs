//! X: OAuth 2 user tokens.

use axum::body::Body;
use followlytics_simulator::{FaultKind, FaultSpec, Platform, TokenPair};
use http::Request;

use crate::bench::{APP, Bench, Reply};

async fn refresh(bench: &Bench, token: &str) -> Reply {
    let form = format!("grant_type=refresh_token&client_id=simulator&refresh_token={token}");
    bench.post("/2/oauth2/token", form).await
}

fn signed_in() -> (Bench, TokenPair) {
    let (bench, _) = Bench::with_account("{}", Platform::X, "nasa", 3);
    let pair = bench.world.issue_x_user_token("simulator", "nasa").unwrap();
    (bench, pair)
}

#[tokio::test]
async fn an_access_token_lives_two_hours_and_me_is_its_user() {
    let (bench, pair) = signed_in();
    let bearer = format!("Bearer {}", pair.access_token);
    let me = bench.get_as(&bearer, "/2/users/me").await;
    assert_eq!(me.json()["data"]["username"], "nasa");
    assert_eq!(me.number("x-rate-limit-limit"), 75);
    bench.advance_ms(7_200_000 - 1);
    assert_eq!(bench.get_as(&bearer, "/2/users/me").await.status, 200);
    bench.advance_ms(1);
    assert_eq!(bench.get_as(&bearer, "/2/users/me").await.status, 401);
}

#[tokio::test]
async fn an_app_bearer_is_nobody() {
    let (bench, _) = signed_in();
    let refused = bench.get_as(APP, "/2/users/me").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["title"], "Unsupported Authentication");
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let (bench, pair) = signed_in();
    let first = refresh(&bench, &pair.refresh_token).await;
    assert_eq!(first.status, 200);
    assert_eq!(
        (&first.json()["token_type"], &first.json()["expires_in"]),
        (&"bearer".into(), &7_200.into())
    );
    let reused = refresh(&bench, &pair.refresh_token).await;
    assert_eq!(reused.status, 400);
    assert_eq!(reused.json()["error"], "invalid_request");
    assert_eq!(
        reused.json()["error_description"],
        "Value passed for the token was invalid."
    );
    let bearer = format!("Bearer {}", first.json()["access_token"].as_str().unwrap());
    assert_eq!(
        bench.get_as(&bearer, "/2/users/me").await.json()["data"]["username"],
        "nasa"
    );
    assert_eq!(
        refresh(&bench, first.json()["refresh_token"].as_str().unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_confidential_client_refreshes_with_basic_only() {
    let config = r#"{"x":{"apps":[{"clientId":"web","clientSecret":"s3","bearer":"b"}]}}"#;
    let (bench, _) = Bench::with_account(config, Platform::X, "nasa", 1);
    let pair = bench.world.issue_x_user_token("web", "nasa").unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={}", pair.refresh_token);
    let bare = bench.post("/2/oauth2/token", form.clone()).await;
    assert_eq!(
        (bare.status.as_u16(), bare.json()["error"].as_str().unwrap()),
        (401, "unauthorized_client")
    );
    let public = bench
        .post("/2/oauth2/token", format!("{form}&client_id=web"))
        .await;
    assert_eq!(public.status, 401);
    let basic = |credentials: &'static str| {
        Request::post("/2/oauth2/token")
            .header("authorization", credentials)
            .body(Body::from(form.clone()))
    };
    // "web:wrong" and "web:s3".
    assert_eq!(bench.send(basic("Basic d2ViOndyb25n").unwrap()).await.status, 401);
    assert_eq!(bench.send(basic("Basic d2ViOnMz").unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_lost_answer_has_rotated_the_token_all_the_same() {
    let (bench, pair) = signed_in();
    let fault = FaultSpec {
        endpoint: Some(followlytics_simulator::Endpoint::Token),
        ..FaultSpec::once(FaultKind::ResponseLost)
    };
    bench.world.set_fault(fault).unwrap();
    let lost = refresh(&bench, &pair.refresh_token).await;
    assert_eq!(lost.header("x-simulator-drop"), Some("1"));
    assert_eq!(refresh(&bench, &pair.refresh_token).await.status, 400);
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let (bench, pair) = signed_in();
    assert!(bench.world.revoke_x_token(&pair.access_token));
    assert_eq!(
        bench
            .get_as(&format!("Bearer {}", pair.access_token), "/2/users/me")
            .await
            .status,
        401
    );
    assert!(!bench.world.revoke_x_token(&pair.access_token));
}

#[tokio::test]
async fn the_log_names_the_principal_and_never_the_token() {
    let (bench, pair) = signed_in();
    bench
        .get_as(&format!("Bearer {}", pair.access_token), "/2/users/me")
        .await;
    refresh(&bench, &pair.refresh_token).await;
    let log = bench.world.requests(0, 10);
    assert_eq!(log[0].principal, "user:simulator/nasa");
    assert_eq!(log[0].token.as_ref().unwrap().len(), 12);
    let text = serde_json::to_string(&log).unwrap();
    assert!(!text.contains(&pair.access_token) && !text.contains(&pair.refresh_token));
}

#[tokio::test]
async fn other_grants_are_refused_in_the_platforms_words() {
    let (bench, _) = signed_in();
    let code = bench
        .post("/2/oauth2/token", "grant_type=authorization_code&code=x")
        .await;
    let description = "Value passed for the authorization code was invalid.";
    assert_eq!(
        (code.status.as_u16(), &code.json()["error_description"]),
        (400, &description.into())
    );
    assert_eq!(bench.post("/2/oauth2/token", "").await.status, 400);
}
