//! Faults of the wire: bodies that are slow, cut, empty or called something else, and clocks that are wrong.

use std::time::Duration;

use axum::body::Body;
use followlytics_simulator::{FaultKind, FaultSpec, Platform, Trigger};
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::bench::{APP, Bench, Reply, next_token, x_ids};

const HANDLES: [(Platform, &str, &str); 5] = [
    (Platform::X, "nasa", "/2/users/{id}/followers"),
    (
        Platform::Bluesky,
        "nasa.bsky.social",
        "/xrpc/app.bsky.graph.getFollowers?actor={id}",
    ),
    (Platform::Gitea, "nasa", "/api/v1/users/nasa/followers"),
    (Platform::Github, "nasa", "/users/nasa/followers"),
    (Platform::Mastodon, "nasa", "/api/v1/accounts/{id}/followers"),
];

fn request(path: &str) -> Request<Body> {
    Request::get(path)
        .header("authorization", APP)
        .header("user-agent", "tests")
        .body(Body::empty())
        .unwrap()
}

fn world(platform: Platform, handle: &str, path: &str) -> (Bench, String) {
    let (bench, id) = Bench::with_account("{}", platform, handle, 40);
    (bench, path.replace("{id}", &id))
}

async fn first(platform: (Platform, &str, &str), kind: FaultKind) -> (Bench, Reply, Reply) {
    let (bench, path) = world(platform.0, platform.1, platform.2);
    bench.world.set_fault(FaultSpec::once(kind)).unwrap();
    let suffered = bench.send(request(&path)).await;
    let whole = bench.send(request(&path)).await;
    (bench, suffered, whole)
}

#[tokio::test(start_paused = true)]
async fn every_platform_suffers_the_faults_of_the_wire() {
    for platform in HANDLES {
        for (kind, status) in [
            (FaultKind::GatewayTimeout, 504),
            (FaultKind::BlockedHtml, 403),
            (FaultKind::MaintenanceHtml, 200),
            (FaultKind::Forbidden, 403),
            (FaultKind::EmptyBody, 200),
            (FaultKind::WrongContentType, 200),
            (FaultKind::Hang { milliseconds: 60_000 }, 502),
        ] {
            let (bench, suffered, whole) = first(platform, kind.clone()).await;
            assert_eq!(suffered.status, status, "{platform:?} {kind}");
            assert_eq!(whole.status, 200);
            let html = suffered
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/html"));
            match kind {
                FaultKind::BlockedHtml | FaultKind::MaintenanceHtml => {
                    assert!(html && suffered.body.starts_with("<!DOCTYPE html>"));
                    assert!(bench.world.requests(0, 1)[0].rows.is_empty());
                }
                FaultKind::WrongContentType => assert!(html && suffered.body == whole.body),
                FaultKind::Forbidden => assert!(suffered.json().is_object()),
                FaultKind::EmptyBody => assert!(suffered.body.is_empty()),
                FaultKind::Hang { .. } => assert_eq!(suffered.header("x-simulator-drop"), Some("1")),
                _ => {}
            }
            assert_eq!(bench.world.totals().faults.values().sum::<u64>(), 1);
        }
    }
}

#[tokio::test]
async fn a_body_is_cut_in_the_middle_of_what_its_headers_promise() {
    for platform in HANDLES {
        let (bench, path) = world(platform.0, platform.1, platform.2);
        bench
            .world
            .set_fault(FaultSpec::once(FaultKind::BodyLost))
            .unwrap();
        let response = bench.router.clone().oneshot(request(&path)).await.unwrap();
        let promised: usize = response.headers()["content-length"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), promised / 2);
        assert!(body.frame().await.unwrap().is_err());
        let whole = bench.send(request(&path)).await;
        assert_eq!(whole.body.len(), promised);
        assert!(bench.world.requests(0, 1)[0].lost && bench.world.requests(0, 1)[0].rows.len() > 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_takes_its_time_and_arrives_whole() {
    let (bench, path) = world(HANDLES[0].0, HANDLES[0].1, HANDLES[0].2);
    bench
        .world
        .set_fault(FaultSpec::once(FaultKind::SlowBody {
            bytes_per_second: 1_000,
        }))
        .unwrap();
    let began = tokio::time::Instant::now();
    let slow = bench.send(request(&path)).await;
    let took = began.elapsed();
    let whole = bench.send(request(&path)).await;
    assert_eq!(x_ids(&slow), x_ids(&whole));
    let expected = Duration::from_millis(100 * (slow.body.len() as u64).div_ceil(100));
    assert_eq!(took, expected);
    let refused = bench
        .world
        .set_fault(FaultSpec::once(FaultKind::SlowBody { bytes_per_second: 0 }));
    assert!(refused.unwrap_err().to_string().contains("bytesPerSecond"));
}

#[tokio::test]
async fn the_date_is_the_worlds_own_and_may_be_wrong() {
    let (bench, skewed, whole) = first(HANDLES[4], FaultKind::ClockSkew { seconds: -3_600 }).await;
    let date = |reply: &Reply| {
        let text = reply.header("date").unwrap();
        jiff::fmt::rfc2822::parse(&text.replace("GMT", "+0000"))
            .unwrap()
            .timestamp()
            .as_second()
    };
    assert_eq!(date(&whole), bench.now_ms() / 1_000);
    assert_eq!(date(&skewed), bench.now_ms() / 1_000 - 3_600);
    assert_eq!(skewed.body, whole.body);
}

#[tokio::test]
async fn the_nth_to_the_mth_request_suffer() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 40);
    let fault = r#"{"endpoint":"followers","trigger":{"requests":{"first":2,"last":4}},"times":0,"kind":"badGateway"}"#;
    assert_eq!(bench.post("/admin/faults", fault).await.status, 201);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(bench.x_page(&id, "").await.status.as_u16());
    }
    assert_eq!(statuses, [200, 502, 502, 502, 200, 200]);
    assert_eq!(bench.world.totals().faults["BadGateway"], 3);
    let trigger = Trigger::Requests { first: 4, last: 2 };
    let refused = bench.world.set_fault(FaultSpec {
        trigger,
        ..FaultSpec::once(FaultKind::BadGateway)
    });
    assert!(refused.unwrap_err().to_string().contains("trigger.requests"));
}

#[tokio::test]
async fn faults_may_be_there_from_the_start() {
    let config = r#"{"faults":[{"platform":"x","kind":"gatewayTimeout"}]}"#;
    let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 40);
    assert_eq!(bench.x_page(&id, "").await.status, 504);
    assert_eq!(bench.x_page(&id, "").await.status, 200);
    let config = r#"{"faults":[{"platform":"gitea","kind":"shortPage"}]}"#;
    let config: followlytics_simulator::WorldConfig = serde_json::from_str(config).unwrap();
    assert!(config.validate().unwrap_err().to_string().contains("kind"));
}

#[tokio::test]
async fn partial_errors_come_with_the_rows_and_a_missing_cursor_without_a_way_on() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 40);
    bench
        .world
        .set_fault(FaultSpec::once(FaultKind::PartialErrors))
        .unwrap();
    let page = bench.x_page(&id, "max_results=10").await;
    assert_eq!((page.status.as_u16(), x_ids(&page).len()), (200, 10));
    assert_eq!(page.json()["errors"][0]["resource_type"], "user");
    bench
        .world
        .set_fault(FaultSpec::once(FaultKind::MissingCursor))
        .unwrap();
    let page = bench.x_page(&id, "max_results=10").await;
    assert_eq!((x_ids(&page).len(), next_token(&page)), (10, None));
}
