//! X: fixed windows and their headers.

use followlytics_simulator::{AccountSpec, Platform};

use crate::bench::{APP, Bench, START_MS};

const DEMO: &str = r#"{"x":{"limits":{"followersApp":20,"windowMs":3000}}}"#;

#[tokio::test]
async fn the_window_begins_at_its_first_request_and_every_answer_shows_it() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 1);
    bench.advance_ms(500);
    let page = bench.x_page(&id, "").await;
    assert_eq!(page.number("x-rate-limit-limit"), 300);
    assert_eq!(page.number("x-rate-limit-remaining"), 299);
    assert_eq!(
        page.number("x-rate-limit-reset"),
        (START_MS + 500 + 900_000 + 500) / 1_000
    );
    assert_eq!(page.header("x-rate-limit-reset-ms"), None);
    let refused = bench.x_page(&id, "max_results=0").await;
    assert_eq!(
        (refused.status.as_u16(), refused.number("x-rate-limit-remaining")),
        (400, 298)
    );
}

#[tokio::test]
async fn a_used_up_window_answers_429_until_its_end_and_says_so_in_milliseconds() {
    let (bench, id) = Bench::with_account(DEMO, Platform::X, "nasa", 1);
    for left in (0..20).rev() {
        bench.advance_ms(100);
        assert_eq!(bench.x_page(&id, "").await.number("x-rate-limit-remaining"), left);
    }
    let refused = bench.x_page(&id, "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["title"], "Too Many Requests");
    assert_eq!(refused.number("x-rate-limit-remaining"), 0);
    let reset_ms = refused.number("x-rate-limit-reset-ms");
    assert_eq!(reset_ms, START_MS + 100 + 3_000);
    bench.advance_ms(reset_ms - bench.now_ms() - 1);
    assert_eq!(bench.x_page(&id, "").await.status, 429);
    bench.advance_ms(1);
    assert_eq!(bench.x_page(&id, "").await.number("x-rate-limit-remaining"), 19);
}

#[tokio::test]
async fn an_app_and_each_of_its_users_have_windows_of_their_own() {
    let (bench, id) = Bench::with_account(DEMO, Platform::X, "nasa", 1);
    bench
        .world
        .create_account(AccountSpec::new(Platform::X, "alice", 0))
        .unwrap();
    let token = bench
        .world
        .issue_x_user_token("simulator", "alice")
        .unwrap()
        .access_token;
    for _ in 0..20 {
        bench.x_page(&id, "").await;
    }
    assert_eq!(bench.x_page(&id, "").await.status, 429);
    let path = format!("/2/users/{id}/followers");
    let by_user = bench.get_as(&format!("Bearer {token}"), &path).await;
    assert_eq!(
        (by_user.status.as_u16(), by_user.number("x-rate-limit-remaining")),
        (200, 299)
    );
    let look_up = bench.get_as(APP, "/2/users/by/username/nasa").await;
    assert_eq!(look_up.number("x-rate-limit-remaining"), 299);
    assert_eq!(bench.world.requests(21, 1)[0].principal, "user:simulator/alice");
}

#[tokio::test]
async fn a_day_window_stops_what_the_short_one_would_let_through() {
    let config = r#"{"x":{"limits":{"followersApp":2,"windowMs":1000,"followersAppDay":3}}}"#;
    let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 1);
    for _ in 0..3 {
        assert_eq!(bench.x_page(&id, "").await.status, 200);
        bench.advance_ms(1_000);
    }
    let refused = bench.x_page(&id, "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.number("x-rate-limit-remaining"), 2);
    assert_eq!(refused.number("x-app-limit-24hour-remaining"), 0);
    assert_eq!(
        refused.number("x-app-limit-24hour-reset"),
        START_MS / 1_000 + 86_400
    );
}

#[tokio::test]
async fn who_is_not_known_is_told_401_and_uses_no_window() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 1);
    let path = format!("/2/users/{id}/followers");
    for refused in [bench.get(&path).await, bench.get_as("Bearer wrong", &path).await] {
        assert_eq!(refused.status, 401);
        assert_eq!(refused.json()["title"], "Unauthorized");
        assert_eq!(refused.header("x-rate-limit-remaining"), None);
    }
    assert_eq!(bench.x_page(&id, "").await.number("x-rate-limit-remaining"), 299);
}
