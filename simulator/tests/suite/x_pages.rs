//! X: look-ups and follower pages.

use followlytics_simulator::{AccountSpec, Platform, UserState};

use crate::bench::{APP, Bench, next_token, sorted, x_ids};

#[tokio::test]
async fn a_walk_sees_exactly_the_population_newest_first() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 2_345);
    let truth = bench
        .world
        .truth(Platform::X, "nasa", bench.world.now(), bench.world.now())
        .unwrap();
    let mut seen = bench.x_walk(&id, 1_000).await;
    assert_eq!(truth.len(), 2_345);
    seen.reverse();
    assert_eq!(seen, truth);
    assert_eq!(bench.world.totals().by_endpoint["x.followers"][&200], 3);
}

#[tokio::test]
async fn pages_may_hold_fewer_rows_than_were_asked_for_and_the_walk_is_the_same() {
    let (bench, id) = Bench::with_account(r#"{"x":{"pageRows":150}}"#, Platform::X, "nasa", 2_345);
    let now = bench.world.now();
    let mut seen = bench.x_walk(&id, 1_000).await;
    seen.reverse();
    assert_eq!(seen, bench.world.truth(Platform::X, "nasa", now, now).unwrap());
    assert_eq!(bench.world.totals().by_endpoint["x.followers"][&200], 16);
}

#[tokio::test]
async fn the_default_page_has_a_hundred_rows_of_the_three_default_fields() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 150);
    let page = bench.x_page(&id, "").await;
    let body = page.json();
    assert_eq!(body["meta"]["result_count"], 100);
    let row = body["data"][0].as_object().unwrap();
    assert_eq!(row.keys().collect::<Vec<_>>(), ["id", "name", "username"]);
    assert!(next_token(&page).unwrap().ends_with("ZZZ") && next_token(&page).unwrap().len() == 16);
    assert!(body["meta"].get("previous_token").is_none());
}

#[tokio::test]
async fn asked_fields_are_there_with_the_platforms_types() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 40);
    let fields = "created_at,description,protected,public_metrics,verified,verified_type,profile_image_url";
    let page = bench.x_page(&id, &format!("user.fields={fields}")).await;
    for row in page.json()["data"].as_array().unwrap() {
        let created = row["created_at"].as_str().unwrap();
        assert!(created.len() == 24 && created.ends_with("0.000Z"), "{created}");
        assert!(row["protected"].is_boolean() && row["verified"].is_boolean());
        assert!(row["public_metrics"]["followers_count"].is_u64());
        assert!(row["public_metrics"]["tweet_count"].is_u64());
    }
}

#[tokio::test]
async fn the_other_vocabulary_says_post() {
    let (bench, id) = Bench::with_account(r#"{"x":{"names":"post"}}"#, Platform::X, "nasa", 1);
    let page = bench.x_page(&id, "user.fields=public_metrics").await.json();
    assert!(page["data"][0]["public_metrics"]["post_count"].is_u64());
    assert!(page["data"][0]["public_metrics"].get("tweet_count").is_none());
}

#[tokio::test]
async fn churn_never_shifts_a_page() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 300);
    let first = bench.x_page(&id, "max_results=100").await;
    let token = next_token(&first).unwrap();
    let second = bench
        .x_page(&id, &format!("max_results=100&pagination_token={token}"))
        .await;
    bench.world.follow(Platform::X, "nasa", 7).unwrap();
    for gone in x_ids(&first).iter().take(5) {
        assert!(bench.world.unfollow_user(Platform::X, "nasa", gone).unwrap());
    }
    let again = bench
        .x_page(&id, &format!("max_results=100&pagination_token={token}"))
        .await;
    assert_eq!(x_ids(&second), x_ids(&again));
    assert_eq!(x_ids(&second).len(), 100);
}

#[tokio::test]
async fn the_previous_token_leads_back_to_the_newer_page() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 30);
    let first = bench.x_page(&id, "max_results=10").await;
    let second = bench
        .x_page(
            &id,
            &format!("max_results=10&pagination_token={}", next_token(&first).unwrap()),
        )
        .await;
    let back = second.json()["meta"]["previous_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let first_again = bench
        .x_page(&id, &format!("max_results=10&pagination_token={back}"))
        .await;
    assert_eq!(x_ids(&first_again), x_ids(&first));
}

#[tokio::test]
async fn hidden_followers_are_counted_but_never_listed() {
    let (bench, id) = Bench::with_account(r#"{"x":{"hiddenShare":0.2}}"#, Platform::X, "nasa", 500);
    let seen = bench.x_walk(&id, 100).await;
    assert!((350..450).contains(&seen.len()), "{}", seen.len());
    let body = bench
        .get_as(APP, "/2/users/by/username/nasa?user.fields=public_metrics")
        .await
        .json();
    assert_eq!(body["data"]["public_metrics"]["followers_count"], 500);
    let truth = bench
        .world
        .truth(Platform::X, "nasa", bench.world.now(), bench.world.now())
        .unwrap();
    assert_eq!(sorted(seen), sorted(truth));
}

#[tokio::test]
async fn a_page_of_hidden_rows_only_has_no_data_and_still_a_token() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 4);
    let first = bench.x_page(&id, "max_results=2").await;
    for hidden in x_ids(&first) {
        bench
            .world
            .set_state(Platform::X, &hidden, UserState::Suspended)
            .unwrap();
    }
    let page = bench.x_page(&id, "max_results=2").await;
    assert!(page.json().get("data").is_none());
    assert_eq!(page.json()["meta"]["result_count"], 0);
    assert!(next_token(&page).is_some());
    assert_eq!(bench.x_walk(&id, 2).await.len(), 2);
}

#[tokio::test]
async fn an_empty_list_has_no_data_at_all() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nobody", 0);
    assert_eq!(bench.x_page(&id, "").await.body, r#"{"meta":{"result_count":0}}"#);
}

#[tokio::test]
async fn a_token_of_another_list_or_an_invented_one_is_refused() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 30);
    let other = bench
        .world
        .create_account(AccountSpec::new(Platform::X, "esa", 30))
        .unwrap()
        .id;
    let token = next_token(&bench.x_page(&id, "max_results=10").await).unwrap();
    for (list, token) in [(&other, token.as_str()), (&id, "DFEDBNRFT3MHCZZZ"), (&id, "x")] {
        let page = bench.x_page(list, &format!("pagination_token={token}")).await;
        assert_eq!(page.status, 400);
        assert_eq!(
            page.json()["type"],
            "https://api.twitter.com/2/problems/invalid-request"
        );
        assert_eq!(
            page.json()["errors"][0]["parameters"]["pagination_token"][0],
            token
        );
    }
}

#[tokio::test]
async fn a_token_expires_where_the_world_says_so() {
    let (bench, id) = Bench::with_account(r#"{"x":{"tokenTtlMs":60000}}"#, Platform::X, "nasa", 30);
    let token = next_token(&bench.x_page(&id, "max_results=10").await).unwrap();
    bench.advance_ms(59_999);
    assert_eq!(
        bench
            .x_page(&id, &format!("pagination_token={token}"))
            .await
            .status,
        200
    );
    bench.advance_ms(1);
    assert_eq!(
        bench
            .x_page(&id, &format!("pagination_token={token}"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn bad_parameters_are_named_in_the_platforms_words() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 3);
    let page = bench.x_page(&id, "max_results=1001").await;
    assert_eq!(page.status, 400);
    let message = "The `max_results` query parameter value [1001] is not between 1 and 1000";
    assert_eq!(page.json()["errors"][0]["message"], message);
    assert_eq!(bench.x_page(&id, "cursor=1").await.status, 400);
    assert_eq!(bench.x_page(&id, "user.fields=shoe_size").await.status, 400);
    assert_eq!(bench.x_page("nasa", "").await.status, 400);
}

#[tokio::test]
async fn missing_suspended_and_protected_targets_answer_200_with_errors() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 3);
    let missing = bench.get_as(APP, "/2/users/by/username/nosuch").await;
    assert_eq!(missing.status, 200);
    assert_eq!(
        missing.json()["errors"][0]["detail"],
        "Could not find user with username: [nosuch]."
    );
    assert!(missing.json().get("data").is_none());
    bench.world.set_protected(Platform::X, "nasa", true).unwrap();
    let protected = bench.x_page(&id, "").await.json();
    assert_eq!(protected["errors"][0]["section"], "data");
    assert_eq!(protected["errors"][0]["title"], "Authorization Error");
    bench
        .world
        .set_state(Platform::X, "nasa", UserState::Suspended)
        .unwrap();
    let suspended = bench.x_page(&id, "").await.json();
    assert_eq!(suspended["errors"][0]["title"], "Forbidden");
    assert_eq!(
        suspended["errors"][0]["type"],
        "https://api.twitter.com/2/problems/resource-not-found"
    );
    assert_eq!(bench.world.totals().charged_nano_usd, 0);
}

#[tokio::test]
async fn a_protected_list_opens_for_its_own_user() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 3);
    bench.world.set_protected(Platform::X, "nasa", true).unwrap();
    let token = bench
        .world
        .issue_x_user_token("simulator", "nasa")
        .unwrap()
        .access_token;
    let page = bench
        .get_as(&format!("Bearer {token}"), &format!("/2/users/{id}/followers"))
        .await;
    assert_eq!(x_ids(&page).len(), 3);
}

#[tokio::test]
async fn a_renamed_account_is_gone_by_name_and_there_by_id() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 3);
    bench.world.rename(Platform::X, "nasa", "space_agency").unwrap();
    let old = bench.get_as(APP, "/2/users/by/username/nasa").await.json();
    assert_eq!(old["errors"][0]["title"], "Not Found Error");
    assert_eq!(
        bench
            .get_as(APP, "/2/users/by/username/Space_Agency")
            .await
            .json()["data"]["id"],
        id.as_str()
    );
    assert_eq!(
        bench.get_as(APP, &format!("/2/users/{id}")).await.json()["data"]["username"],
        "space_agency"
    );
    assert_eq!(x_ids(&bench.x_page(&id, "").await).len(), 3);
}

#[tokio::test]
async fn every_follower_can_be_looked_up_like_any_user() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 3);
    let row = bench.x_page(&id, "").await.json()["data"][0].clone();
    let path = format!("/2/users/by/username/{}", row["username"].as_str().unwrap());
    assert_eq!(bench.get_as(APP, &path).await.json()["data"], row);
    let own_list = bench.x_page(row["id"].as_str().unwrap(), "").await;
    assert_eq!(own_list.body, r#"{"meta":{"result_count":0}}"#);
}
