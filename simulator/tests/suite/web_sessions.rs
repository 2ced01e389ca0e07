//! X's web client: sessions, their cookies and headers, their windows.

use followlytics_simulator::{WebCall, WebSessionSpec};
use serde_json::json;

use crate::{
    bench::START_MS,
    web_visit::{Visit, WHO, read, session},
};

fn without(mut call: WebCall, name: &str) -> WebCall {
    call.headers.retain(|(known, _)| *known != name);
    call
}

fn with(call: WebCall, name: &'static str, value: &str) -> WebCall {
    let mut call = without(call, name);
    call.headers.push((name, value.to_owned()));
    call
}

#[tokio::test]
async fn what_the_page_would_not_send_is_refused_as_the_platform_does() {
    let visit = Visit::new(json!({}), 10);
    let call = || visit.call(None);
    let stale = WebCall {
        path: call().path.replacen(&visit.web().query_id, "AAAA", 1),
        ..call()
    };
    let incomplete = WebCall {
        path: call().path.replacen("rweb_video_screen_enabled", "rweb_other", 1),
        ..call()
    };
    let ct0 = &visit.session.ct0;
    for (call, status, code) in [
        (without(call(), "authorization"), 401, Some(32)),
        (with(call(), "authorization", "Bearer other"), 401, Some(32)),
        (without(call(), "cookie"), 200, Some(37)),
        (
            with(call(), "cookie", &format!("auth_token=nobody; ct0={ct0}")),
            401,
            Some(32),
        ),
        (without(call(), "x-csrf-token"), 403, Some(353)),
        (with(call(), "x-csrf-token", "other"), 403, Some(353)),
        (
            with(call(), "cookie", "auth_token=a1b2c3; ct0=other"),
            403,
            Some(353),
        ),
        (without(call(), "x-client-transaction-id"), 404, None),
        (stale, 404, None),
        (incomplete, 400, Some(336)),
    ] {
        let reply = visit.send(&call).await;
        assert_eq!(reply.status, status, "{call:?}");
        match code {
            Some(code) => assert_eq!(reply.json()["errors"][0]["code"], code),
            None => assert_eq!(reply.body, ""),
        }
    }
    let named = visit
        .send(&WebCall {
            path: call().path.replacen("rweb_video_screen_enabled", "rweb_other", 1),
            ..call()
        })
        .await;
    let message = "The following features cannot be null: rweb_video_screen_enabled";
    assert_eq!(named.json()["errors"][0]["message"], message);
    assert_eq!(visit.bench.world.web_sessions()[0].csrf_refusals, 3);
    assert_eq!(visit.list(None).await.status, 200);
}

#[tokio::test]
async fn fifty_pages_a_window_then_429_until_its_end() {
    let visit = Visit::new(json!({}), 3_000);
    let mut cursor = None;
    for left in (0..50).rev() {
        let reply = visit.list(cursor.as_deref()).await;
        assert_eq!(reply.number("x-rate-limit-limit"), 50);
        assert_eq!(reply.number("x-rate-limit-remaining"), left);
        assert_eq!(reply.number("x-rate-limit-reset"), START_MS / 1_000 + 900);
        assert_eq!(reply.header("x-rate-limit-reset-ms"), None);
        cursor = read(&reply).bottom;
    }
    let refused = visit.list(cursor.as_deref()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.number("x-rate-limit-remaining")),
        (429, 0)
    );
    assert_eq!(refused.json()["errors"][0]["code"], 88);
    assert_eq!(
        visit.look_up(WHO).await.number("x-rate-limit-remaining"),
        94,
        "another query, another window"
    );
    visit.bench.advance_ms(900_000);
    assert_eq!(visit.list(cursor.as_deref()).await.status, 200);
}

#[tokio::test]
async fn short_windows_speak_in_milliseconds_and_sessions_of_one_account_share_them() {
    let limits = json!({"limits": {"followers": 3, "userByScreenName": 2, "windowMs": 2_000}});
    let visit = Visit::new(limits, 200);
    assert_eq!(
        visit.list(None).await.number("x-rate-limit-reset-ms"),
        START_MS + 2_000
    );
    let second = session("d4e5f6", "Reader");
    visit.bench.world.sign_in_web(second.clone()).unwrap();
    let other = WebCall::followers(visit.web(), &second, &visit.id, None);
    assert_eq!(visit.send(&other).await.number("x-rate-limit-remaining"), 1);
    let stranger = session("777777", "somebody");
    visit.bench.world.sign_in_web(stranger.clone()).unwrap();
    let own = WebCall::followers(visit.web(), &stranger, &visit.id, None);
    assert_eq!(visit.send(&own).await.number("x-rate-limit-remaining"), 2);
}

#[tokio::test]
async fn a_session_ends_and_another_begins() {
    let visit = Visit::new(json!({}), 100);
    let first = read(&visit.list(None).await);
    assert_eq!(visit.bench.world.sign_out_web("READER"), 1);
    assert_eq!(visit.bench.world.sign_out_web("reader"), 0);
    let over = visit.list(first.bottom.as_deref()).await;
    assert_eq!(
        (over.status.as_u16(), over.json()["errors"][0]["code"].as_i64()),
        (401, Some(32))
    );
    let fresh = session("ffff", "reader");
    visit.bench.world.sign_in_web(fresh.clone()).unwrap();
    let visit = Visit {
        session: fresh,
        ..visit
    };
    assert_eq!(visit.list(first.bottom.as_deref()).await.status, 200);
    let live: Vec<_> = visit
        .bench
        .world
        .web_sessions()
        .iter()
        .map(|one| one.live)
        .collect();
    assert_eq!(live, [false, true]);
}

#[tokio::test]
async fn sessions_come_and_go_over_http_and_never_show_their_cookies() {
    let visit = Visit::new(json!({}), 10);
    let spec = json!({"authToken": "secret1", "ct0": "secret2", "handle": "other"});
    let made = visit.bench.post("/admin/x/sessions", spec.to_string()).await;
    assert_eq!(made.status, 201);
    let listed = visit.bench.get("/admin/x/sessions").await;
    assert!(!listed.body.contains("secret"), "{}", listed.body);
    assert_eq!(listed.json()[1]["handle"], "other");
    let ended = visit
        .bench
        .send(
            http::Request::delete("/admin/x/sessions/other")
                .body(axum::body::Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(ended.json(), json!({"ended": 1}));
    let bad = json!({"authToken": "se;cret", "ct0": "a", "handle": "other"});
    let refused = visit.bench.post("/admin/x/sessions", bad.to_string()).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("authToken"), "{}", refused.body);
    let nobody = WebSessionSpec {
        handle: String::new(),
        ..session("a", "b")
    };
    let error = visit.bench.world.sign_in_web(nobody).unwrap_err();
    assert!(error.to_string().contains("handle"), "{error}");
}
