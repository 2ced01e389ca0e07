//! What a page of X costs, and what the truth of a long list costs: `cargo run --release -p followlytics-simulator
//! --example measure -- 100000000`.

#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::{sync::Arc, time::Instant};

use axum::body::Body;
use followlytics_simulator::{AccountSpec, BulkSpec, Platform, RollOf, World, WorldConfig, router};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tower::ServiceExt as _;

const FIELDS: &str = "created_at,description,location,protected,public_metrics,verified";
const PAGES: u32 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let followers = std::env::args()
        .nth(1)
        .map_or(Ok(100_000_000), |text| text.parse())?;
    let mut config = WorldConfig::default();
    config.x.limits.followers_app = u32::MAX;
    let world = Arc::new(World::new(config, Arc::new(Timestamp::now)));
    let account = world.create_account(AccountSpec::new(Platform::X, "nasa", followers))?;
    let router = router(Arc::clone(&world));
    let began = Instant::now();
    let (mut token, mut bytes) = (None::<String>, 0);
    for _ in 0..PAGES {
        let cursor = token
            .map(|token| format!("&pagination_token={token}"))
            .unwrap_or_default();
        let uri = format!(
            "/2/users/{}/followers?max_results=1000&user.fields={FIELDS}{cursor}",
            account.id
        );
        let request = http::Request::get(uri)
            .header("authorization", "Bearer simulator-bearer")
            .body(Body::empty())?;
        let body = router
            .clone()
            .oneshot(request)
            .await?
            .into_body()
            .collect()
            .await?
            .to_bytes();
        bytes += body.len();
        let text = std::str::from_utf8(&body)?;
        let next = text
            .rsplit_once("\"next_token\":\"")
            .and_then(|(_, rest)| rest.get(..16));
        token = next.map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    let each = began.elapsed() / PAGES;
    println!(
        "a page of 1,000 rows: {each:?}, {} KB",
        bytes / 1_000 / PAGES as usize
    );
    let bulk = BulkSpec {
        seed: 1,
        unfollow_share: 0.01,
        rename_share: 0.01,
        follow: followers / 100,
    };
    let began = Instant::now();
    let done = world.bulk(Platform::X, "nasa", bulk)?;
    println!("{done:?}: {:?}", began.elapsed());
    let stretch = (done.from_order, done.to_order);
    let began = Instant::now();
    let digest = world.roll_digest(Platform::X, "nasa", RollOf::Throughout, stretch)?;
    println!("digest of {}: {:?}", digest.count, began.elapsed());
    for of in [RollOf::Throughout, RollOf::Gained, RollOf::Lost, RollOf::Renamed] {
        let began = Instant::now();
        let rows: usize = world
            .roll(Platform::X, "nasa", of, stretch)?
            .map(|batch| batch.len())
            .sum();
        println!("roll {of:?} of {rows}: {:?}", began.elapsed());
    }
    let memory = std::fs::read_to_string("/proc/self/status")?;
    for line in memory.lines().filter(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
    Ok(())
}
