//! The admin routes: another process makes a world out of nothing.

use axum::body::Body;
use http::Request;

use crate::bench::{Bench, gitea_ids};

#[tokio::test]
async fn an_account_is_created_changed_and_read_over_http() {
    let bench = Bench::new("{}");
    let created = bench
        .post(
            "/admin/accounts",
            r#"{"platform":"gitea","handle":"linus","followers":40}"#,
        )
        .await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["followers"], 40);
    let joined = bench
        .post("/admin/accounts/gitea/linus/follow", r#"{"count":3}"#)
        .await
        .json();
    assert_eq!(
        (&joined["changed"], joined["users"].as_array().unwrap().len()),
        (&3.into(), 3)
    );
    let gone = bench
        .post("/admin/accounts/gitea/linus/unfollow", r#"{"index":0,"count":2}"#)
        .await
        .json();
    assert_eq!(gone["changed"], 2);
    let renamed = bench
        .post("/admin/users/gitea/linus/rename", r#"{"handle":"torvalds"}"#)
        .await;
    assert_eq!(renamed.status, 204);
    let view = bench.get("/admin/accounts/gitea/torvalds").await.json();
    assert_eq!(
        (&view["followers"], view["handle"].as_str()),
        (&41.into(), Some("torvalds"))
    );
    let truth = bench.get("/admin/accounts/gitea/torvalds/truth").await.json();
    let mut listed: Vec<_> = gitea_ids(&bench.gitea_page("torvalds", 1, 50).await);
    let throughout: Vec<_> = truth["throughout"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    // Its list has an order of its own.
    listed.sort_by_key(|id| id.parse::<u64>().unwrap());
    let mut by_id = throughout;
    by_id.sort_by_key(|id| id.parse::<u64>().unwrap());
    assert_eq!(listed, by_id);
    assert_eq!(truth["ever"].as_array().unwrap().len(), listed.len());
    assert_eq!(
        bench.get("/admin/events").await.json().as_array().unwrap().len(),
        6
    );
    assert_eq!(
        bench
            .get("/admin/accounts")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn churn_can_be_set_over_http() {
    let bench = Bench::new("{}");
    bench
        .post(
            "/admin/accounts",
            r#"{"platform":"gitea","handle":"linus","followers":40}"#,
        )
        .await;
    let view = bench
        .post(
            "/admin/accounts/gitea/linus/churn",
            r#"{"unfollowsPerRequest":2}"#,
        )
        .await
        .json();
    assert_eq!(view["churn"]["unfollowsPerRequest"], 2.0);
    assert_eq!(bench.gitea_page("linus", 1, 50).await.number("x-total-count"), 38);
    assert_eq!(bench.gitea_page("linus", 1, 50).await.number("x-total-count"), 36);
}

#[tokio::test]
async fn faults_are_set_watched_and_cleared_over_http() {
    let bench = Bench::new("{}");
    bench
        .post(
            "/admin/accounts",
            r#"{"platform":"gitea","handle":"linus","followers":4}"#,
        )
        .await;
    let fault = r#"{"platform":"gitea","trigger":{"after":1},"times":0,"kind":{"unavailable":{"retryAfterSeconds":3}}}"#;
    let id = bench.post("/admin/faults", fault).await.json()["id"]
        .as_u64()
        .unwrap();
    assert_eq!(bench.gitea_page("linus", 1, 50).await.status, 200);
    assert_eq!(bench.gitea_page("linus", 1, 50).await.status, 503);
    let view = bench.get("/admin/faults").await.json()[0].clone();
    assert_eq!((&view["matched"], &view["fired"]), (&2.into(), &1.into()));
    let clear = |path: String| bench.send(Request::delete(path).body(Body::empty()).unwrap());
    assert_eq!(clear(format!("/admin/faults/{id}")).await.status, 204);
    assert_eq!(clear(format!("/admin/faults/{id}")).await.status, 404);
    assert_eq!(bench.gitea_page("linus", 1, 50).await.status, 200);
    assert_eq!(
        bench
            .post("/admin/faults", r#"{"kind":"badGateway"}"#)
            .await
            .status,
        201
    );
    assert_eq!(clear("/admin/faults".to_owned()).await.status, 204);
    assert!(bench.world.faults().is_empty());
}

#[tokio::test]
async fn apps_tokens_and_balances_of_x_are_at_hand() {
    let bench = Bench::new("{}");
    bench
        .post(
            "/admin/accounts",
            r#"{"platform":"x","handle":"nasa","followers":4}"#,
        )
        .await;
    assert_eq!(
        bench
            .post("/admin/x/apps", r#"{"clientId":"web","bearer":"wb"}"#)
            .await
            .status,
        201
    );
    let pair = bench
        .post("/admin/x/apps/web/tokens", r#"{"user":"nasa"}"#)
        .await
        .json();
    let bearer = format!("Bearer {}", pair["accessToken"].as_str().unwrap());
    assert_eq!(
        bench.get_as(&bearer, "/2/users/me").await.json()["data"]["username"],
        "nasa"
    );
    let put = Request::put("/admin/x/apps/web/balance")
        .body(Body::from(r#"{"balanceNanoUsd":0}"#))
        .unwrap();
    assert_eq!(bench.send(put).await.status, 204);
    assert_eq!(
        bench.get("/admin/x/apps/web/balance").await.json()["balanceNanoUsd"],
        0
    );
    assert_eq!(
        bench
            .get_as("Bearer wb", "/2/users/by/username/nasa")
            .await
            .status,
        402
    );
    let totals = bench.get("/admin/totals").await.json();
    assert_eq!(totals["byEndpoint"]["x.me"]["200"], 1);
    assert_eq!(totals["chargedNanoUsd"], 10_000_000);
    let log = bench.get("/admin/requests?after=1&limit=5").await.json();
    assert_eq!(
        (log.as_array().unwrap().len(), &log[0]["status"]),
        (1, &402.into())
    );
}

#[tokio::test]
async fn bad_documents_are_refused_by_field() {
    let bench = Bench::new("{}");
    for (body, word) in [
        (r#"{"platform":"gitea","handle":"a b"}"#, "handle"),
        (r#"{"platform":"gitea","handle":"ok","folowers":3}"#, "folowers"),
        (r#"{"platform":"x","handle":"far_too_long_for_x"}"#, "handle"),
        (
            r#"{"platform":"x","handle":"a","createdAt":"2200-01-01T00:00:00Z"}"#,
            "createdAt",
        ),
    ] {
        let refused = bench.post("/admin/accounts", body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(
            refused.json()["error"].as_str().unwrap().contains(word),
            "{}",
            refused.body
        );
    }
    bench
        .post("/admin/accounts", r#"{"platform":"gitea","handle":"linus"}"#)
        .await;
    let twice = bench
        .post("/admin/accounts", r#"{"platform":"gitea","handle":"Linus"}"#)
        .await;
    assert_eq!(twice.status, 409);
    assert_eq!(bench.get("/admin/accounts/gitea/nobody").await.status, 404);
    assert_eq!(bench.get("/admin/accounts/myspace/tom").await.status, 400);
    let suspended = bench
        .post("/admin/users/gitea/linus/state", r#"{"state":"suspended"}"#)
        .await;
    assert!(suspended.json()["error"].as_str().unwrap().contains("unfollow"));
}

#[tokio::test]
async fn a_mastodon_account_is_made_on_its_server_and_hidden_over_http() {
    let bench = Bench::new(r#"{"mastodon":{"servers":[{"host":"one.example"},{"host":"two.example"}]}}"#);
    let spec = r#"{"platform":"mastodon","server":"two.example","handle":"bob","followers":9}"#;
    let created = bench.post("/admin/accounts", spec).await.json();
    assert_eq!(created["server"], "two.example");
    assert_eq!(
        bench.get("/admin/accounts/mastodon/bob@two.example").await.json(),
        created
    );
    assert_eq!(bench.get("/admin/accounts/mastodon/bob").await.status, 404);
    let hidden = bench
        .post(
            "/admin/users/mastodon/bob@two.example/collections",
            r#"{"hide":true}"#,
        )
        .await;
    assert_eq!(hidden.status, 204);
    let path = format!(
        "/hosts/two.example/api/v1/accounts/{}/followers",
        created["id"].as_str().unwrap()
    );
    assert_eq!(bench.get(&path).await.body, "[]");
    let log = bench.get("/admin/requests").await.json();
    assert_eq!(
        (&log[0]["server"], &log[0]["account"]),
        (&"two.example".into(), &created["id"])
    );
    for (spec, word) in [
        (
            r#"{"platform":"mastodon","server":"three.example","handle":"bob"}"#,
            "server",
        ),
        (r#"{"platform":"mastodon","handle":"b@ob@x"}"#, "handle"),
        (r#"{"platform":"github","handle":"under_score"}"#, "handle"),
    ] {
        let refused = bench.post("/admin/accounts", spec).await;
        assert!(
            refused.status == 400 && refused.json()["error"].as_str().unwrap().contains(word),
            "{}",
            refused.body
        );
    }
}

#[tokio::test]
async fn the_log_forgets_its_oldest_and_sums_do_not() {
    let bench = Bench::new(r#"{"log":{"requests":3,"events":2}}"#);
    bench
        .post(
            "/admin/accounts",
            r#"{"platform":"gitea","handle":"linus","followers":40}"#,
        )
        .await;
    for _ in 0..5 {
        bench.gitea_page("linus", 1, 10).await;
        bench
            .world
            .unfollow_at(followlytics_simulator::Platform::Gitea, "linus", 0, 1)
            .unwrap();
    }
    let log = bench.world.requests(0, 100);
    assert_eq!(
        log.iter().map(|request| request.number).collect::<Vec<_>>(),
        [3, 4, 5]
    );
    assert_eq!(bench.world.requests(4, 100).len(), 1);
    assert_eq!(
        (bench.world.events(0, 100).len(), bench.world.totals().rows),
        (2, 50)
    );
    let truth = bench
        .world
        .truth_between(followlytics_simulator::Platform::Gitea, "linus", 0, 0)
        .unwrap();
    assert_eq!(truth.len(), 40);
}
