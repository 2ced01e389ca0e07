//! X: prices, de-duplication, balance, cap.

use followlytics_simulator::Platform;

use crate::bench::{APP, Bench};

const CENT: i64 = 10_000_000;

#[tokio::test]
async fn a_resource_costs_a_cent_once_a_utc_day() {
    let (bench, id) = Bench::with_account("{}", Platform::X, "nasa", 150);
    bench.x_page(&id, "").await;
    bench.x_page(&id, "").await;
    bench.get_as(APP, "/2/users/by/username/nasa").await;
    assert_eq!(bench.world.totals().charged_nano_usd, 101 * CENT);
    bench.x_page(&id, "max_results=150").await;
    assert_eq!(bench.world.requests(3, 1)[0].charged_nano_usd, 50 * CENT);
    bench.advance_ms(86_400_000);
    bench.x_page(&id, "").await;
    assert_eq!(bench.world.requests(4, 1)[0].charged_nano_usd, 100 * CENT);
}

#[tokio::test]
async fn without_de_duplication_every_row_costs_every_time() {
    let config = r#"{"x":{"pricing":{"dedupePerUtcDay":false}}}"#;
    let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 10);
    bench.x_page(&id, "").await;
    bench.x_page(&id, "").await;
    assert_eq!(bench.world.totals().charged_nano_usd, 20 * CENT);
}

#[tokio::test]
async fn only_returned_rows_are_charged() {
    let (bench, id) = Bench::with_account(r#"{"x":{"hiddenShare":0.5}}"#, Platform::X, "nasa", 100);
    let page = bench.x_page(&id, "").await;
    let rows = page.json()["meta"]["result_count"].as_i64().unwrap();
    assert!(rows < 100);
    assert_eq!(bench.world.totals().charged_nano_usd, rows * CENT);
}

#[tokio::test]
async fn a_spent_balance_answers_402_until_it_is_filled() {
    let config = r#"{"x":{"pricing":{"balanceNanoUsd":150000000}}}"#;
    let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 300);
    assert_eq!(bench.x_page(&id, "max_results=20").await.status, 200);
    assert_eq!(bench.world.x_balance("simulator").unwrap(), Some(-5 * CENT));
    let refused = bench.x_page(&id, "").await;
    assert_eq!(refused.status, 402);
    assert_eq!(refused.json()["title"], "CreditsDepleted");
    assert_eq!(
        refused.json()["type"],
        "https://api.twitter.com/2/problems/credits"
    );
    assert_eq!(bench.get_as(APP, "/2/users/by/username/nasa").await.status, 402);
    bench.world.set_x_balance("simulator", Some(CENT)).unwrap();
    assert_eq!(bench.x_page(&id, "").await.status, 200);
}

#[tokio::test]
async fn a_usage_cap_is_a_429_of_another_kind() {
    let config = r#"{"x":{"pricing":{"usageCapRows":100}}}"#;
    let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 300);
    assert_eq!(bench.x_page(&id, "").await.status, 200);
    let refused = bench.x_page(&id, "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["title"], "UsageCapExceeded");
    assert_eq!(
        refused.json()["type"],
        "https://api.twitter.com/2/problems/usage-capped"
    );
    assert_eq!(refused.number("x-rate-limit-limit"), 40_000);
    bench.world.set_x_usage_cap(None);
    assert_eq!(bench.x_page(&id, "").await.status, 200);
}

#[tokio::test]
async fn the_owner_of_the_app_reads_the_own_list_for_a_tenth() {
    let config = r#"{"x":{"apps":[{"clientId":"own","bearer":"b","owner":"nasa"}]}}"#;
    let (bench, id) = Bench::with_account(config, Platform::X, "nasa", 10);
    let token = bench
        .world
        .issue_x_user_token("own", "nasa")
        .unwrap()
        .access_token;
    bench
        .get_as(&format!("Bearer {token}"), &format!("/2/users/{id}/followers"))
        .await;
    assert_eq!(bench.world.totals().charged_nano_usd, 10 * CENT / 10);
    bench.advance_ms(86_400_000);
    bench
        .get_as("Bearer b", &format!("/2/users/{id}/followers"))
        .await;
    assert_eq!(bench.world.requests(1, 1)[0].charged_nano_usd, 10 * CENT);
}
