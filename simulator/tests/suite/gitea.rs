//! Gitea: users, index pages, shifting rows.

use followlytics_simulator::Platform;

use crate::bench::{Bench, gitea_ids};

/// The one order that a source proves: the simulator's own.
const BY_FOLLOW: &str = r#"{"gitea":{"order":"follow"}}"#;

async fn walk(bench: &Bench, login: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for page in 1.. {
        let rows = gitea_ids(&bench.gitea_page(login, page, limit).await);
        if rows.is_empty() {
            break;
        }
        ids.extend(rows);
    }
    ids
}

#[tokio::test]
async fn a_walk_sees_exactly_the_population_oldest_first() {
    let (bench, _) = Bench::with_account(BY_FOLLOW, Platform::Gitea, "linus", 512);
    let truth = bench
        .world
        .truth(Platform::Gitea, "linus", bench.world.now(), bench.world.now())
        .unwrap();
    assert_eq!(walk(&bench, "linus", 50).await, truth);
    assert_eq!(truth.len(), 512);
}

#[tokio::test]
async fn headers_count_everybody_and_links_name_the_configured_host() {
    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 120);
    let page = bench.gitea_page("linus", 2, 50).await;
    assert_eq!(page.number("x-total-count"), 120);
    let root = "https://git.example.com/api/v1/users/linus/followers";
    let links = page.header("link").unwrap();
    for (rel, number) in [("next", 3), ("last", 3), ("first", 1), ("prev", 1)] {
        let link = format!("<{root}?limit=50&page={number}>; rel=\"{rel}\"");
        assert!(links.contains(&link), "{links}");
    }
    let past = bench.gitea_page("linus", 4, 50).await;
    assert_eq!((past.body.as_str(), past.number("x-total-count")), ("[]", 120));
}

#[tokio::test]
async fn sizes_are_bent_into_range_without_a_word() {
    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 120);
    assert_eq!(gitea_ids(&bench.gitea_page("linus", 1, 1_000).await).len(), 50);
    assert_eq!(
        gitea_ids(&bench.get("/api/v1/users/linus/followers").await).len(),
        30
    );
    assert_eq!(gitea_ids(&bench.gitea_page("linus", 0, 0).await).len(), 30);
    let config = r#"{"gitea":{"maxResponseItems":10}}"#;
    let (bench, _) = Bench::with_account(config, Platform::Gitea, "linus", 120);
    assert_eq!(gitea_ids(&bench.gitea_page("linus", 1, 50).await).len(), 10);
}

#[tokio::test]
async fn an_unfollow_shifts_everything_behind_it_by_one() {
    let (bench, _) = Bench::with_account(BY_FOLLOW, Platform::Gitea, "linus", 100);
    let second = gitea_ids(&bench.gitea_page("linus", 2, 50).await);
    bench.world.unfollow_at(Platform::Gitea, "linus", 3, 1).unwrap();
    let shifted = gitea_ids(&bench.gitea_page("linus", 2, 50).await);
    assert_eq!(shifted, second[1..]);
    assert_eq!(gitea_ids(&bench.gitea_page("linus", 1, 50).await)[49], second[0]);
}

#[tokio::test]
async fn a_user_has_the_fields_of_the_api() {
    let (bench, id) = Bench::with_account("{}", Platform::Gitea, "linus", 7);
    let user = bench.get("/api/v1/users/Linus").await.json();
    assert_eq!(
        (user["id"].to_string(), user["login"].as_str()),
        (id, Some("linus"))
    );
    assert_eq!(
        (&user["followers_count"], user["visibility"].as_str()),
        (&7.into(), Some("public"))
    );
    assert!(user["created"].as_str().unwrap().ends_with('Z'));
    for field in ["full_name", "location", "description", "following_count"] {
        assert!(user.get(field).is_some(), "{field}");
    }
}

#[tokio::test]
async fn an_unknown_user_is_404_and_a_renamed_one_a_redirect() {
    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 7);
    let unknown = bench.gitea_page("nobody", 1, 50).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(
        unknown.json()["message"],
        "user redirect does not exist [name: nobody]"
    );
    bench.world.rename(Platform::Gitea, "linus", "torvalds").unwrap();
    let moved = bench.gitea_page("linus", 2, 50).await;
    assert_eq!(moved.status, 307);
    assert_eq!(
        moved.header("location"),
        Some("/api/v1/users/torvalds/followers?page=2&limit=50")
    );
    assert_eq!(gitea_ids(&bench.gitea_page("torvalds", 1, 50).await).len(), 7);
}

#[tokio::test]
async fn a_server_may_demand_a_token_even_for_public_users() {
    let config = r#"{"gitea":{"requireToken":true,"tokens":["good"]}}"#;
    let (bench, _) = Bench::with_account(config, Platform::Gitea, "linus", 7);
    let path = "/api/v1/users/linus/followers";
    let refused = bench.get(path).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["message"].as_str()),
        (401, Some("token is required"))
    );
    assert_eq!(bench.get_as("token bad", path).await.status, 401);
    assert_eq!(bench.get_as("token good", path).await.status, 200);
    assert_eq!(bench.get(&format!("{path}?token=good")).await.status, 200);
}

#[tokio::test]
async fn a_server_tells_its_version_and_its_page_sizes() {
    let config = r#"{"gitea":{"maxResponseItems":17}}"#;
    let (bench, _) = Bench::with_account(config, Platform::Gitea, "linus", 7);
    let settings = bench.get("/api/v1/settings/api").await.json();
    assert_eq!(
        (&settings["max_response_items"], &settings["default_paging_num"]),
        (&17.into(), &30.into())
    );
    assert!(bench.get("/api/v1/version").await.json()["version"].is_string());
}

#[tokio::test]
async fn a_private_user_is_not_found_without_a_token() {
    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 7);
    bench.world.set_protected(Platform::Gitea, "linus", true).unwrap();
    for path in ["/api/v1/users/linus", "/api/v1/users/linus/followers"] {
        assert_eq!(bench.get(path).await.status, 404);
        assert_eq!(bench.get_as("token any", path).await.status, 200);
    }
}

#[tokio::test]
async fn a_server_that_promises_an_order_says_so_in_its_version() {
    let (bench, _) = Bench::with_account(BY_FOLLOW, Platform::Gitea, "linus", 1);
    let version = bench.get("/api/v1/version").await.json();
    assert_eq!(version["version"], "1.26.0+simulator.follow-order");
    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 1);
    assert_eq!(bench.get("/api/v1/version").await.json()["version"], "1.26.0");
}

#[tokio::test]
async fn without_an_order_rows_come_by_user_so_a_follow_of_an_old_account_shifts_what_is_behind_it() {
    let (bench, _) = Bench::with_account("{}", Platform::Gitea, "linus", 200);
    let ids = walk(&bench, "linus", 50).await;
    let numbers: Vec<u64> = ids.iter().map(|id| id.parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn an_order_that_changes_with_the_offset_repeats_rows_and_lacks_as_many() {
    let config = r#"{"gitea":{"order":"plan","planChangesAt":100}}"#;
    let (bench, _) = Bench::with_account(config, Platform::Gitea, "linus", 200);
    let ids = walk(&bench, "linus", 50).await;
    let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(ids.len(), 200);
    assert!(unique.len() < 160, "{}", unique.len());
}
