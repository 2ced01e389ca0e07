//! The runners of a bench: real ones, each a task that can be dropped where it stands.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::{Router, body::Body};
use bytes::Bytes;
use followlytics_platforms::{
    clock::{Clock as _, TokioClock},
    http::{HttpError, HttpService, from_service, send},
};
use followlytics_runner::{Outcome, RunnerConfig, RunnerError, run};
use followlytics_store::ledger::Ledger;
use http::Request;
use jiff::SignedDuration;
use tokio::task::JoinHandle;
use tower::{service_fn, util::BoxCloneSyncService};

use super::{Setup, token};

/// Starts runners, kills them, and notices their end.
pub(super) struct Fleet {
    clock: TokioClock,
    ledger: Ledger,
    broker: HttpService,
    platform: HttpService,
    page_ms: i64,
    broker_ms: i64,
    slow: (u32, i64),
    started: u32,
    running: Vec<Running>,
}

struct Running {
    name: String,
    scan: String,
    task: JoinHandle<Result<Outcome, RunnerError>>,
}

impl Fleet {
    pub(super) fn new(
        setup: &Setup,
        clock: TokioClock,
        ledger: Ledger,
        broker: Router,
        platform: HttpService,
    ) -> Self {
        let broker = detached(from_service::<_, Body, Body>(broker));
        Self {
            clock,
            ledger,
            broker,
            platform,
            page_ms: setup.page_ms,
            broker_ms: setup.broker_ms,
            slow: setup.slow,
            started: 0,
            running: Vec::new(),
        }
    }

    /// Runners of a scan that are alive.
    pub(super) fn alive(&self, scan: &str) -> usize {
        self.running
            .iter()
            .filter(|runner| runner.scan == scan && !runner.task.is_finished())
            .count()
    }

    pub(super) async fn start(&mut self, scan: &str) -> Result<()> {
        self.started += 1;
        let name = format!("runner-{}", self.started);
        let token = token(&self.ledger, &name, scan).await?;
        let (slow, times) = self.slow;
        let page_ms = if self.started == slow {
            self.page_ms * times
        } else {
            self.page_ms
        };
        let broker = late(self.clock, self.broker_ms, self.broker.clone());
        let platform = late(self.clock, page_ms, self.platform.clone());
        let config = RunnerConfig {
            broker_url: "http://broker".to_owned(),
        };
        let task = tokio::spawn(run(config, broker, platform, token.into(), Arc::new(self.clock)));
        self.running.push(Running {
            name,
            scan: scan.to_owned(),
            task,
        });
        Ok(())
    }

    /// Drops one runner where it stands, and gives its leases back as its parent would. False without runners.
    pub(super) async fn kill(&mut self) -> Result<bool> {
        // The oldest: it surely holds a lease.
        if self.running.is_empty() {
            return Ok(false);
        }
        let victim = self.running.remove(0);
        victim.task.abort();
        let _ = victim.task.await;
        self.ledger.release_sandbox(&victim.name).await?;
        Ok(true)
    }

    /// Forgets runners that ended; one that ended with an error ends the bench.
    pub(super) async fn reap(&mut self) -> Result<()> {
        let all = std::mem::take(&mut self.running);
        let (ended, running): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|runner| runner.task.is_finished());
        self.running = running;
        for runner in ended {
            runner
                .task
                .await
                .context("a runner panicked")?
                .with_context(|| runner.name.clone())?;
            self.ledger.release_sandbox(&runner.name).await?;
        }
        Ok(())
    }
}

/// A way on which every message takes its time, half there and half back.
fn late(clock: TokioClock, ms: i64, target: HttpService) -> HttpService {
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let target = target.clone();
        async move {
            clock.sleep(SignedDuration::from_millis(ms / 2)).await;
            let answer = send(&target, request).await;
            clock.sleep(SignedDuration::from_millis(ms - ms / 2)).await;
            answer
        }
    }))
}

/// The broker is another process: it goes on when the sender is killed.
fn detached(target: HttpService) -> HttpService {
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let target = target.clone();
        async move {
            tokio::spawn(async move { send(&target, request).await })
                .await
                .map_err(|error| HttpError::Broken(error.to_string()))?
        }
    }))
}
