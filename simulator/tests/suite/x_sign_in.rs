//! X's sign-in: codes of half a minute, verifiers, scopes, app bearers; look-ups of several; pinned posts.

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use followlytics_simulator::{Platform, UserState};
use http::Request;
use serde_json::Value;

use crate::bench::{APP, Bench, Reply, x_ids};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CONFIG: &str = r#"{"x":{"signedIn":"nasa","apps":[
    {"clientId":"public","bearer":"pb"},{"clientId":"web","clientSecret":"s3","bearer":"wb"}]}}"#;

async fn authorize(bench: &Bench, client: &str, scope: &str) -> String {
    let path = format!(
        "/i/oauth2/authorize?response_type=code&client_id={client}&redirect_uri=http://here/back&scope={scope}\
         &state=st&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let reply = bench.get(&path).await;
    assert_eq!(reply.status, 302, "{}", reply.body);
    reply.header("location").unwrap().to_owned()
}

async fn post(bench: &Bench, path: &str, basic: Option<&str>, form: &str) -> Reply {
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(pair) = basic {
        request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
    }
    bench
        .send(request.body(Body::from(form.to_owned())).unwrap())
        .await
}

async fn exchange(bench: &Bench, basic: Option<&str>, code: &str, more: &str) -> Reply {
    let form =
        format!("grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2Fhere%2Fback{more}");
    post(bench, "/2/oauth2/token", basic, &form).await
}

fn signed_in(config: &str) -> Bench {
    Bench::with_account(config, Platform::X, "nasa", 5).0
}

#[tokio::test]
async fn a_code_is_good_once_for_its_verifier_and_for_half_a_minute() {
    let bench = signed_in(CONFIG);
    let back = authorize(&bench, "public", "users.read%20offline.access").await;
    let code = back
        .strip_prefix("http://here/back?state=st&code=")
        .unwrap()
        .to_owned();
    let proof = format!("&client_id=public&code_verifier={VERIFIER}");
    let pair = exchange(&bench, None, &code, &proof).await.json();
    assert_eq!(
        (&pair["expires_in"], &pair["scope"]),
        (&7_200.into(), &"users.read offline.access".into())
    );
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    assert_eq!(
        bench.get_as(&bearer, "/2/users/me").await.json()["data"]["username"],
        "nasa"
    );
    let again = exchange(&bench, None, &code, &proof).await;
    assert_eq!(
        again.json()["error_description"],
        "Value passed for the authorization code was invalid."
    );

    for (wait, proof) in [
        (30_000, proof.as_str()),
        (0, "&client_id=public&code_verifier=guess"),
        (0, "&client_id=web"),
    ] {
        let back = authorize(&bench, "public", "users.read").await;
        let code = back.rsplit_once("code=").unwrap().1.to_owned();
        bench.advance_ms(wait);
        assert_ne!(exchange(&bench, None, &code, proof).await.status, 200, "{proof}");
    }
}

#[tokio::test]
async fn no_offline_scope_no_refresh_token_and_nobody_signed_in_is_a_no() {
    let bench = signed_in(CONFIG);
    let back = authorize(&bench, "web", "users.read").await;
    let code = back.rsplit_once("code=").unwrap().1.to_owned();
    let pair = exchange(
        &bench,
        Some("web:s3"),
        &code,
        &format!("&code_verifier={VERIFIER}"),
    )
    .await
    .json();
    assert!(pair["access_token"].is_string() && pair.get("refresh_token").is_none());
    let nobody = signed_in(&CONFIG.replace("\"signedIn\":\"nasa\",", ""));
    assert_eq!(
        authorize(&nobody, "public", "users.read").await,
        "http://here/back?state=st&error=access_denied"
    );
    assert_eq!(
        bench.get("/i/oauth2/authorize?client_id=nobody").await.status,
        400
    );
}

#[tokio::test]
async fn an_app_proves_itself_for_its_bearer_and_may_revoke_tokens() {
    let bench = signed_in(CONFIG);
    let form = "grant_type=client_credentials";
    let bearer = post(&bench, "/oauth2/token", Some("web:s3"), form).await.json();
    assert_eq!(
        (&bearer["token_type"], &bearer["access_token"]),
        (&"bearer".into(), &"wb".into())
    );
    let refused = post(&bench, "/oauth2/token", Some("web:wrong"), form).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["errors"][0]["code"]),
        (403, &99.into())
    );
    let pair = bench.world.issue_x_user_token("public", "nasa").unwrap();
    let revoked = post(
        &bench,
        "/2/oauth2/revoke",
        None,
        &format!("token={}&client_id=public", pair.access_token),
    )
    .await;
    assert_eq!(revoked.json()["revoked"], true);
    assert_eq!(
        bench
            .get_as(&format!("Bearer {}", pair.access_token), "/2/users/me")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn several_users_come_with_errors_for_those_that_do_not() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 5);
    let followers = bench.world.truth_between(Platform::X, "nasa", 0, 0).unwrap();
    bench
        .world
        .set_state(Platform::X, &followers[0], UserState::Suspended)
        .unwrap();
    let path = format!(
        "/2/users?ids={id},{},{},12345&user.fields=public_metrics",
        followers[0], followers[1]
    );
    let reply = bench.get_as(APP, &path).await;
    assert_eq!(x_ids(&reply), [id.clone(), followers[1].clone()]);
    let errors: Vec<_> = reply.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["title"].clone())
        .collect();
    assert_eq!(errors, [Value::from("Forbidden"), Value::from("Not Found Error")]);
    assert_eq!(bench.world.requests(0, 9)[0].charged_nano_usd, 20_000_000);
    let by_name = bench
        .get_as(APP, "/2/users/by?usernames=NASA,nobody_x")
        .await
        .json();
    assert_eq!(
        (&by_name["data"][0]["id"], &by_name["errors"][0]["value"]),
        (&id.into(), &"nobody_x".into())
    );
    for path in [
        "/2/users",
        "/2/users?ids=abc",
        "/2/users/by?usernames=far_too_long_a_name",
    ] {
        assert_eq!(bench.get_as(APP, path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn pinned_posts_are_included_and_those_that_are_gone_are_errors() {
    for (config, member, field) in [
        ("{}", "tweets", "pinned_tweet_id"),
        (r#"{"x":{"names":"post"}}"#, "posts", "pinned_post_id"),
    ] {
        let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 300);
        let page = bench
            .x_page(&id, &format!("max_results=300&expansions={field}"))
            .await
            .json();
        let pinned = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row.get(field).is_some())
            .count();
        let (found, gone) = (&page["includes"][member], &page["errors"]);
        assert_eq!(
            found.as_array().unwrap().len() + gone.as_array().unwrap().len(),
            pinned
        );
        assert!(pinned > 30 && gone[0]["resource_type"] == "tweet");
        let plain = bench.x_page(&id, "max_results=300").await.json();
        assert!(plain.get("includes").is_none() && plain.get("errors").is_none());
        assert_eq!(bench.x_page(&id, "expansions=wrong").await.status, 400);
    }
}

#[tokio::test]
async fn renames_and_suspensions_come_and_go_while_a_list_is_read() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 2_000);
    let churn = r#"{"renamesPerRequest":3,"suspensionsPerRequest":2,"unfollowsPerRequest":1}"#;
    assert_eq!(
        bench.post("/admin/accounts/x/nasa/churn", churn).await.status,
        200
    );
    let (before, seen) = (bench.world.order(), bench.x_walk(&id, 100).await);
    let truth = bench
        .world
        .truth_between(Platform::X, "nasa", before, bench.world.order())
        .unwrap();
    assert!(truth.len() < 1_950 && truth.len() > 1_900, "{}", truth.len());
    assert!(truth.iter().all(|id| seen.contains(id)));
    let kinds: Vec<_> = bench
        .world
        .events(0, 1_000)
        .iter()
        .map(|event| format!("{:?}", event.kind))
        .collect();
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    assert_eq!((count("Rename"), count("Unfollow")), (60, 20));
    assert!(count("Hide") >= 38);
}
