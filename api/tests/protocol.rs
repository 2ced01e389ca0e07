//! Runners of another release: told so, before anything is read or written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use axum::body::Body;
use followlytics_api::{
    broker::Broker,
    credentials::{Credentials, MemorySecrets},
};
use followlytics_core::wire::{Refusal, VERSION, VERSION_HEADER};
use followlytics_platforms::http::{self, Route};
use followlytics_store::{db::Db, ledger::Ledger, objects::Objects};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tower::ServiceExt as _;

/// Posts to the broker with these headers; returns status and refusal.
async fn post(path: &str, headers: &[(&str, &str)]) -> (u16, Refusal) {
    let ledger = Ledger::new(
        Db::memory().unwrap(),
        Arc::new(|| Timestamp::UNIX_EPOCH),
        Arc::new(|| "id".to_owned()),
    );
    let internet = http::client(Route::Internet).unwrap();
    let credentials = Credentials::new(Arc::new(MemorySecrets::default()), internet, ledger.clone());
    let router = Broker::new(ledger, Objects::memory(), Arc::new(credentials)).router();
    let mut request = axum::http::Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_runner_of_another_release_is_refused_on_every_route() {
    let routes = [
        "claim",
        "heartbeat",
        "step",
        "pages",
        "found",
        "failed",
        "release",
    ];
    let older = (VERSION - 1).to_string();
    for route in routes {
        let path = format!("/broker/v1/{route}");
        for (said, runner) in [
            (None, None),
            (Some(older.as_str()), Some(VERSION - 1)),
            (Some("new"), None),
        ] {
            let headers: Vec<(&str, &str)> = said.map(|said| (VERSION_HEADER, said)).into_iter().collect();
            let expected = Refusal::Version {
                broker: VERSION,
                runner,
            };
            assert_eq!(post(&path, &headers).await, (400, expected), "{route} {said:?}");
        }
    }
}

#[tokio::test]
async fn the_refusal_names_both_versions_and_the_remedy() {
    let (_, refusal) = post("/broker/v1/claim", &[(VERSION_HEADER, "0")]).await;
    assert_eq!(
        refusal.to_string(),
        format!("refused: the runner speaks protocol 0, the broker {VERSION}; give both the same release")
    );
}

#[tokio::test]
async fn a_runner_of_this_release_is_asked_for_its_token() {
    let version = VERSION.to_string();
    let (status, refusal) = post("/broker/v1/claim", &[(VERSION_HEADER, version.as_str())]).await;
    assert_eq!((status, refusal), (401, Refusal::Unknown));
}
