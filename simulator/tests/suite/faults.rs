//! Every fault fires, as often as it was told and not more.

use std::collections::BTreeSet;

use followlytics_simulator::{Endpoint, FaultKind, FaultSpec, Platform, ResetHeader, Trigger};
use serde_json::Value;

use crate::bench::{APP, Bench, Reply, next_token, sorted, texts, x_ids};

const ACTOR: &str = "nasa.bsky.social";

fn x(followers: u64) -> (Bench, String) {
    Bench::with_account("{}", Platform::X, "nasa", followers)
}

fn set(bench: &Bench, kind: FaultKind) {
    bench.world.set_fault(FaultSpec::once(kind)).unwrap();
}

/// The page with the fault, and the page after it.
async fn pages(kind: FaultKind) -> (Bench, Reply, Reply) {
    let (bench, id) = x(30);
    set(&bench, kind);
    let page = bench.x_page(&id, "max_results=10").await;
    let next = bench.x_page(&id, "max_results=10").await;
    assert_eq!(
        (next.status.as_u16(), x_ids(&next).len()),
        (200, 10),
        "a fault set once fires once"
    );
    (bench, page, next)
}

#[tokio::test]
async fn gateway_errors_have_no_json_and_cost_nothing() {
    for (kind, status) in [
        (FaultKind::InternalErrorHtml, 500),
        (FaultKind::BadGateway, 502),
        (
            FaultKind::Unavailable {
                retry_after_seconds: None,
            },
            503,
        ),
    ] {
        let (bench, page, _) = pages(kind).await;
        assert_eq!(page.status, status);
        assert!(serde_json::from_str::<Value>(&page.body).is_err());
        assert_eq!(bench.world.requests(0, 1)[0].charged_nano_usd, 0);
    }
    let (_, page, _) = pages(FaultKind::Unavailable {
        retry_after_seconds: Some(7),
    })
    .await;
    assert_eq!(page.number("retry-after"), 7);
}

#[tokio::test]
async fn a_refusal_may_lie_about_its_end() {
    let cases = [
        (ResetHeader::True, Some(900)),
        (ResetHeader::Early(890), Some(10)),
        (ResetHeader::Late(100), Some(1_000)),
        (ResetHeader::Absent, None),
    ];
    for (reset, seconds) in cases {
        let (bench, page, next) = pages(FaultKind::RateLimited { reset }).await;
        assert_eq!(page.status, 429);
        let said = page
            .header("x-rate-limit-reset")
            .map(|reset| reset.parse::<i64>().unwrap());
        assert_eq!(said.map(|at| at - bench.now_ms() / 1_000), seconds);
        assert_eq!(
            next.number("x-rate-limit-remaining"),
            299,
            "the refused request was not counted"
        );
    }
}

#[tokio::test]
async fn money_errors_can_be_forced() {
    let (_, page, _) = pages(FaultKind::CreditsDepleted).await;
    assert_eq!(
        (page.status.as_u16(), page.json()["title"].as_str()),
        (402, Some("CreditsDepleted"))
    );
    let (_, page, _) = pages(FaultKind::UsageCapExceeded).await;
    assert_eq!(
        (page.status.as_u16(), page.json()["title"].as_str()),
        (429, Some("UsageCapExceeded"))
    );
}

#[tokio::test]
async fn a_storm_of_401_ends_and_the_token_was_good_all_along() {
    let (bench, id) = x(3);
    bench
        .world
        .set_fault(FaultSpec {
            times: 4,
            ..FaultSpec::once(FaultKind::Unauthorized)
        })
        .unwrap();
    for _ in 0..4 {
        assert_eq!(bench.x_page(&id, "").await.status, 401);
    }
    assert_eq!(bench.x_page(&id, "").await.status, 200);
}

#[tokio::test]
async fn a_truncated_body_is_no_json_and_is_charged() {
    let (bench, page, next) = pages(FaultKind::TruncatedBody).await;
    assert_eq!(page.status, 200);
    assert!(serde_json::from_str::<Value>(&page.body).is_err());
    assert!(next.body.starts_with(&page.body));
    assert_eq!(bench.world.requests(0, 1)[0].charged_nano_usd, 100_000_000);
}

#[tokio::test]
async fn a_malformed_row_sits_among_all_the_good_ones() {
    let (_, page, next) = pages(FaultKind::MalformedRow).await;
    let rows = page.json()["data"].as_array().unwrap().clone();
    let good: Vec<_> = rows.iter().filter(|row| row["id"].is_string()).cloned().collect();
    assert_eq!((rows.len(), good.len()), (11, 10));
    assert!(rows[5]["id"].is_u64());
    assert_eq!(page.json()["meta"]["result_count"], 11);
    assert_eq!(Value::from(good), next.json()["data"]);
}

#[tokio::test]
async fn a_duplicated_row_comes_twice_on_one_page() {
    let (bench, page, next) = pages(FaultKind::DuplicatedRow).await;
    let ids = x_ids(&page);
    assert_eq!((ids.len(), &ids[0]), (11, &ids[10]));
    assert_eq!(ids[..10], x_ids(&next));
    assert_eq!(bench.world.requests(0, 1)[0].rows, ids);
    assert_eq!(bench.world.requests(0, 1)[0].charged_nano_usd, 100_000_000);
}

#[tokio::test]
async fn short_and_empty_pages_lose_nobody() {
    for kind in [FaultKind::ShortPage, FaultKind::EmptyPage] {
        let (bench, id) = x(95);
        let truth = bench.world.truth_between(Platform::X, "nasa", 0, 0).unwrap();
        bench
            .world
            .set_fault(FaultSpec {
                times: 3,
                trigger: Trigger::After(1),
                ..FaultSpec::once(kind.clone())
            })
            .unwrap();
        let seen = bench.x_walk(&id, 10).await;
        assert_eq!(sorted(seen), sorted(truth));
        let log = bench.world.requests(0, 100);
        let expected = if kind == FaultKind::ShortPage { 5 } else { 0 };
        for request in &log[1..4] {
            assert_eq!(request.rows.len(), expected);
        }
        let cursors: BTreeSet<_> = log.iter().map(|request| request.cursor.clone()).collect();
        assert_eq!(cursors.len(), log.len(), "every page had a token of its own");
    }
}

#[tokio::test]
async fn short_and_empty_pages_lose_nobody_on_bluesky_either() {
    for kind in [FaultKind::ShortPage, FaultKind::EmptyPage] {
        let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 95);
        let truth = bench.world.truth_between(Platform::Bluesky, ACTOR, 0, 0).unwrap();
        bench
            .world
            .set_fault(FaultSpec {
                times: 3,
                ..FaultSpec::once(kind)
            })
            .unwrap();
        assert_eq!(sorted(bench.sky_walk(ACTOR, 10).await), sorted(truth));
        let log = bench.world.requests(0, 100);
        assert!(
            log[..3]
                .iter()
                .all(|request| request.rows.len() < 10 && request.fault.is_some())
        );
        let cursors: BTreeSet<_> = log.iter().map(|request| request.cursor.clone()).collect();
        assert_eq!(cursors.len(), log.len());
    }
}

#[tokio::test]
async fn a_repeated_cursor_is_the_one_just_used() {
    let (bench, id) = x(30);
    set(&bench, FaultKind::RepeatedCursor);
    let token = next_token(&bench.x_page(&id, "max_results=10").await).unwrap();
    let path = format!("max_results=10&pagination_token={token}");
    let stuck = bench.x_page(&id, &path).await;
    assert_eq!(next_token(&stuck), Some(token.clone()));
    let moving = bench.x_page(&id, &path).await;
    assert_eq!(x_ids(&moving), x_ids(&stuck));
    assert_ne!(next_token(&moving), Some(token));
}

#[tokio::test]
async fn a_cursor_that_leads_back_is_that_of_the_first_page() {
    let (bench, id) = x(30);
    let first = bench.x_page(&id, "max_results=10").await;
    let second = format!("max_results=10&pagination_token={}", next_token(&first).unwrap());
    let rows = bench.x_page(&id, &second).await;
    set(&bench, FaultKind::CursorLeadsBack);
    let back = bench.x_page(&id, &second).await;
    assert_eq!(x_ids(&back), x_ids(&rows));
    let again = format!("max_results=10&pagination_token={}", next_token(&back).unwrap());
    assert_eq!(x_ids(&bench.x_page(&id, &again).await), x_ids(&rows));
}

#[tokio::test]
async fn an_expired_cursor_is_refused_as_the_platform_refuses_it() {
    let (bench, id) = x(30);
    set(&bench, FaultKind::ExpiredCursor);
    let token = next_token(&bench.x_page(&id, "max_results=10").await).unwrap();
    let refused = bench.x_page(&id, &format!("pagination_token={token}")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["errors"][0]["parameters"]["pagination_token"][0],
        token
    );
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 30);
    set(&bench, FaultKind::ExpiredCursor);
    let cursor = bench.sky_page(ACTOR, "").await.json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        bench.sky_page(ACTOR, &format!("cursor={cursor}")).await.status,
        500
    );
}

#[tokio::test(start_paused = true)]
async fn extra_latency_delays_one_answer() {
    let (bench, id) = Bench::with_account(r#"{"latencyMs":50}"#, Platform::X, "nasa", 3);
    set(&bench, FaultKind::ExtraLatency { milliseconds: 1_000 });
    let before = tokio::time::Instant::now();
    assert_eq!(bench.x_page(&id, "").await.status, 200);
    assert_eq!(before.elapsed().as_millis(), 1_050);
    bench.x_page(&id, "").await;
    assert_eq!(before.elapsed().as_millis(), 1_100);
}

#[tokio::test]
async fn a_lost_response_was_served_and_charged() {
    let (bench, page, _) = pages(FaultKind::ResponseLost).await;
    assert_eq!((page.status.as_u16(), page.body.as_str()), (502, ""));
    assert_eq!(page.header("x-simulator-drop"), Some("1"));
    let request = &bench.world.requests(0, 1)[0];
    assert!(request.lost);
    assert_eq!(
        (request.status, request.rows.len(), request.charged_nano_usd),
        (200, 10, 100_000_000)
    );
    assert_eq!(bench.world.totals().lost, 1);
}

#[tokio::test]
async fn row_faults_fit_the_other_platforms_too() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 10);
    set(&bench, FaultKind::MalformedRow);
    let rows = bench.sky_page(ACTOR, "").await.json()["followers"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        rows.iter().filter(|row| row["did"].is_string()).count() + 1,
        rows.len()
    );
    set(&bench, FaultKind::DuplicatedRow);
    let dids = texts(&bench.sky_page(ACTOR, "").await.json()["followers"], "did");
    assert_eq!((dids.len(), dids.first()), (11, dids.last()));
    set(
        &bench,
        FaultKind::RateLimited {
            reset: ResetHeader::Late(60),
        },
    );
    let refused = bench.sky_page(ACTOR, "").await;
    assert_eq!(refused.number("ratelimit-reset"), bench.now_ms() / 1_000 + 360);

    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 10);
    set(&bench, FaultKind::MalformedRow);
    let rows = bench
        .gitea_page("linus", 1, 50)
        .await
        .json()
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        rows.iter().filter(|row| row["id"].is_u64()).count() + 1,
        rows.len()
    );
    set(&bench, FaultKind::DuplicatedRow);
    assert_eq!(
        bench
            .gitea_page("linus", 1, 50)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        11
    );
    set(&bench, FaultKind::Unauthorized);
    assert_eq!(bench.gitea_page("linus", 1, 50).await.status, 401);
    set(
        &bench,
        FaultKind::RateLimited {
            reset: ResetHeader::True,
        },
    );
    assert_eq!(bench.gitea_page("linus", 1, 50).await.number("retry-after"), 60);
}

#[tokio::test]
async fn filters_choose_platform_endpoint_and_account() {
    let (bench, id) = x(3);
    let other = bench
        .world
        .create_account(followlytics_simulator::AccountSpec::new(Platform::X, "esa", 3))
        .unwrap()
        .id;
    let fault = FaultSpec {
        platform: Some(Platform::X),
        endpoint: Some(Endpoint::Followers),
        account: Some("NASA".to_owned()),
        ..FaultSpec::once(FaultKind::BadGateway)
    };
    bench.world.set_fault(fault).unwrap();
    assert_eq!(bench.x_page(&other, "").await.status, 200);
    assert_eq!(bench.get_as(APP, "/2/users/by/username/nasa").await.status, 200);
    assert_eq!(bench.x_page(&id, "").await.status, 502);
    assert_eq!(bench.world.faults()[0].matched, 1);
}

#[tokio::test]
async fn a_chance_of_one_in_four_is_about_that() {
    let (bench, id) = Bench::with_account(
        r#"{"x":{"limits":{"followersApp":2000}}}"#,
        Platform::X,
        "nasa",
        1,
    );
    let trigger = Trigger::Probability(0.25);
    bench
        .world
        .set_fault(FaultSpec {
            trigger,
            times: 0,
            ..FaultSpec::once(FaultKind::BadGateway)
        })
        .unwrap();
    for _ in 0..1_000 {
        bench.x_page(&id, "").await;
    }
    let failed = bench.world.totals().by_endpoint["x.followers"][&502];
    assert!((200..300).contains(&failed), "{failed}");
    bench.world.clear_faults();
    assert_eq!(bench.x_page(&id, "").await.status, 200);
}

#[tokio::test]
async fn a_fault_that_could_never_fire_is_refused() {
    let bench = Bench::new("{}");
    let fault = FaultSpec {
        platform: Some(Platform::Gitea),
        ..FaultSpec::once(FaultKind::ShortPage)
    };
    let error = bench.world.set_fault(fault).unwrap_err();
    assert!(error.to_string().contains("kind"), "{error}");
    let trigger = Trigger::Probability(1.5);
    let fault = FaultSpec {
        trigger,
        ..FaultSpec::once(FaultKind::BadGateway)
    };
    assert!(bench.world.set_fault(fault).is_err());
}
