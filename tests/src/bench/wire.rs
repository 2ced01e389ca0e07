//! The same as [`super::runners`] for real: runners with their own HTTP clients, the broker and the simulated
//! platform behind loopback sockets, the ledger and the pages in files that reach the disk.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use followlytics_core::{account::Platform, scan::summary::Stage};
use followlytics_platforms::{
    clock::{Clock as _, SystemClock},
    http::{HttpService, Route, client, send},
};
use followlytics_runner::{RunnerConfig, run};
use followlytics_simulator::{AccountSpec, Platform as Simulated, World, WorldConfig, serve};
use followlytics_store::ledger::ScanRequest;
use http::Request;
use jiff::SignedDuration;
use tokio::{net::TcpListener, task::JoinSet};
use tower::{service_fn, util::BoxCloneSyncService};

use super::{
    loopback::Loopback,
    report::Section,
    runners::{NOTE, PAGE_MS, Times},
    world::{Listing, Setup, last_page, request, token},
};

const FOLLOWERS: u64 = 50_000;
/// How often the driver looks.
const LOOK: SignedDuration = SignedDuration::from_millis(50);

/// Seconds from the request for a scan to its last page.
pub fn measure(followers: u64, runners: u32, slowness: i64) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let files = tempfile::tempdir()?;
    runtime.block_on(async {
        let mut servers = JoinSet::new();
        let wire = Wire::new(files.path(), followers, runners, &mut servers).await?;
        wire.scan(runners, slowness).await
    })
}

struct Wire {
    broker: Loopback,
    request: ScanRequest,
}

impl Wire {
    async fn new(files: &Path, followers: u64, runners: u32, servers: &mut JoinSet<()>) -> Result<Self> {
        let config = WorldConfig {
            seed: 7,
            latency_ms: u64::try_from(PAGE_MS)?,
            ..WorldConfig::default()
        };
        let world = Arc::new(World::new(config, Arc::new(|| SystemClock.now())));
        let listing = Listing {
            platform: Platform::Gitea,
            followers,
            runners,
            rows_per_range: 10_000,
            after_seconds: 0,
        };
        let mut request = request(&Setup::of(Vec::new()), &listing, 0)?;
        world.create_account(AccountSpec::new(
            Simulated::Gitea,
            &request.account.handle,
            followers,
        ))?;
        let platform = TcpListener::bind("127.0.0.1:0").await?;
        request.base_url = format!("http://{}", platform.local_addr()?);
        servers.spawn(async move {
            let _ = serve(world, platform).await;
        });
        let broker = Loopback::open(files, servers).await?;
        Ok(Self { broker, request })
    }

    async fn scan(&self, most: u32, slowness: i64) -> Result<f64> {
        let began = SystemClock.now();
        let ledger = &self.broker.ledger;
        ledger.ensure_scan(&self.request).await?;
        let mut runners = JoinSet::new();
        let mut started = 0;
        loop {
            let summary = ledger
                .summary(&self.request.uid)
                .await?
                .context("the scan vanished")?;
            ensure!(
                summary.failure.is_none(),
                "the scan failed: {:?}",
                summary.failure
            );
            if summary.stage == Stage::Merging {
                break;
            }
            while runners.try_join_next().is_some() {}
            while runners.len() < summary.wanted_runners.min(most) as usize {
                started += 1;
                let slow = if started == most { slowness } else { 1 };
                runners.spawn(self.start(started, slow).await?);
            }
            SystemClock.sleep(LOOK).await;
        }
        let last = last_page(&self.broker.db, &self.request.uid).await?;
        Ok(last.duration_since(began).as_secs_f64())
    }

    async fn start(&self, number: u32, slowness: i64) -> Result<impl Future<Output = ()> + use<>> {
        let name = format!("runner-{number}");
        let token = token(&self.broker.ledger, &name, &self.request.uid).await?;
        let (broker, platform) = (client(Route::Internet)?, client(Route::Internet)?);
        let platform = if slowness > 1 {
            slower(platform, (slowness - 1) * PAGE_MS)
        } else {
            platform
        };
        let config = RunnerConfig {
            broker_url: self.broker.url.clone(),
        };
        Ok(async move {
            if let Err(error) = run(config, broker, platform, token.into(), Arc::new(SystemClock)).await {
                tracing::error!(%error, "a runner failed");
            }
        })
    }
}

fn slower(target: HttpService, ms: i64) -> HttpService {
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let target = target.clone();
        async move {
            SystemClock.sleep(SignedDuration::from_millis(ms)).await;
            send(&target, request).await
        }
    }))
}

/// The bench.
pub fn section() -> Result<Section> {
    let times = Times::of(|runners, slowness| measure(FOLLOWERS, runners, slowness))?;
    Ok(Section {
        name: "wire",
        title: "Four runners on one list, over real sockets and files",
        head: Times::head(),
        rows: vec![times.row(format!("Gitea, {FOLLOWERS} followers"))],
        bars: times.bars("loopback").into(),
        notes: vec![format!(
            "A server that answers after {PAGE_MS} ms; runners, broker and server in one process and yet behind sockets; ledger \
             and pages in files, every commit and every page forced to the disk. Wall-clock time: it varies from run to run. {NOTE}"
        )],
    })
}
