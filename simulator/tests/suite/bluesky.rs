//! Bluesky: profiles, pages, seeking.

use std::collections::BTreeSet;

use followlytics_simulator::{Platform, UserState};

use crate::bench::{Bench, sorted, texts};

const ACTOR: &str = "nasa.bsky.social";

#[tokio::test]
async fn a_walk_sees_exactly_the_population_newest_first() {
    let (bench, did) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 1_234);
    let mut seen = bench.sky_walk(ACTOR, 100).await;
    assert_eq!(bench.sky_walk(&did, 100).await, seen);
    seen.reverse();
    let truth = bench
        .world
        .truth(Platform::Bluesky, ACTOR, bench.world.now(), bench.world.now())
        .unwrap();
    assert_eq!(seen, truth);
    assert_eq!(seen.len(), 1_234);
}

#[tokio::test]
async fn the_list_ends_with_an_empty_page_without_a_cursor() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 5);
    let page = bench.sky_page(ACTOR, "").await.json();
    assert_eq!(page["followers"].as_array().unwrap().len(), 5);
    let cursor = page["cursor"].as_str().unwrap();
    let last = bench.sky_page(ACTOR, &format!("cursor={cursor}")).await.json();
    assert!(last["followers"].as_array().unwrap().is_empty() && last.get("cursor").is_none());
    assert_eq!(last["subject"]["handle"], ACTOR);
}

#[tokio::test]
async fn fabricated_cursors_tile_the_list_by_time() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 2_000);
    let whole: BTreeSet<String> = bench.sky_walk(ACTOR, 100).await.into_iter().collect();
    let four_years = 126_230_400_000;
    let oldest = bench.now_ms() - four_years;
    let borders: Vec<i64> = (0..=4)
        .map(|quarter| oldest + four_years / 4 * quarter + 1)
        .collect();
    let mut parts = BTreeSet::new();
    for border in borders.windows(2) {
        let mut query = format!("limit=100&cursor={}__3", border[1]);
        loop {
            let page = bench.sky_page(ACTOR, &query).await.json();
            parts.extend(texts(&page["followers"], "did"));
            let Some(cursor) = page["cursor"].as_str() else {
                break;
            };
            let ms: i64 = cursor.split("__").next().unwrap().parse().unwrap();
            let again = format!("limit=100&cursor={cursor}~");
            if ms < border[0] || query == again {
                break;
            }
            query = again;
        }
    }
    assert_eq!(parts.len(), 2_000);
    assert_eq!(parts, whole);
}

#[tokio::test]
async fn a_page_that_ends_among_rows_of_one_key_is_followed_by_none_of_them() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 400);
    let (mut seen, mut query) = (0, "limit=1".to_owned());
    while let Some(cursor) = bench.sky_page(ACTOR, &query).await.json()["cursor"].as_str() {
        seen += 1;
        query = format!("limit=1&cursor={cursor}");
    }
    assert!((300..390).contains(&seen), "{seen}");
    assert_eq!(bench.sky_walk(ACTOR, 50).await.len(), 400);
}

#[tokio::test]
async fn a_malformed_cursor_is_an_internal_error() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 5);
    for cursor in ["1700000000000", "1700000000000__", "soon__bafy"] {
        let page = bench.sky_page(ACTOR, &format!("cursor={cursor}")).await;
        assert_eq!(page.status, 500, "{cursor}");
        assert_eq!(page.json()["error"], "InternalServerError");
    }
}

#[tokio::test]
async fn rows_that_cannot_be_hydrated_make_pages_short_and_even_empty() {
    let (bench, _) = Bench::with_account(
        r#"{"bluesky":{"hiddenShare":0.5}}"#,
        Platform::Bluesky,
        ACTOR,
        300,
    );
    let page = bench.sky_page(ACTOR, "limit=100").await.json();
    let rows = page["followers"].as_array().unwrap().len();
    assert!((30..70).contains(&rows) && page["cursor"].is_string(), "{rows}");
    let seen = bench.sky_walk(ACTOR, 5).await;
    let totals = bench.world.totals();
    assert!(
        totals.by_endpoint["bluesky.followers"][&200] > 60,
        "empty pages were walked through"
    );
    let truth = bench
        .world
        .truth(Platform::Bluesky, ACTOR, bench.world.now(), bench.world.now())
        .unwrap();
    assert_eq!(sorted(seen), sorted(truth));
}

#[tokio::test]
async fn a_profile_is_found_by_handle_and_did_with_its_counts() {
    let (bench, did) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 12);
    for actor in [ACTOR, did.as_str()] {
        let profile = bench
            .get(&format!("/xrpc/app.bsky.actor.getProfile?actor={actor}"))
            .await
            .json();
        assert_eq!(
            (&profile["did"], &profile["followersCount"]),
            (&did.as_str().into(), &12.into())
        );
        assert!(profile["indexedAt"].is_string() && profile["createdAt"].is_string());
    }
}

#[tokio::test]
async fn unknown_deactivated_and_taken_down_actors_differ() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 1);
    let path = |actor: &str| format!("/xrpc/app.bsky.actor.getProfile?actor={actor}");
    let unknown = bench.get(&path("nobody.example.com")).await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.json()["message"].as_str()),
        (400, Some("Profile not found"))
    );
    assert_eq!(bench.get(&path("nodot")).await.json()["error"], "InvalidRequest");
    assert_eq!(bench.sky_page("nobody.example.com", "").await.status, 400);
    for (state, error) in [
        (UserState::Deactivated, "AccountDeactivated"),
        (UserState::Suspended, "AccountTakedown"),
    ] {
        bench.world.set_state(Platform::Bluesky, ACTOR, state).unwrap();
        let refused = bench.get(&path(ACTOR)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["error"].as_str()),
            (400, Some(error))
        );
        let list = bench.sky_page(ACTOR, "").await;
        assert_eq!(list.json()["message"], format!("Actor not found: {ACTOR}"));
    }
}

#[tokio::test]
async fn a_limit_out_of_range_is_refused() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 1);
    for (limit, words) in [
        ("101", "greater than 100"),
        ("0", "less than 1"),
        ("x", "integer"),
    ] {
        let page = bench.sky_page(ACTOR, &format!("limit={limit}")).await;
        assert_eq!(page.status, 400);
        assert!(page.json()["message"].as_str().unwrap().contains(words));
    }
}

#[tokio::test]
async fn the_rate_limit_is_off_unless_asked_for() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 1);
    assert_eq!(bench.sky_page(ACTOR, "").await.header("ratelimit-limit"), None);
    let config = r#"{"bluesky":{"rateLimit":{"requests":2,"windowMs":300000}}}"#;
    let (bench, _) = Bench::with_account(config, Platform::Bluesky, ACTOR, 1);
    assert_eq!(bench.sky_page(ACTOR, "").await.number("ratelimit-remaining"), 1);
    bench.sky_page(ACTOR, "").await;
    let refused = bench.sky_page(ACTOR, "").await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error"].as_str()),
        (429, Some("RateLimitExceeded"))
    );
    assert_eq!(
        refused.number("ratelimit-reset"),
        (bench.now_ms() + 300_000) / 1_000
    );
    bench.advance_ms(300_000);
    assert_eq!(bench.sky_page(ACTOR, "").await.status, 200);
}

#[tokio::test]
async fn a_renamed_follower_keeps_its_did() {
    let (bench, _) = Bench::with_account("{}", Platform::Bluesky, ACTOR, 1);
    let before = bench.sky_page(ACTOR, "").await.json()["followers"][0].clone();
    bench
        .world
        .rename(
            Platform::Bluesky,
            before["did"].as_str().unwrap(),
            "new.example.com",
        )
        .unwrap();
    let after = bench.sky_page(ACTOR, "").await.json()["followers"][0].clone();
    assert_eq!(
        (&after["did"], after["handle"].as_str()),
        (&before["did"], Some("new.example.com"))
    );
}

#[tokio::test]
async fn a_handle_resolves_to_its_did_whatever_became_of_the_account() {
    let (bench, did) = Bench::with_account("{}", Platform::Bluesky, "nasa.bsky.social", 3);
    let path = "/xrpc/com.atproto.identity.resolveHandle?handle=nasa.bsky.social";
    assert_eq!(bench.get(path).await.json()["did"], did);
    bench
        .world
        .set_state(Platform::Bluesky, "nasa.bsky.social", UserState::Suspended)
        .unwrap();
    assert_eq!(bench.get(path).await.json()["did"], did);
    let unknown = bench.get(&path.replace("nasa", "nobody")).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.json()["message"]),
        (400, &"Unable to resolve handle".into())
    );
    assert_eq!(
        bench.get("/xrpc/com.atproto.identity.resolveHandle").await.status,
        400
    );
}
