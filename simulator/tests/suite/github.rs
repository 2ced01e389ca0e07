//! GitHub: users, index pages and their links, limits of both kinds, tags.

use axum::body::Body;
use followlytics_simulator::{AccountSpec, FaultKind, FaultSpec, Platform, ResetHeader, UserState};
use http::Request;

use crate::bench::{Bench, Reply, gitea_ids};

const TOKEN: &str = "Bearer ghp_good";

async fn get(bench: &Bench, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(path).header("user-agent", "tests");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.send(request.body(Body::empty()).unwrap()).await
}

async fn page(bench: &Bench, login: &str, number: usize, size: usize) -> Reply {
    let path = format!("/users/{login}/followers?per_page={size}&page={number}");
    get(bench, &path, &[("authorization", TOKEN)]).await
}

fn linus(config: &str, followers: u64) -> (Bench, String) {
    Bench::with_account(config, Platform::Github, "torvalds", followers)
}

#[tokio::test]
async fn a_walk_sees_exactly_the_population_oldest_first() {
    let (bench, _) = linus("{}", 512);
    let truth = bench
        .world
        .truth(Platform::Github, "torvalds", bench.world.now(), bench.world.now())
        .unwrap();
    let mut seen = Vec::new();
    for number in 1.. {
        let rows = gitea_ids(&page(&bench, "torvalds", number, 100).await);
        if rows.is_empty() {
            break;
        }
        seen.extend(rows);
    }
    assert_eq!((seen.len(), &seen), (512, &truth));
}

#[tokio::test]
async fn links_name_the_user_by_id_and_the_platforms_own_host() {
    let (bench, id) = linus("{}", 250);
    let root = format!("https://api.github.com/user/{id}/followers?per_page=100&page=");
    let link = |number: usize, rel: &str| format!("<{root}{number}>; rel=\"{rel}\"");
    let header = |reply: &Reply| reply.header("link").unwrap().to_owned();
    assert_eq!(
        header(&page(&bench, "torvalds", 1, 100).await),
        [link(2, "next"), link(3, "last")].join(", ")
    );
    assert_eq!(
        header(&page(&bench, "torvalds", 2, 100).await),
        [
            link(1, "prev"),
            link(3, "next"),
            link(3, "last"),
            link(1, "first")
        ]
        .join(", ")
    );
    assert_eq!(
        header(&page(&bench, "torvalds", 3, 100).await),
        [link(2, "prev"), link(1, "first")].join(", ")
    );
    let past = page(&bench, "torvalds", 4, 100).await;
    assert_eq!(past.body, "[]");
    assert_eq!(
        header(&past),
        [link(3, "prev"), link(3, "last"), link(1, "first")].join(", ")
    );
    let whole = page(&bench, "torvalds", 1, 1_000).await;
    assert_eq!(gitea_ids(&whole).len(), 100);
    let by_id = get(&bench, &format!("/user/{id}/followers"), &[]).await;
    assert_eq!(gitea_ids(&by_id).len(), 30);
}

#[tokio::test]
async fn a_user_has_the_fields_of_the_api() {
    let (bench, id) = linus("{}", 7);
    let user = get(&bench, "/users/Torvalds", &[]).await.json();
    assert_eq!(
        (user["id"].to_string(), &user["followers"]),
        (id.clone(), &7.into())
    );
    assert_eq!(
        (&user["login"], &user["type"]),
        (&"torvalds".into(), &"User".into())
    );
    assert_eq!(get(&bench, &format!("/user/{id}"), &[]).await.json(), user);
    let row = page(&bench, "torvalds", 1, 1).await.json()[0].clone();
    assert!(row["id"].is_u64() && row["node_id"].is_string() && row.get("followers").is_none());
    bench
        .world
        .create_account(AccountSpec {
            organization: true,
            ..AccountSpec::new(Platform::Github, "rust-lang", 3)
        })
        .unwrap();
    assert_eq!(
        get(&bench, "/users/rust-lang", &[]).await.json()["type"],
        "Organization"
    );
}

#[tokio::test]
async fn the_hourly_window_is_sixty_an_address_and_five_thousand_a_token() {
    let (bench, _) = linus("{}", 7);
    let now = bench.now_ms() / 1_000;
    let first = get(&bench, "/users/torvalds", &[]).await;
    let shown =
        ["limit", "remaining", "used", "reset"].map(|name| first.number(&format!("x-ratelimit-{name}")));
    assert_eq!(shown, [60, 59, 1, now + 3_600]);
    assert_eq!(first.header("x-ratelimit-resource"), Some("core"));
    for _ in 1..60 {
        assert_eq!(get(&bench, "/users/torvalds", &[]).await.status, 200);
    }
    let refused = get(&bench, "/users/torvalds", &[]).await;
    assert_eq!(
        (refused.status.as_u16(), refused.number("x-ratelimit-remaining")),
        (403, 0)
    );
    assert!(
        refused.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("API rate limit exceeded for 127.0.0.1")
    );
    let elsewhere = get(&bench, "/users/torvalds", &[("x-forwarded-for", "192.0.2.7")]).await;
    assert_eq!(elsewhere.status, 200);
    let signed = get(&bench, "/users/torvalds", &[("authorization", TOKEN)]).await;
    assert_eq!(
        (
            signed.number("x-ratelimit-limit"),
            signed.number("x-ratelimit-remaining")
        ),
        (5_000, 4_999)
    );
    bench.advance_ms(3_600_000);
    assert_eq!(
        get(&bench, "/users/torvalds", &[])
            .await
            .number("x-ratelimit-remaining"),
        59
    );
    let state = get(&bench, "/rate_limit", &[]).await;
    assert_eq!(state.json()["resources"]["core"]["remaining"], 59);
    assert_eq!(get(&bench, "/rate_limit", &[]).await.json()["rate"]["used"], 1);
}

#[tokio::test]
async fn a_304_is_free_with_a_token_and_counts_without() {
    let (bench, _) = linus("{}", 7);
    for (authorization, left) in [(Some(TOKEN), 4_999), (None, 58)] {
        let mut headers: Vec<_> = authorization
            .map(|token| ("authorization", token))
            .into_iter()
            .collect();
        let whole = get(&bench, "/users/torvalds/followers", &headers).await;
        let tag = whole.header("etag").unwrap().to_owned();
        headers.push(("if-none-match", &tag));
        let same = get(&bench, "/users/torvalds/followers", &headers).await;
        assert_eq!((same.status.as_u16(), same.body.as_str()), (304, ""));
        assert_eq!(same.header("etag"), Some(tag.as_str()));
        assert_eq!(same.number("x-ratelimit-remaining"), left);
    }
    bench.world.follow(Platform::Github, "torvalds", 1).unwrap();
    let tag = get(&bench, "/users/torvalds/followers", &[])
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    bench.world.follow(Platform::Github, "torvalds", 1).unwrap();
    let changed = get(&bench, "/users/torvalds/followers", &[("if-none-match", &tag)]).await;
    assert_eq!((changed.status.as_u16(), gitea_ids(&changed).len()), (200, 9));
}

#[tokio::test]
async fn the_secondary_limit_counts_points_a_minute_and_says_how_long_to_wait() {
    let (bench, _) = linus("{}", 7);
    for _ in 0..900 {
        assert_eq!(page(&bench, "torvalds", 1, 1).await.status, 200);
    }
    bench.advance_ms(20_000);
    let refused = page(&bench, "torvalds", 1, 1).await;
    assert_eq!(
        (refused.status.as_u16(), refused.number("retry-after")),
        (403, 40)
    );
    assert!(
        refused.json()["message"]
            .as_str()
            .unwrap()
            .contains("secondary rate limit")
    );
    assert_eq!(refused.number("x-ratelimit-remaining"), 4_100);
    bench.advance_ms(40_000);
    assert_eq!(page(&bench, "torvalds", 1, 1).await.status, 200);

    let config = r#"{"github":{"secondary":{"pointsPerMinute":1,"status":429,"wait":"reset"}}}"#;
    let (bench, _) = linus(config, 7);
    page(&bench, "torvalds", 1, 1).await;
    let refused = page(&bench, "torvalds", 1, 1).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after")),
        (429, None)
    );
    assert_eq!(refused.number("x-ratelimit-reset"), bench.now_ms() / 1_000 + 60);
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_refused() {
    let (bench, _) = linus(r#"{"latencyMs":100,"github":{"secondary":{"concurrent":3}}}"#, 7);
    let all = tokio::join!(
        page(&bench, "torvalds", 1, 1),
        page(&bench, "torvalds", 1, 1),
        page(&bench, "torvalds", 1, 1),
        page(&bench, "torvalds", 1, 1),
    );
    let statuses = [all.0, all.1, all.2, all.3].map(|reply| reply.status.as_u16());
    assert_eq!(
        statuses.iter().filter(|status| **status == 403).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(page(&bench, "torvalds", 1, 1).await.status, 200);
}

#[tokio::test]
async fn nobody_flagged_users_and_former_logins_have_answers_of_their_own() {
    let (bench, id) = linus("{}", 7);
    assert_eq!(page(&bench, "nobody", 1, 1).await.json()["message"], "Not Found");
    let rows = gitea_ids(&page(&bench, "torvalds", 1, 100).await);
    bench
        .world
        .set_state(Platform::Github, &rows[2], UserState::Suspended)
        .unwrap();
    let left = gitea_ids(&page(&bench, "torvalds", 1, 100).await);
    assert_eq!(left.len(), 6);
    assert_eq!(get(&bench, &format!("/user/{}", rows[2]), &[]).await.status, 404);
    bench.world.rename(Platform::Github, "torvalds", "linus").unwrap();
    let moved = page(&bench, "torvalds", 2, 3).await;
    assert_eq!(moved.status, 301);
    let location = format!("https://api.github.com/user/{id}/followers?per_page=3&page=2");
    assert_eq!(moved.header("location"), Some(location.as_str()));
    assert_eq!(moved.json()["url"], location);
    let (bench, _) = linus(r#"{"github":{"renamed":"notFound"}}"#, 7);
    bench.world.rename(Platform::Github, "torvalds", "linus").unwrap();
    assert_eq!(page(&bench, "torvalds", 1, 1).await.status, 404);
}

#[tokio::test]
async fn the_front_door_wants_a_name_and_a_good_token() {
    let (bench, _) = linus(r#"{"github":{"tokens":["ghp_good"]}}"#, 7);
    let nameless = bench.get("/users/torvalds").await;
    assert_eq!(nameless.status, 403);
    assert!(nameless.body.contains("User-Agent") && !nameless.body.contains('{'));
    let bad = get(&bench, "/users/torvalds", &[("authorization", "token nope")]).await;
    assert_eq!(
        (bad.status.as_u16(), &bad.json()["message"]),
        (401, &"Bad credentials".into())
    );
    assert_eq!(
        get(&bench, "/users/torvalds", &[("authorization", "token ghp_good")])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn faults_speak_github() {
    let (bench, _) = linus("{}", 7);
    let set = |kind| {
        bench
            .world
            .set_fault(FaultSpec {
                platform: Some(Platform::Github),
                ..FaultSpec::once(kind)
            })
            .unwrap()
    };
    set(FaultKind::SecondaryLimit {
        status: 429,
        retry_after_seconds: Some(7),
    });
    let refused = page(&bench, "torvalds", 1, 1).await;
    assert_eq!((refused.status.as_u16(), refused.number("retry-after")), (429, 7));
    set(FaultKind::LegallyBlocked);
    let blocked = page(&bench, "torvalds", 1, 1).await;
    assert_eq!(
        (blocked.status.as_u16(), &blocked.json()["block"]["reason"]),
        (451, &"dmca".into())
    );
    set(FaultKind::RateLimited {
        reset: ResetHeader::Absent,
    });
    let bare = page(&bench, "torvalds", 1, 1).await;
    assert_eq!(
        (bare.status.as_u16(), bare.header("x-ratelimit-reset")),
        (403, None)
    );
    set(FaultKind::MissingCursor);
    assert_eq!(page(&bench, "torvalds", 1, 1).await.header("link"), None);
    assert_eq!(bench.world.requests(0, 9)[0].platform, Platform::Github);
}
