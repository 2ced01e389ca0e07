//! Mastodon: look-ups, lists whose positions are in the `Link` header only, servers side by side.

use axum::body::Body;
use followlytics_simulator::{AccountSpec, FaultKind, FaultSpec, Platform, ResetHeader, UserState};
use http::Request;

use crate::bench::{Bench, Reply, sorted, texts};

const OPEN: &str = r#"{"mastodon":{"servers":[{"rateLimit":null,"pagingLimit":null}]}}"#;

/// One relation of a `Link` header: its whole query.
fn related(reply: &Reply, rel: &str) -> Option<String> {
    let links = reply.header("link")?;
    let link = links
        .split(", ")
        .find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
    let url = link.trim_start_matches('<').split('>').next()?;
    Some(url.split_once('?')?.1.to_owned())
}

async fn walk(bench: &Bench, path: &str, size: usize) -> Vec<String> {
    let mut query = format!("limit={size}");
    let mut ids = Vec::new();
    loop {
        let page = bench.get(&format!("{path}?{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        ids.extend(texts(&page.json(), "id"));
        match related(&page, "next") {
            Some(next) => query = next,
            None => return ids,
        }
    }
}

fn gargron(config: &str, followers: u64) -> (Bench, String) {
    Bench::with_account(config, Platform::Mastodon, "gargron", followers)
}

fn list(id: &str) -> String {
    format!("/api/v1/accounts/{id}/followers")
}

#[tokio::test]
async fn a_walk_by_links_sees_exactly_the_population_newest_first() {
    let (bench, id) = gargron(OPEN, 400);
    let now = bench.world.now();
    let mut truth = bench
        .world
        .truth(Platform::Mastodon, "gargron", now, now)
        .unwrap();
    truth.reverse();
    assert_eq!(walk(&bench, &list(&id), 80).await, truth);
    assert_eq!(walk(&bench, &list(&id), 1_000).await, truth);
    // 400 is ten full pages: the eleventh is empty and leads nowhere.
    assert_eq!(bench.world.totals().requests, 12);
}

#[tokio::test]
async fn positions_are_ids_of_follows_and_not_of_accounts() {
    let (bench, id) = gargron(OPEN, 100);
    let page = bench.get(&format!("{}?limit=10", list(&id))).await;
    let ids = texts(&page.json(), "id");
    let next = related(&page, "next").unwrap();
    assert!(next.starts_with("limit=10&max_id="), "{next}");
    assert!(ids.iter().all(|id| !next.contains(id.as_str())));
    assert!(
        page.header("link")
            .unwrap()
            .starts_with("<https://mastodon.example/api/v1/accounts/")
    );
    let newer = bench
        .get(&format!("{}?{}", list(&id), related(&page, "prev").unwrap()))
        .await;
    assert_eq!((newer.body.as_str(), newer.header("link")), ("[]", None));
    let joined = bench.world.follow(Platform::Mastodon, "gargron", 2).unwrap();
    let newer = bench
        .get(&format!("{}?{}", list(&id), related(&page, "prev").unwrap()))
        .await;
    assert_eq!(texts(&newer.json(), "id"), [joined[1].clone(), joined[0].clone()]);
}

#[tokio::test]
async fn min_id_goes_forwards_and_both_ends_make_a_range() {
    let (bench, id) = gargron(OPEN, 100);
    let all = walk(&bench, &list(&id), 80).await;
    let old = bench.get(&format!("{}?limit=30&min_id=0", list(&id))).await;
    assert_eq!(texts(&old.json(), "id"), all[70..]);
    let newest_old = related(&old, "prev").unwrap().replace("limit=30&since_id=", "");
    let next = bench
        .get(&format!("{}?limit=30&min_id={newest_old}", list(&id)))
        .await;
    assert_eq!(texts(&next.json(), "id"), all[40..70]);
    let upper = related(&next, "prev").unwrap().replace("limit=30&since_id=", "");
    let range = bench
        .get(&format!(
            "{}?limit=80&min_id={newest_old}&max_id={upper}",
            list(&id)
        ))
        .await;
    assert_eq!(texts(&range.json(), "id"), all[41..70]);
    let since = bench
        .get(&format!("{}?limit=5&since_id={newest_old}", list(&id)))
        .await;
    assert_eq!(texts(&since.json(), "id"), all[..5]);
}

#[tokio::test]
async fn an_account_is_looked_up_by_acct_and_by_id() {
    let (bench, id) = gargron(OPEN, 12);
    let account = bench.get("/api/v1/accounts/lookup?acct=Gargron").await.json();
    assert_eq!(
        (account["id"].as_str(), &account["followers_count"]),
        (Some(id.as_str()), &12.into())
    );
    assert_eq!(account["url"], "https://mastodon.example/@gargron");
    assert!(
        account["created_at"]
            .as_str()
            .unwrap()
            .ends_with("T00:00:00.000Z")
    );
    for path in [
        "/api/v1/accounts/lookup?acct=gargron@mastodon.example".to_owned(),
        format!("/api/v1/accounts/{id}"),
    ] {
        assert_eq!(bench.get(&path).await.json(), account, "{path}");
    }
    let missing = bench.get("/api/v1/accounts/lookup?acct=nobody").await;
    assert_eq!(
        (missing.status.as_u16(), missing.body.as_str()),
        (404, r#"{"error":"Record not found"}"#)
    );
    assert_eq!(bench.get("/api/v1/accounts/lookup").await.status, 404);
}

#[tokio::test]
async fn throttles_follow_the_clock_and_name_iso_times() {
    let (bench, id) = gargron("{}", 100);
    // 140 s into a window of 300, 0.5 s past the second.
    bench.advance_ms(140_500 - bench.now_ms() % 300_000 + 300_000);
    let first = bench.get(&list(&id)).await;
    assert_eq!(
        (
            first.number("x-ratelimit-limit"),
            first.number("x-ratelimit-remaining")
        ),
        (300, 299)
    );
    let reset: jiff::Timestamp = first.header("x-ratelimit-reset").unwrap().parse().unwrap();
    assert_eq!(reset.as_millisecond(), bench.now_ms() + 160_000);
    for _ in 1..300 {
        bench.get(&list(&id)).await;
    }
    let refused = bench.get(&list(&id)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.number("x-ratelimit-remaining")),
        (429, 0)
    );
    assert_eq!(refused.body, r#"{"error":"Too many requests"}"#);
    assert_eq!(bench.get_as("Bearer other", &list(&id)).await.status, 200);
    bench.advance_ms(159_500);
    assert_eq!(bench.get(&list(&id)).await.status, 200);
}

#[tokio::test]
async fn paging_has_a_throttle_of_its_own() {
    let config = r#"{"mastodon":{"servers":[{"pagingLimit":{"requests":2,"windowMs":900000}}]}}"#;
    let (bench, id) = gargron(config, 100);
    for status in [200, 200, 429] {
        assert_eq!(bench.get(&format!("{}?max_id=5", list(&id))).await.status, status);
    }
    assert_eq!(bench.get(&list(&id)).await.status, 200);
}

#[tokio::test]
async fn a_hidden_list_is_empty_though_the_count_is_not() {
    let (bench, id) = gargron(OPEN, 100);
    bench
        .world
        .set_hide_collections(Platform::Mastodon, "gargron", true)
        .unwrap();
    let page = bench.get(&list(&id)).await;
    assert_eq!(
        (page.status.as_u16(), page.body.as_str(), page.header("link")),
        (200, "[]", None)
    );
    let account = bench.get("/api/v1/accounts/lookup?acct=gargron").await.json();
    assert_eq!(
        (&account["followers_count"], &account["hide_collections"]),
        (&100.into(), &true.into())
    );
}

#[tokio::test]
async fn a_server_knows_only_its_own_followers_of_an_account_elsewhere() {
    let config = r#"{"mastodon":{"servers":[{"host":"one.example"},{"host":"two.example","ids":"ulid"}]}}"#;
    let bench = Bench::new(config);
    let home = bench
        .world
        .create_account(AccountSpec {
            server: Some("one.example".to_owned()),
            ..AccountSpec::new(Platform::Mastodon, "gargron", 200)
        })
        .unwrap();
    let seen = bench
        .world
        .create_account(AccountSpec {
            server: Some("two.example".to_owned()),
            shown_followers: Some(200),
            ..AccountSpec::new(Platform::Mastodon, "gargron@one.example", 7)
        })
        .unwrap();
    assert_eq!(seen.server.as_deref(), Some("two.example"));
    let by_path = bench
        .get("/hosts/two.example/api/v1/accounts/lookup?acct=gargron@one.example")
        .await
        .json();
    assert_eq!(
        (by_path["id"].as_str(), &by_path["followers_count"]),
        (Some(seen.id.as_str()), &200.into())
    );
    assert_eq!(by_path["url"], "https://one.example/@gargron");
    let ids = walk(&bench, &format!("/hosts/two.example{}", list(&seen.id)), 5).await;
    assert_eq!(ids.len(), 7);
    assert!(ids.iter().all(|id| id.len() == 26 && id.parse::<u64>().is_err()));
    let header =
        Request::get("/api/v1/accounts/lookup?acct=gargron@one.example").header("host", "two.example:443");
    assert_eq!(
        bench.send(header.body(Body::empty()).unwrap()).await.json(),
        by_path
    );
    assert_eq!(
        bench.get("/api/v1/accounts/lookup?acct=gargron").await.json()["id"],
        home.id
    );
    assert_eq!(
        bench.get("/hosts/three.example/api/v2/instance").await.status,
        404
    );
    let now = bench.world.now();
    let truth = |who: &str| bench.world.truth(Platform::Mastodon, who, now, now).unwrap();
    assert_eq!(truth("gargron@one.example").len(), 200);
    assert_eq!(sorted(truth("gargron@one.example@two.example")), sorted(ids));
}

#[tokio::test]
async fn ids_that_are_no_numbers_page_as_well() {
    for style in ["flake", "ulid"] {
        let config = OPEN.replace("{\"rateLimit", &format!("{{\"ids\":\"{style}\",\"rateLimit"));
        let (bench, id) = gargron(&config, 200);
        let now = bench.world.now();
        let mut truth = bench
            .world
            .truth(Platform::Mastodon, "gargron", now, now)
            .unwrap();
        truth.reverse();
        assert_eq!(walk(&bench, &list(&id), 37).await, truth);
        let page = bench.get(&format!("{}?limit=5", list(&id))).await;
        let position = related(&page, "next").unwrap().replace("limit=5&max_id=", "");
        assert!(position.parse::<u64>().is_err(), "{position}");
        assert_eq!(bench.get(&format!("{}?max_id=12", list(&id))).await.status, 400);
    }
}

#[tokio::test]
async fn a_server_may_demand_a_token_for_everything() {
    let config = r#"{"mastodon":{"servers":[{"requireToken":true,"tokens":["good"]}]}}"#;
    let (bench, id) = gargron(config, 9);
    let refused = bench.get(&list(&id)).await;
    assert_eq!(
        refused.json()["error"],
        "This method requires an authenticated user"
    );
    assert_eq!(refused.status, 401);
    assert_eq!(
        bench.get_as("Bearer bad", &list(&id)).await.json()["error"],
        "The access token is invalid"
    );
    assert_eq!(bench.get_as("Bearer good", &list(&id)).await.status, 200);
    assert_eq!(
        bench.get_as("Bearer good", "/api/v2/instance").await.json()["version"],
        "4.5.2"
    );
}

#[tokio::test]
async fn a_suspended_account_looks_as_the_servers_version_has_it() {
    for (word, status) in [("entity", 200), ("gone", 410), ("notFound", 404)] {
        let config = format!(r#"{{"mastodon":{{"servers":[{{"suspended":"{word}"}}]}}}}"#);
        let (bench, id) = gargron(&config, 9);
        bench
            .world
            .set_state(Platform::Mastodon, "gargron", UserState::Suspended)
            .unwrap();
        let account = bench.get(&format!("/api/v1/accounts/{id}")).await;
        assert_eq!(account.status, status);
        let page = bench.get(&list(&id)).await;
        assert_eq!(page.status, status);
        if word == "entity" {
            assert_eq!(
                (&account.json()["suspended"], page.body.as_str()),
                (&true.into(), "[]")
            );
        }
        bench
            .world
            .set_state(Platform::Mastodon, "gargron", UserState::Deactivated)
            .unwrap();
        assert_eq!(bench.get(&list(&id)).await.status, 404);
    }
}

#[tokio::test]
async fn followers_who_were_suspended_are_missing_and_pages_stay_full() {
    let (bench, id) = gargron(OPEN, 100);
    let all = walk(&bench, &list(&id), 80).await;
    bench
        .world
        .set_state(Platform::Mastodon, &all[3], UserState::Suspended)
        .unwrap();
    let page = bench.get(&format!("{}?limit=10", list(&id))).await;
    let ids = texts(&page.json(), "id");
    assert_eq!((ids.len(), ids.contains(&all[3])), (10, false));
    assert_eq!(walk(&bench, &list(&id), 10).await.len(), 99);
}

#[tokio::test]
async fn faults_speak_mastodon() {
    let (bench, id) = gargron(OPEN, 100);
    let set = |kind| {
        bench
            .world
            .set_fault(FaultSpec {
                platform: Some(Platform::Mastodon),
                ..FaultSpec::once(kind)
            })
            .unwrap()
    };
    for (kind, rows) in [(FaultKind::ShortPage, 5), (FaultKind::EmptyPage, 0)] {
        set(kind);
        let page = bench.get(&format!("{}?limit=10", list(&id))).await;
        assert_eq!(texts(&page.json(), "id").len(), rows);
        let rest = walk(&bench, &list(&id), 10).await;
        let onward = bench
            .get(&format!("{}?{}", list(&id), related(&page, "next").unwrap()))
            .await;
        assert_eq!(texts(&onward.json(), "id"), rest[rows..rows + 10]);
    }
    set(FaultKind::MissingCursor);
    assert_eq!(bench.get(&list(&id)).await.header("link"), None);
    let second = related(&bench.get(&list(&id)).await, "next").unwrap();
    set(FaultKind::RepeatedCursor);
    let stuck = bench.get(&format!("{}?{second}", list(&id))).await;
    assert_eq!(related(&stuck, "next"), Some(second));
    set(FaultKind::RateLimited {
        reset: ResetHeader::True,
    });
    let refused = bench.get(&list(&id)).await;
    let reset: jiff::Timestamp = refused.header("x-ratelimit-reset").unwrap().parse().unwrap();
    assert_eq!(
        (refused.status.as_u16(), reset.as_millisecond() / 1_000),
        (429, bench.now_ms() / 1_000 + 300)
    );
    set(FaultKind::Unavailable {
        retry_after_seconds: Some(3),
    });
    assert_eq!(bench.get(&list(&id)).await.number("retry-after"), 3);
}
