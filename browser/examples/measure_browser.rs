//! Measures a browser over the simulator: start to first page, rows a minute, memory as rows pass by.
//!
//! `cargo run --release -p followlytics-browser --example measure_browser [ROWS] [TABS]`

use std::{fs, sync::Arc, time::Duration};

use axum::Router;
use followlytics_browser::{Options, WebX};
use followlytics_core::{
    platform::Auth,
    scan::range::{Place, Walk},
};
use followlytics_platforms::{
    clock::{Clock as _, SystemClock},
    connector::{Connector as _, Context, PageRequest},
    http::from_service,
};
use followlytics_simulator::{AccountSpec, Platform, World, WorldConfig, serve};
use futures::future::join_all;
use serde_json::json;
use tokio::{net::TcpListener, time::Instant};

type Any = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let rows = arguments.next().transpose()?.unwrap_or(50_000);
    let tabs = arguments.next().transpose()?.unwrap_or(4);
    let session = json!({"authToken": "a1", "ct0": "c1", "handle": "reader"});
    let web = json!({"sessions": [session], "acceptFabricatedCursor": true,
        "limits": {"followers": 1_000_000, "windowMs": 900_000}});
    let config: WorldConfig = serde_json::from_value(json!({"x": {"web": web}}))?;
    let world = Arc::new(World::new(config, Arc::new(|| SystemClock.now())));
    let account = world.create_account(AccountSpec::new(Platform::X, "nasa", rows))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(Arc::clone(&world), listener));

    let webx = WebX::new(Options {
        tabs: usize::try_from(tabs)?,
        shim: ["setpriv", "--pdeathsig", "KILL", "--"].map(Into::into).to_vec(),
        ..Options::default()
    });
    let ctx = Context {
        http: from_service::<_, axum::body::Body, _>(Router::<()>::new()),
        base_url: base,
        auth: Auth::WebSession,
        token: Some(session.to_string().into()),
        now: SystemClock.now(),
        start_by: jiff::Timestamp::MAX,
    };
    let started = Instant::now();
    let (report, _) = webx
        .look_up(&ctx, &"x:@nasa".parse()?, None)
        .await
        .map_err(|f| f.message)?;
    let looked_up = started.elapsed();
    let newest = world.now().as_millisecond() << 20;
    let oldest = report.created.map_or(0, |created| created.as_millisecond() << 20);
    first_page(&webx, &ctx, &account.id, newest).await?;
    println!(
        "start to looked up {looked_up:?}, to first page {:?}",
        started.elapsed()
    );

    let walking = Instant::now();
    let step = (newest - oldest) / i64::try_from(tabs)?;
    let watch = tokio::spawn(watch(webx.clone(), Arc::clone(&world)));
    let walks = (0..i64::try_from(tabs)?).map(|n| {
        let span = (oldest + step * n, oldest + step * (n + 1));
        walk(&webx, &ctx, &account.id, span)
    });
    let mut read = 0;
    for walked in join_all(walks).await {
        read += walked?;
    }
    watch.abort();
    let minutes = walking.elapsed().as_secs_f64() / 60.0;
    println!(
        "{read} rows in {:.1} s: {:.0} rows a minute",
        minutes * 60.0,
        f64::from(read) / minutes
    );
    memory(&webx, "at the end").await;
    let closing = Instant::now();
    webx.close().await;
    println!("closed in {:?}", closing.elapsed());
    Ok(())
}

async fn first_page(webx: &WebX, ctx: &Context, id: &str, from: i64) -> Result<(), Any> {
    let place = Place::at(from);
    webx.page(ctx, request(id, &place))
        .await
        .map_err(|failure| failure.message)?;
    Ok(())
}

async fn walk(webx: &WebX, ctx: &Context, id: &str, (lo, hi): (i64, i64)) -> Result<u32, Any> {
    let (mut place, mut rows) = (Place::at(hi), 0);
    loop {
        let page = webx
            .page(ctx, request(id, &place))
            .await
            .map_err(|failure| failure.message)?;
        rows += page.returned;
        match page.next {
            Some(next) if next.position > lo => place = next,
            _ => return Ok(rows),
        }
    }
}

fn request<'a>(id: &'a str, place: &'a Place) -> PageRequest<'a> {
    PageRequest {
        account_id: id,
        handle: "nasa",
        walk: Walk::Down,
        span: None,
        place,
        max_rows: 20,
        page_rows: 20,
    }
}

/// Prints the browser's memory as rows pass by.
async fn watch(webx: WebX, world: Arc<World>) {
    let mut next = 1_000;
    loop {
        let rows = world.totals().rows;
        if rows >= next {
            memory(&webx, &format!("after {rows} rows")).await;
            next = if rows < 5_000 { 5_000 } else { rows + 5_000 };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Proportional memory of all its processes.
async fn memory(webx: &WebX, when: &str) {
    let Some(group) = webx.pid().await else { return };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mine = pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.to_owned())
            .unwrap_or_default();
        after.split_whitespace().nth(2) == Some(group.to_string().as_str())
    });
    let kib: u64 = mine
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
        .filter_map(|text| {
            text.lines().find_map(|line| {
                line.strip_prefix("Pss:")?
                    .split_whitespace()
                    .next()?
                    .parse::<u64>()
                    .ok()
            })
        })
        .sum();
    println!("{when}: {} MiB", kib >> 10);
}
